"""Which detector it was: what checkpoints keep of the one that their model was trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class DetectorRecord:
    """Equal records stand for detectors that give the same numbers."""

    description: Mapping[str, Any] = field(default_factory=dict)  # plain values, see Detector.describe
    weights: str = ""  # SHA-256 of its weights, see store_key.weights_digest

    @property
    def architecture(self) -> str:
        """Its name in files; empty where the record does not say."""
        return str(self.description.get("detector", ""))
