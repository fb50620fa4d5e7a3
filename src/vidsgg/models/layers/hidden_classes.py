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
    """The pairs to score, with the classes of their N nodes."""

    clip: Clip  #: the given clip; with open pairs, the settled one
    node_class: Tensor  #: (N,) long
    guess: G | None = None  #: the model's prediction of the classes; None if they are given
    settled: Clip | None = None  #: the settled clip if pairs were open, for ``RelationLogits.clip``


def settle_by_logits(clip: Clip, logits: Tensor) -> tuple[Clip, Tensor]:
    """Settle the classes and pairs of a clip by class logits (N, O) of its nodes; return the clip and
    the logits."""
    return settle(clip, class_distribution(logits)), logits


def scored_pairs(
    clip: Clip, model: str, classify: Callable[[Clip], G] | None, close: Callable[[Clip, G], tuple[Clip, G]]
) -> SettledPairs[G]:
    """Return the pairs of a clip with the classes of their nodes.

    Given classes are used as they are. Otherwise ``classify`` predicts them. With open pairs,
    ``close`` makes the settled clip, and the prediction for its nodes, from clip and prediction.
    Without open pairs (in training), a pair's classes are those to learn (``node_target``), as in
    STTran's reference. If subjects are actions, whose pairs are given in every mode, a pair's classes
    are the predicted ones in training too, as in EASG's STTran (sttran_EASG.py L41-55); ``close``
    sets them.

    Args:
        clip: the clip that the network was given.
        model: name of the model, for messages.
        classify: predicts classes; None for a model that was made for given classes.
        close: for example :func:`settle_by_logits`.

    Raises:
        ConfigError: the classes are hidden from a model made for given ones, or there are no classes
            to learn.
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
    """Raise ConfigError if a model that predicts the classes of boxes lacks RoI features.

    The objects of actions can be predicted from less, see ``NodeEncoder``.
    """
    if schema.subject_has_box and not widths.node:
        raise ConfigError(
            f"{model} guesses classes from RoI features, which {schema.name!r} does not have here; use mode predcls."
        )
