"""Which detector it was: what checkpoints keep of the one that their model was trained with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class DetectorRecord:
    """Equal records stand for detectors that give the same numbers."""

    description: Mapping[str, Any] = field(default_factory=dict)  # plain values, see BoxDetector.describe
    weights: str = ""  # SHA-256 of its weights, see BoxDetector.digest

    def __post_init__(self) -> None:
        object.__setattr__(self, "description", {name: _frozen(value) for name, value in self.description.items()})

    @property
    def architecture(self) -> str:
        """Its name in files; empty where the record does not say."""
        return str(self.description.get("detector", ""))


def _frozen(value: Any) -> Any:
    """Lists as tuples: files of JSON know no tuples."""
    if isinstance(value, Mapping):
        return {name: _frozen(part) for name, part in value.items()}
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value


def weights_digest(state: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
