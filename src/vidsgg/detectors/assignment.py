"""Which detections stand for the annotated boxes while SGDET is learnt. Letters: R detections, N
annotated nodes, F frames.

Source: yrcong/STTran ``lib/funcs.py`` ``assign_relations``, ``lib/object_detector.py`` lines
121-233.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.ops.boxes import pairwise_iou
from vidsgg.ops.pairing import SubjectRule
from vidsgg.structures.checks import Array

LEAST_OVERLAP = 0.5  # that counts as found; exactly 0.5 does not


@dataclass(frozen=True, eq=False)
class Assignment:
    """What became of some annotated nodes.

    target (R,) int64: the class that each detection should be recognised as, 0 for nothing.
    detection (N,) int64: the detection that stands for each node, -1 if it is missing; rarely one
    stands for two. position (N,) int64: place of each node in the list of its frame, in which found
    nodes come before missing ones, and subjects before others.
    """

    target: Array
    detection: Array
    position: Array

    @property
    def missing(self) -> Array:
        """The nodes (S,) that no detection stands for; their own boxes are to be supplied."""
        return np.flatnonzero(self.detection < 0)


def assign(
    frame: Array, box: Array, node_frame: Array, node_box: Array, node_class: Array, rule: SubjectRule
) -> Assignment:
    """Detections of some frames, held against the annotated nodes of the same frames.

    frame (R,), node_frame (N,): never decreasing. box (R, 4), node_box (N, 4): xyxy in pixels;
    sides count inclusively, overlaps are computed in double precision. A detection whose best
    overlap exceeds 0.5 is to be recognised as the node that it overlaps best, all others as
    nothing. A node that any detection overlaps by more than 0.5 is found: the one subject of a
    frame in the detection that overlaps it best; then each other node, subjects before others, in
    order, in the best one that is not taken yet, however little that one overlaps (if all are
    taken, in the best one), and that detection is to be recognised as the node's class. Of equal
    overlaps the first counts.
    """
    target, detection = np.zeros(len(frame), np.int64), np.full(len(node_frame), -1)
    other = ~np.isin(node_class, rule.classes)
    subjects_first = np.lexsort((other, node_frame))
    for t in np.unique(node_frame):
        rows = slice(*np.searchsorted(frame, [t, t + 1]))
        nodes = subjects_first[slice(*np.searchsorted(node_frame, [t, t + 1]))]
        if rows.start < rows.stop:
            target[rows], found = _assign_frame(
                box[rows], node_box[nodes], node_class[nodes], other[nodes] | (not rule.one)
            )
            detection[nodes] = np.where(found < 0, -1, rows.start + found)

    position = np.empty_like(detection)
    listed = np.lexsort((other, detection < 0, node_frame))
    position[listed] = np.arange(len(listed)) - np.searchsorted(node_frame, node_frame[listed])
    return Assignment(target, detection, position)


def _assign_frame(box: Array, node_box: Array, node_class: Array, yields: Array) -> tuple[Array, Array]:
    """Targets of a frame's detections, at least one, and for each of its nodes, subjects first, its
    detection or -1.

    yields: nodes (N,) bool that take only what no earlier node has taken, while there is any.
    """
    overlap = pairwise_iou(box, node_box, inclusive=True)
    target = np.where(overlap.max(1) > LEAST_OVERLAP, node_class[overlap.argmax(1)], 0)
    detection = np.full(len(node_box), -1)
    taken: set[int] = set()
    for node in np.flatnonzero(overlap.max(0) > LEAST_OVERLAP):
        best = np.argsort(-overlap[:, node], kind="stable")
        chosen = best[0]
        if yields[node]:
            chosen = next((row for row in best if row not in taken), chosen)
            target[chosen] = node_class[node]
        taken.add(chosen)
        detection[node] = chosen
    return target, detection
