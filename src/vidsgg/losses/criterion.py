"""What the engine asks of a criterion."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits


class Criterion(Protocol):
    """From what a model says of a clip to scalars by name, their sum as "total". A clip of several videos gives the mean over its videos."""

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]: ...
