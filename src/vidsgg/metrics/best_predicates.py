"""What a model says of the pairs that are there: its best predicate of every group, how sure it is
of it, and whether it is right.

These statements, the candidates of recall with constraint, are what calibration and risk are about.
A pair counts if it matches an annotated one under the protocol, predicates left aside, for only
there is it known what is right:

* Pairs of boxes: the scored pairs whose classes are those of an annotated pair of their frame and
  whose boxes overlap with its boxes. In PredCLS these are all pairs; in SGCLS and SGDET pairs with
  a wrong class or box are left out, and an object that is found twice gives two statements, as the
  reader of a graph meets both. A pair that matches several annotated ones may be right about any.
* Events: the objects whose class, and whose event's action, are right. What is said of an object in
  several frames is averaged first.

A group in which nothing is annotated for the pair is left out for it. The predicates of a
multi-label group other than the best have no
part in this: nearly all are absent and known to be, which would flatter every mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np

from vidsgg.metrics.frame_ranks import match_pairs
from vidsgg.metrics.inputs import ObjectRows, event_objects, frame_pairs, side_by_side
from vidsgg.metrics.protocol import Protocol
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Statements:
    """E statements of one predicate group. video (E,): never decreasing. right (E,) bool.
    confidence (E,) float32: probability of the best predicate. aleatoric, epistemic (E,) float32:
    uncertainty of the same predicate, or None where the model gives none.
    """

    video: Array
    right: Array
    confidence: Array
    aleatoric: Array | None = None
    epistemic: Array | None = None

    def __len__(self) -> int:
        return len(self.right)

    def of_video(self, video: int) -> Statements:
        """Copies, so that nothing else is kept."""
        rows = slice(*np.searchsorted(self.video, [video, video + 1]))
        given = {name: column[rows].copy() for name, column in vars(self).items() if column is not None}
        return Statements(**given)

    @staticmethod
    def cat(parts: Sequence[Statements]) -> Statements:
        """One after another; a column that one lacks is lacking."""
        columns = {f.name: [getattr(part, f.name) for part in parts] for f in fields(Statements)}
        return Statements(
            **{name: np.concatenate(column) for name, column in columns.items() if not any(c is None for c in column)}
        )


@dataclass(frozen=True, eq=False)
class _Scored:
    """R scored pairs, or objects of events. video (R,). truth (R, C) bool: what is annotated.
    tables: (R, C) by name of the column."""

    video: Array
    truth: Array
    tables: Mapping[str, Array]


def best_predicates(
    annotations: Sequence[VideoAnnotation],
    predictions: Sequence[VideoPrediction],
    vocabulary: Vocabulary,
    protocol: Protocol,
) -> dict[str, Statements]:
    """The statements about all pairs that count, by group; those of a video in one piece, in the
    order of the videos."""
    scored = (_objects if protocol.match == "class" else _pairs)(annotations, predictions, vocabulary, protocol)
    bounds = np.cumsum([0, *(len(group) for group in vocabulary.groups)])
    found = {}
    for group, (first, end) in zip(vocabulary.groups, pairwise(bounds), strict=True):
        truth = scored.truth[:, first:end]
        rows = np.flatnonzero(truth.any(1))
        best = scored.tables["confidence"][rows, first:end].argmax(1)
        columns = {name: table[rows, first + best] for name, table in scored.tables.items()}
        found[group.name] = Statements(scored.video[rows], truth[rows, best], **columns)
    return found


def _pairs(
    annotations: Sequence[VideoAnnotation],
    predictions: Sequence[VideoPrediction],
    vocabulary: Vocabulary,
    protocol: Protocol,
) -> _Scored:
    assert protocol.iou is not None
    truth, scored = frame_pairs(annotations, predictions, vocabulary)
    true_pair, scored_pair = match_pairs(truth, scored, protocol.iou, inclusive=protocol.overlap == "plus_one")
    match, predicate = np.nonzero(truth.labels[true_pair])
    labels = np.zeros((len(scored.frame), truth.labels.shape[1]), dtype=np.bool_)
    labels[scored_pair[match], predicate] = True
    return _Scored(
        np.repeat(np.arange(len(predictions)), [len(p.pair_frame) for p in predictions]),
        labels,
        _tables(predictions, vocabulary),
    )


def _objects(
    annotations: Sequence[VideoAnnotation],
    predictions: Sequence[VideoPrediction],
    vocabulary: Vocabulary,
    protocol: Protocol,
) -> _Scored:
    rows, scored = ObjectRows.of(predictions), event_objects(predictions, vocabulary, protocol)
    klass, action = scored.object_class, scored.subject_class
    if scored.object_score is not None:  # its column 0 is the background
        klass = scored.object_score[:, 1:].argmax(1) + 1
    if scored.subject_score is not None:
        action = scored.subject_score.argmax(1)
    events = np.cumsum([0, *(annotation.units for annotation in annotations)])
    true_event = np.concatenate(
        [a.frame_unit[a.pair_frame] + first for a, first in zip(annotations, events[:-1], strict=True)]
    )
    true_class = np.concatenate([a.node_class[a.pair_object] for a in annotations])
    true_action = np.concatenate([a.action_class for a in annotations])

    # A table row for every (event, class) that could be, as there are few; its labels are those of
    # all the event's objects of the class.
    classes = len(vocabulary.objects)
    pair, predicate = np.nonzero(side_by_side([a.labels for a in annotations], vocabulary))
    known = np.zeros((events[-1] * classes, len(vocabulary.predicates)), dtype=np.bool_)
    known[(true_event * classes + true_class)[pair], predicate] = True
    labels = known[scored.event * classes + klass] & (action == true_action)[scored.event, None]
    tables = {name: rows.mean(table) for name, table in _tables(predictions, vocabulary).items()}
    return _Scored(np.searchsorted(events, scored.event, side="right") - 1, labels, tables)


def _tables(predictions: Sequence[VideoPrediction], vocabulary: Vocabulary) -> dict[str, Array]:
    """Scores, and the uncertainties that all predictions have."""
    tables = {"confidence": side_by_side([p.scores for p in predictions], vocabulary)}
    for name in ("aleatoric", "epistemic"):
        given = [table for p in predictions if (table := getattr(p, name)) is not None]
        if len(given) == len(predictions):
            tables[name] = side_by_side(given, vocabulary)
    return tables
