"""What a model gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class RelationLogits:
    """Scores before softmax or sigmoid, in the row order of the clip they were computed from.

    groups: (P, C) per predicate group. objects: (N, O) class logits of the nodes, background at 0, or None. actions: (U, S) or None.
    uncertainty: (P, C) per group for models that estimate it, or None.
    """

    groups: Mapping[str, Tensor]
    objects: Tensor | None = None
    actions: Tensor | None = None
    uncertainty: Mapping[str, Tensor] | None = None
