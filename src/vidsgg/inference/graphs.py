"""From scored relations to the graph that people read."""

from __future__ import annotations

import numpy as np

from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.prediction import VideoPrediction


def to_graph(annotation: VideoAnnotation, prediction: VideoPrediction, threshold: float = 0.5) -> VideoGraph:
    """One graph per frame of ``annotation`` with the nodes and the likely relations of ``prediction``.

    Of a "single" group a pair gets its best predicate; of a "multi" group its best one and every other above ``threshold``. An edge's
    score is the predicate's probability.
    """
    vocabulary, schema = prediction.schema.vocabulary, prediction.schema
    frames = []
    for f in range(annotation.frames):
        rows = np.flatnonzero(prediction.node_frame == f)
        position = {int(row): i for i, row in enumerate(rows)}
        nodes = [
            GraphNode(
                vocabulary.objects[prediction.node_class[row]],
                round(float(prediction.node_score[row]), 6),
                tuple(round(float(v), 3) for v in prediction.node_box[row]),  # type: ignore[arg-type]
            )
            for row in rows
        ]
        action_at = len(nodes)
        if not schema.subject_has_box:
            action = int(prediction.action_class[prediction.frame_unit[f]])
            nodes.append(GraphNode(vocabulary.subjects[action], 1.0))
        edges = []
        for p in np.flatnonzero(prediction.pair_frame == f):
            subject = position[int(prediction.pair_subject[p])] if schema.subject_has_box else action_at
            obj = position[int(prediction.pair_object[p])]
            for group in vocabulary.groups:
                scores = prediction.scores[group.name][p]
                best = int(scores.argmax())
                likely = {best} if group.kind == "single" else {best, *np.flatnonzero(scores > threshold).tolist()}
                chosen = sorted((c for c in likely if scores[c] > 0), key=lambda c: (-scores[c], c))
                ends = (subject, obj) if group.direction == "subject->object" else (obj, subject)
                edges += [GraphEdge(*ends, group.predicates[c], group.name, round(float(scores[c]), 6)) for c in chosen]
        number = int(annotation.frame_number[f])
        frames.append(
            GraphFrame(
                key=annotation.frame_key[f],
                number=number,
                time=None if annotation.fps is None else round((number - 1) / annotation.fps, 6),
                width=float(annotation.frame_size[f, 0]),
                height=float(annotation.frame_size[f, 1]),
                nodes=tuple(nodes),
                edges=tuple(edges),
            )
        )
    return VideoGraph(annotation.video_id, schema.name, tuple(frames))


def annotated_graph(annotation: VideoAnnotation) -> VideoGraph:
    """The ground truth as graphs: every annotated predicate is an edge of score 1."""
    names = ("schema", "video_id", "frame_unit", "node_box", "node_class", "node_frame", "node_identity", "action_class")
    pairs = ("pair_subject", "pair_object", "pair_frame")
    certain = VideoPrediction(
        **{name: getattr(annotation, name) for name in names + pairs},
        node_score=np.ones(annotation.nodes),
        scores={name: hot.astype(np.float32) for name, hot in annotation.labels.items()},
    )
    return to_graph(annotation, certain)
