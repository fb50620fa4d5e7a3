"""What a model gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from vidsgg.errors import ConfigError, short
from vidsgg.structures.clip import Clip


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """A model's uncertainty about every predicate of every pair. Larger is less certain; the scale
    is the model's own."""

    aleatoric: Mapping[str, Tensor]  #: (P, C) per group: noise in the data
    epistemic: Mapping[str, Tensor]  #: (P, C) per group: disagreement between the model's parts


@dataclass(frozen=True, eq=False)
class RelationLogits:
    """A model's scores before softmax or sigmoid.

    Letters: P pairs, C predicates of a group, N nodes, O object classes with the background at 0, U
    label units, S subject classes. Rows are in the order of ``clip``; if that is None, of the clip
    that the model was given.
    """

    groups: Mapping[str, Tensor]  #: (P, C) per predicate group
    objects: Tensor | None = None  #: (N, O) class logits of the nodes
    actions: Tensor | None = None  #: (U, S) class logits of the actions
    uncertainty: Uncertainty | None = None  #: of models that estimate it
    #: For a clip with open pairs: the same clip with the classes, scores and pairs that the model chose.
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
