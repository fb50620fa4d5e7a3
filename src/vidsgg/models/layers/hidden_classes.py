"""Which classes and pairs a model scores relations with, where the classes may be given, to be
learnt, or hidden."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.models.layers.object_classifier import class_distribution
from vidsgg.ops.pairing import settle
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

G = TypeVar("G")


@dataclass(frozen=True, eq=False)
class SettledPairs(Generic[G]):
    """What relations are scored on. N nodes."""

    clip: Clip  # the given one, or with open pairs the settled one
    node_class: Tensor  # (N,) long
    guess: G | None = None  # what the model says of the classes; None where they are given
    settled: Clip | None = None  # the settled clip if pairs were open: for ``RelationLogits.clip``


def settle_by_logits(clip: Clip, logits: Tensor) -> tuple[Clip, Tensor]:
    """The clip that follows from class logits (N, O) of its nodes, and the logits."""
    return settle(clip, class_distribution(logits)), logits


def scored_pairs(
    clip: Clip, model: str, classify: Callable[[Clip], G] | None, close: Callable[[Clip, G], tuple[Clip, G]]
) -> SettledPairs[G]:
    """The pairs of a clip with the classes of their nodes.

    Given classes are taken as they are. Otherwise ``classify`` guesses them. With open pairs,
    ``close`` makes of clip and guess the settled clip and the guess for its nodes. Else, in
    training, a pair's classes are those to learn (``node_target``), as in STTran's reference. Where
    subjects are actions, whose pairs are given in every mode, a pair's classes are the guessed ones
    in training too, as in EASG's STTran (sttran_EASG.py L41-55): ``close`` sets them.

    model: its name, for messages. classify: None for a model that was made for given classes.
    Raises ConfigError if classes are hidden from such a model, or if there are none to learn.
    """
    if clip.classes_given:
        return SettledPairs(clip, clip.node_class)
    where = f"{model} on {clip.video_ids[0]!r}"
    if classify is None:
        raise ConfigError(
            f"{where}: the model was made for mode predcls, but the classes are hidden; make one for their mode."
        )
    guess = classify(clip)
    if clip.pairs_open or not clip.schema.subject_has_box:
        settled, guess = close(clip, guess)
        return SettledPairs(settled, settled.node_class, guess, settled if clip.pairs_open else None)
    if clip.node_target is None:
        raise ConfigError(
            f"{where}: the classes are neither given nor to be learnt, and the pairs are not open; see structures.Clip."
        )
    return SettledPairs(clip, clip.node_target, guess)


def check_node_features(model: str, schema: Schema, widths: FeatureWidths) -> None:
    """Raises ConfigError if there are no RoI features, which a model needs that guesses the classes
    of boxes. The objects of actions can be guessed from less: see ``NodeEncoder``.
    """
    if schema.subject_has_box and not widths.node:
        raise ConfigError(
            f"{model} guesses classes from RoI features, which {schema.name!r} does not have here; use mode predcls."
        )
