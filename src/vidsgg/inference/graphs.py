"""From scored relations to the graph that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidsgg.inference.intervals import IntervalRules, relation_intervals
from vidsgg.inference.trackers import OverlapTracker, Tracker
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.prediction import VideoPrediction

INTERVALS = IntervalRules()


@dataclass(frozen=True)
class Moment:
    """Which frame of a video it is: see GraphFrame."""

    key: str
    number: int
    time: float | None
    width: float
    height: float


def to_graph(
    annotation: VideoAnnotation, prediction: VideoPrediction, threshold: float = 0.5, unsure_above: float | None = None
) -> VideoGraph:
    """One graph per frame of ``annotation`` with the nodes and the likely relations of
    ``prediction``, see ``frame_graphs``. Things that are the same over frames by the annotation keep
    its ids."""
    ids = given_ids(prediction)
    frames = tuple(frame_graphs(prediction, moments_of(annotation), threshold, unsure_above, track=ids))
    return VideoGraph(annotation.video_id, prediction.schema.name, frames, schema=prediction.schema)


def given_ids(prediction: VideoPrediction) -> Array | None:
    """(N,) the ids of things over frames; None where some have none, or where ids are those of single
    events."""
    known = prediction.schema.unit == "frame" and bool((prediction.node_identity >= 0).all())
    return prediction.node_identity if known else None


def frame_graphs(
    prediction: VideoPrediction,
    moments: Sequence[Moment],
    threshold: float = 0.5,
    unsure_above: float | None = None,
    least: float = 0.0,
    track: Array | None = None,
    *,
    best: bool = True,
) -> Iterator[GraphFrame]:
    """The graphs of a video's frames.

    Of every group a pair gets the predicates above ``threshold`` and, with ``best``, the best one
    whatever its probability, as published protocols have it; an edge's score is the predicate's
    probability.
    unsure_above: edges whose aleatoric and epistemic uncertainty add up to more are marked as
    uncertain; None, or a model without uncertainty, marks none. Nodes that are nothing, or whose
    score is below ``least``, are left out with their edges. track (N,): ids of the nodes, -1 for
    none.
    """
    schema = prediction.schema
    doubts = None if unsure_above is None else _doubts(prediction, unsure_above)
    kept = (prediction.node_class > 0) & (prediction.node_score >= least)
    node_at = np.searchsorted(prediction.node_frame, np.arange(len(moments) + 1))
    pair_at = np.searchsorted(prediction.pair_frame, np.arange(len(moments) + 1))
    for f, moment in enumerate(moments):
        rows = node_at[f] + np.flatnonzero(kept[node_at[f] : node_at[f + 1]])
        position = {int(row): i for i, row in enumerate(rows)}
        nodes = [_node(prediction, row, track) for row in rows]
        subjects = position
        if not schema.subject_has_box:
            action = int(prediction.frame_unit[f])
            subjects = {action: len(nodes)}
            nodes.append(_action(prediction, action))
        edges: list[GraphEdge] = []
        for p in range(pair_at[f], pair_at[f + 1]):
            subject, obj = (
                of.get(int(row[p]))
                for of, row in ((subjects, prediction.pair_subject), (position, prediction.pair_object))
            )
            if subject is not None and obj is not None:
                edges += _edges(prediction, p, subject, obj, threshold, doubts, best)
        yield GraphFrame(
            moment.key, moment.number, moment.time, moment.width, moment.height, tuple(nodes), tuple(edges)
        )


def _node(prediction: VideoPrediction, row: int, track: Array | None) -> GraphNode:
    x1, y1, x2, y2 = (round(float(v), 3) for v in prediction.node_box[row])
    label = prediction.schema.vocabulary.objects[prediction.node_class[row]]
    ident = None if track is None or track[row] < 0 else int(track[row])
    return GraphNode(label, min(1.0, round(float(prediction.node_score[row]), 6)), (x1, y1, x2, y2), ident)


def _action(prediction: VideoPrediction, unit: int) -> GraphNode:
    klass = prediction.action_class[unit]
    score = 1.0 if prediction.action_scores is None else float(prediction.action_scores[unit, klass])
    return GraphNode(prediction.schema.vocabulary.subjects[klass], min(1.0, round(score, 6)))


def _doubts(prediction: VideoPrediction, unsure_above: float) -> dict[str, Array] | None:
    """(P, C) bool of every group, None for a model without uncertainty."""
    if prediction.aleatoric is None or prediction.epistemic is None:
        return None
    return {name: table + prediction.epistemic[name] > unsure_above for name, table in prediction.aleatoric.items()}


def _edges(
    prediction: VideoPrediction,
    pair: int,
    subject: int,
    obj: int,
    threshold: float,
    doubts: dict[str, Array] | None,
    best: bool,
) -> Iterator[GraphEdge]:
    """The edges of a pair, whose nodes stand at ``subject`` and ``obj`` in their frame."""
    for group in prediction.schema.vocabulary.groups:
        scores = prediction.scores[group.name][pair]
        likely = set(np.flatnonzero(scores > threshold).tolist()) | ({int(scores.argmax())} if best else set())
        ends = (subject, obj) if group.direction == "subject->object" else (obj, subject)
        for c in sorted((c for c in likely if scores[c] > 0), key=lambda c: (-scores[c], c)):
            uncertain = None if doubts is None else bool(doubts[group.name][pair, c])
            yield GraphEdge(*ends, group.predicates[c], group.name, min(1.0, round(float(scores[c]), 6)), uncertain)


def with_tracks(frames: Iterable[GraphFrame], tracker: Tracker | None = None) -> Iterator[GraphFrame]:
    """The frames of one video with ids of the things in them. tracker: a new one; by default one
    that goes by overlap."""
    tracker, classes = tracker or OverlapTracker(), dict[str, int]()
    for frame in frames:
        things = [i for i, node in enumerate(frame.nodes) if node.box is not None]
        box = np.array([frame.nodes[i].box for i in things], np.float64)
        klass = np.array([classes.setdefault(frame.nodes[i].label, len(classes)) for i in things], np.int64)
        score = np.array([frame.nodes[i].score for i in things], np.float64)
        ident = tracker.ids(box, klass, score, (frame.width, frame.height), frame.time)
        nodes = list(frame.nodes)
        for i, number in zip(things, ident, strict=True):
            nodes[i] = replace(nodes[i], track=int(number))
        yield replace(frame, nodes=tuple(nodes))


def over_time(graph: VideoGraph, rules: IntervalRules = INTERVALS) -> VideoGraph:
    """A graph with ids of its things, found where some have none, and with its relations as
    intervals."""
    frames = tuple(with_tracks(graph.frames)) if lacks_ids(graph) else graph.frames
    return replace(graph, frames=frames, relations=relation_intervals(frames, rules))


def tracked(graph: VideoGraph, rules: IntervalRules = INTERVALS) -> VideoGraph:
    """A graph in which everything has an id, found where it has none, and with its relations as
    intervals. An action has one per class."""
    if lacks_ids(graph):
        graph = replace(graph, frames=tuple(with_tracks(graph.frames)), relations=())
    first = 1 + max((node.track for frame in graph.frames for node in frame.nodes if node.track is not None), default=0)
    actions: dict[str, int] = {}
    if graph.relations and all(node.track is not None for frame in graph.frames for node in frame.nodes):
        return graph
    frames = tuple(
        replace(
            frame, nodes=tuple(_numbered(node, actions, first) if node.track is None else node for node in frame.nodes)
        )
        for frame in graph.frames
    )
    relations = graph.relations if graph.relations and not actions else relation_intervals(frames, rules)
    return replace(graph, frames=frames, relations=relations)


def lacks_ids(graph: VideoGraph) -> bool:
    """Whether some thing has no id, as in graphs of earlier versions and in annotations."""
    return any(node.track is None and node.box is not None for frame in graph.frames for node in frame.nodes)


def _numbered(node: GraphNode, actions: dict[str, int], first: int) -> GraphNode:
    return replace(node, track=first + actions.setdefault(node.label, len(actions)))


def moments_of(annotation: VideoAnnotation) -> list[Moment]:
    """The frames of an annotated video; their times by its rate, where that is known."""
    return [
        Moment(
            key,
            int(number),
            None if annotation.fps is None else round((int(number) - 1) / annotation.fps, 6),
            float(width),
            float(height),
        )
        for key, number, (width, height) in zip(
            annotation.frame_key, annotation.frame_number, annotation.frame_size, strict=True
        )
    ]


def annotated_graph(annotation: VideoAnnotation) -> VideoGraph:
    """The ground truth as graphs: every annotated predicate is an edge of score 1."""
    names = (
        "schema",
        "video_id",
        "frame_unit",
        "node_box",
        "node_class",
        "node_frame",
        "node_identity",
        "action_class",
    )
    pairs = ("pair_subject", "pair_object", "pair_frame")
    certain = VideoPrediction(
        **{name: getattr(annotation, name) for name in names + pairs},
        node_score=np.ones(annotation.nodes),
        scores={name: hot.astype(np.float32) for name, hot in annotation.labels.items()},
    )
    return to_graph(annotation, certain)
