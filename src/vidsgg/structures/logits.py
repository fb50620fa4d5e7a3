"""What a model gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vidsgg.structures.clip import Clip


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """How unsure a model is of every predicate of every pair, (P, C) per group: aleatoric, the
    noise that it sees in the data, and epistemic, the disagreement of its parts. Larger is less
    sure; the scale is the model's own.
    """

    aleatoric: Mapping[str, Tensor]
    epistemic: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class RelationLogits:
    """Scores before softmax or sigmoid, in the row order of ``clip``, or of the clip that the model
    was given where that is None.

    groups: (P, C) per predicate group. objects: (N, O) class logits of the nodes, background at 0,
    or None. actions: (U, S) or None.
    uncertainty: of models that estimate it, or None. clip: what the model made of a clip whose
    pairs were open: its classes and scores of the nodes, its pairs.
    """

    groups: Mapping[str, Tensor]
    objects: Tensor | None = None
    actions: Tensor | None = None
    uncertainty: Uncertainty | None = None
    clip: Clip | None = None
