"""What the engine asks of a criterion."""

from __future__ import annotations

from typing import Protocol, TypeVar

from torch import Tensor

from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits

Logits = TypeVar("Logits", bound=RelationLogits)


class Criterion(Protocol):
    """Computes losses by name, and their sum as ``total``. For a clip of several videos each loss is
    the mean over the videos."""

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]: ...


def logits_of(logits: RelationLogits, kind: type[Logits]) -> Logits:
    """The logits as those of one method's network. Raises TypeError if another's gave them."""
    if not isinstance(logits, kind):
        raise TypeError(
            f"the criterion reads {kind.__name__}, but the model gives {type(logits).__name__}; take the criterion of"
            " its method."
        )
    return logits
