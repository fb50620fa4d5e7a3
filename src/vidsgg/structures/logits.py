"""What a model gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vidsgg.errors import ConfigError, short
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


def check_logits(logits: object, clip: Clip, *, scoring: bool = False) -> None:
    """Raises ConfigError saying what is wrong with what a network gives for a clip.

    scoring: all groups are needed, and where pairs were open the clip that the network made.
    """
    if not isinstance(logits, RelationLogits):
        raise ConfigError(f"the network gives {short(logits)}; its forward must return RelationLogits.")
    if scoring and clip.pairs_open and logits.clip is None:
        raise ConfigError(
            "the network leaves the classes and pairs of the clip open; give the clip that it settled on as"
            " RelationLogits(..., clip=...), which 'scored_pairs' returns as 'settled'."
        )
    scored = logits.clip or clip
    for group in scored.schema.vocabulary.groups:
        table = logits.groups.get(group.name)
        if table is None and scoring:
            raise ConfigError(f"the network gives no logits of the predicate group {short(group.name)}.")
        if table is not None and table.shape != (scored.pairs, len(group)):
            raise ConfigError(
                f"the network gives logits of shape {tuple(table.shape)} for the predicate group {short(group.name)};"
                f" expected {(scored.pairs, len(group))}: a row for each pair, a column for each predicate."
            )
