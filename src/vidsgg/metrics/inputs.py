"""From annotated videos and predictions to the flat arrays that are ranked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.errors import DataError
from vidsgg.metrics.event_ranks import ScoredObjects, TrueTriples
from vidsgg.metrics.frame_ranks import ScoredPairs, TruePairs, group_rows
from vidsgg.metrics.protocol import Protocol
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.structures.vocabulary import Vocabulary

# Half precision rounds a probability a little above 1.
_CERTAIN = np.float32(1.001)
_CERTAIN_BITS = _CERTAIN.view(np.uint32)


def check_pair(
    annotation: VideoAnnotation, prediction: VideoPrediction, vocabulary: Vocabulary, protocol: Protocol
) -> None:
    """The two belong together and can be ranked. Raises DataError naming the video and what
    differs."""
    where = f"video {annotation.video_id!r}"
    if prediction.video_id != annotation.video_id:
        raise DataError(f"{where}: the prediction is for video {prediction.video_id!r}; pass the two of one video.")
    if annotation.schema.vocabulary != vocabulary or prediction.schema.vocabulary != vocabulary:
        raise DataError(
            f"{where}: its classes are not those that the metric was made for; use the data set's own vocabulary."
        )
    if not np.array_equal(annotation.frame_unit, prediction.frame_unit):
        raise DataError(
            f"{where}: {annotation.frames} annotated frames, {prediction.frames} predicted, or other label units;"
            " predict exactly the annotated frames, in their order."
        )
    tables = {f"scores[{name!r}]": table for name, table in prediction.scores.items()} | {
        "node_score": prediction.node_score
    }
    for name, table in tables.items():
        if not _is_probability(table):
            raise DataError(
                f"{where}: {name} spans {table.min():g}..{table.max():g}; probabilities in [0, 1] are needed, not"
                " logits."
            )
    if protocol.match == "class":
        if len(prediction.pair_object) and prediction.node_identity[prediction.pair_object].min() < 0:
            raise DataError(
                f"{where}: node_identity is -1 for an object of a pair; number the objects of an event from 0."
            )
        if protocol.subject_given and prediction.action_class.min(initial=0) < 0:
            raise DataError(
                f"{where}: action_class is {prediction.action_class.min()}, but {protocol.name} is given the actions."
            )
        for given, name, value in (
            (protocol.object_given, "object_scores", prediction.object_scores),
            (protocol.subject_given, "action_scores", prediction.action_scores),
        ):
            if not given and value is None:
                raise DataError(f"{where}: {protocol.name} needs {name}, but the prediction has none.")


def _is_probability(table: Array) -> bool:
    """Whether all values (float32) lie from 0 to 1 or a little above; one pass tells it of almost all
    tables."""
    if not table.size:
        return True
    # Bits of floats that are not negative ascend like the floats; those of negative ones and NaN are larger.
    if table.view(np.uint32).max() <= _CERTAIN_BITS:
        return True
    return bool(table.min() >= 0 and table.max() <= _CERTAIN)  # -0 is allowed


def frame_pairs(
    annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction], vocabulary: Vocabulary
) -> tuple[TruePairs, ScoredPairs]:
    """Pairs of all videos one after another, frames and nodes counted through."""
    frames = [annotation.frames for annotation in annotations]
    rows = group_rows(vocabulary.groups)
    probability = np.empty((len(vocabulary.predicates), sum(len(p.pair_frame) for p in predictions)), np.float32)
    end = 0
    for prediction in predictions:
        start, end = end, end + len(prediction.pair_frame)
        for group, of_group in zip(vocabulary.groups, rows, strict=True):
            probability[of_group, start:end] = prediction.scores[group.name].T
    true_nodes, nodes = [len(a.node_box) for a in annotations], [len(p.node_box) for p in predictions]
    truth = TruePairs(
        node_box=np.concatenate([a.node_box for a in annotations]),
        node_class=np.concatenate([a.node_class for a in annotations]),
        subject=_shifted([a.pair_subject for a in annotations], true_nodes),
        object=_shifted([a.pair_object for a in annotations], true_nodes),
        frame=_shifted([a.pair_frame for a in annotations], frames),
        labels=side_by_side([a.labels for a in annotations], vocabulary),
    )
    scored = ScoredPairs(
        node_box=np.concatenate([p.node_box for p in predictions]),
        node_class=np.concatenate([p.node_class for p in predictions]),
        subject=_shifted([p.pair_subject for p in predictions], nodes),
        object=_shifted([p.pair_object for p in predictions], nodes),
        frame=_shifted([p.pair_frame for p in predictions], frames),
        node_score=np.concatenate([p.node_score for p in predictions]),
        probability=probability,
    )
    return truth, scored


def node_frames(videos: Sequence[VideoAnnotation] | Sequence[VideoPrediction]) -> Array:
    """(N,) the frame of every node, frames of all videos counted through."""
    return _shifted([video.node_frame for video in videos], [video.frames for video in videos])


def event_triples(annotations: Sequence[VideoAnnotation], vocabulary: Vocabulary) -> TrueTriples:
    """The distinct (action, object, predicate) triples of every event; an event's rows over its
    frames are put together."""
    units = [annotation.units for annotation in annotations]
    pair, predicate = np.nonzero(side_by_side([a.labels for a in annotations], vocabulary))
    event = _shifted([a.frame_unit[a.pair_frame] for a in annotations], units)[pair]
    obj = np.concatenate([a.node_class[a.pair_object] for a in annotations])[pair]
    predicates, classes = len(vocabulary.predicates), len(vocabulary.objects)
    triple = np.unique((event * classes + obj) * predicates + predicate)
    event, obj = triple // predicates // classes, triple // predicates % classes
    action = np.concatenate([a.action_class for a in annotations])
    return TrueTriples(event=event, subject=action[event], object=obj, predicate=triple % predicates)


@dataclass(frozen=True, eq=False)
class ObjectRows:
    """Pairs of events, put together by object, in order of their identity: the order in which rows
    were listed never breaks a tie.

    N objects, P pairs. event (N,): never decreasing. order (P,): pairs by object; start, seen (N,):
    where the pairs of each begin in it, and how many they are. One object may be seen in several
    frames of its event; what is said of it is averaged over them (float64 sums), as the authors of
    EASG do per object class.
    """

    event: Array
    order: Array
    start: Array
    seen: Array

    @staticmethod
    def of(predictions: Sequence[VideoPrediction]) -> ObjectRows:
        event = _shifted(
            [p.frame_unit[p.pair_frame] for p in predictions], [int(p.frame_unit[-1]) + 1 for p in predictions]
        )
        identity = np.concatenate([p.node_identity[p.pair_object] for p in predictions])
        order = np.lexsort((identity, event))
        event, identity = event[order], identity[order]
        changes = np.flatnonzero((np.diff(event) != 0) | (np.diff(identity) != 0)) + 1
        start = np.concatenate([np.zeros(min(len(event), 1), dtype=np.int64), changes])
        return ObjectRows(event[start], order, start, np.diff(start, append=len(event)))

    def first(self, rows: Array) -> Array:
        """(P, ...) -> (N, ...): what the first pair of every object has."""
        return rows[self.order][self.start]

    def mean(self, rows: Array) -> Array:
        """(P, ...) -> (N, ...) float32."""
        rows = rows[self.order]
        sums = np.add.reduceat(rows, self.start, axis=0, dtype=np.float64) if len(self.start) else rows
        return (sums / self.seen[:, None]).astype(np.float32)


def event_objects(predictions: Sequence[VideoPrediction], vocabulary: Vocabulary, protocol: Protocol) -> ScoredObjects:
    """The objects of every event with what is predicted of them."""
    rows = ObjectRows.of(predictions)

    def object_score(prediction: VideoPrediction) -> Array:
        assert prediction.object_scores is not None
        return prediction.object_scores[prediction.pair_object]

    def action_score(prediction: VideoPrediction) -> Array:
        assert prediction.action_scores is not None
        return prediction.action_scores

    return ScoredObjects(
        event=rows.event,
        relation_score=rows.mean(side_by_side([p.scores for p in predictions], vocabulary)),
        object_class=rows.first(np.concatenate([p.node_class[p.pair_object] for p in predictions])),
        subject_class=np.concatenate([p.action_class for p in predictions]),
        object_score=(
            None if protocol.object_given else rows.mean(np.concatenate([object_score(p) for p in predictions]))
        ),
        subject_score=None if protocol.subject_given else np.concatenate([action_score(p) for p in predictions]),
    )


def side_by_side(tables: Sequence[Mapping[str, Array]], vocabulary: Vocabulary) -> Array:
    """Tables (P, C of a group) of several videos as one (P, C), videos one after another and
    predicates by global id."""
    return np.concatenate([np.concatenate([table[g.name] for g in vocabulary.groups], axis=1) for table in tables])


def _shifted(parts: Sequence[Array], sizes: Sequence[int]) -> Array:
    """Index columns of several videos as one column, each counting on from the end of the one
    before."""
    start, shifted = 0, []
    for part, size in zip(parts, sizes, strict=True):
        shifted.append(part + start)
        start += size
    return np.concatenate(shifted)
