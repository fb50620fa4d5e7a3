"""Which boxes of successive frames are the same thing: by class and overlap, each frame solved as
an assignment problem.

Letters: N boxes of a frame, T things that are followed. Boxes are xyxy in pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vidsgg.ops.boxes import pairwise_iou
from vidsgg.structures.checks import Array


@dataclass(frozen=True)
class TrackingRules:
    """overlap: the least IoU at which a box goes on from another of its class at first sight.
    reach: how far, as a part of the picture's diagonal, what is left over then may have moved: at
    two frames a second a hand carries a cup by more than its size. missed: frames in a row in which
    a thing may be overlooked and keeps its id.
    """

    overlap: float = 0.2
    reach: float = 0.3
    missed: int = 4


@dataclass(frozen=True, eq=False)
class Tracks:
    """Things that are followed: ident (T,), klass (T,), box (T, 4) where each was last seen, unseen
    (T,): frames since then.

    given: ids given so far; the next one is given + 1.
    """

    ident: Array
    klass: Array
    box: Array
    unseen: Array
    given: int

    @staticmethod
    def none() -> Tracks:
        """Before the first frame."""
        empty = np.zeros(0, np.int64)
        return Tracks(empty, empty, np.zeros((0, 4)), empty, 0)


def follow(
    tracks: Tracks, box: Array, klass: Array, size: tuple[float, float], rules: TrackingRules = TrackingRules()
) -> tuple[Array, Tracks]:
    """Ids (N,) of the boxes (N, 4), with classes (N,), of the next frame, and what is followed from
    there on.

    size: width and height of the picture. Things and boxes of one class are paired so that the sum
    of their overlaps is greatest, then those that are left so that the sum of their distances is
    smallest, within the bounds of the rules (Kuhn-Munkres, as Bewley et al., "Simple online and
    realtime tracking", ICIP 2016). Every other box is a new thing.
    """
    box = np.asarray(box, np.float64).reshape(-1, 4)
    alike = tracks.klass[:, None] == klass
    overlap = pairwise_iou(tracks.box, box, inclusive=False)
    old, seen = _pair(np.where(alike & (overlap >= rules.overlap), overlap, 0))
    alike[old], alike[:, seen] = False, False
    nearness = 1 - _distance(tracks.box, box) / (rules.reach * math.hypot(*size))
    moved, there = _pair(np.where(alike & (nearness > 0), nearness, 0))
    old, seen = np.append(old, moved), np.append(seen, there)

    ident = np.zeros(len(box), np.int64)
    ident[seen] = tracks.ident[old]
    new = np.flatnonzero(ident == 0)
    ident[new] = tracks.given + 1 + np.arange(len(new))
    lost = np.setdiff1d(np.flatnonzero(tracks.unseen < rules.missed), old)
    return ident, Tracks(
        np.concatenate([ident, tracks.ident[lost]]),
        np.concatenate([klass, tracks.klass[lost]]),
        np.concatenate([box, tracks.box[lost]]),
        np.concatenate([np.zeros(len(box), np.int64), tracks.unseen[lost] + 1]),
        tracks.given + len(new),
    )


def track_video(
    node_frame: Array, node_box: Array, node_class: Array, frame_size: Array, rules: TrackingRules = TrackingRules()
) -> Array:
    """Ids (N,) of all nodes of a video, from 1. node_frame (N,) never decreases. frame_size (F, 2):
    width and height of every frame."""
    tracks, found = Tracks.none(), [np.zeros(0, np.int64)]
    start = np.searchsorted(node_frame, np.arange(len(frame_size) + 1))
    for f, (width, height) in enumerate(frame_size):
        rows = slice(start[f], start[f + 1])
        ident, tracks = follow(tracks, node_box[rows], node_class[rows], (width, height), rules)
        found.append(ident)
    return np.concatenate(found)


def _pair(gain: Array) -> tuple[Array, Array]:
    """Rows and columns of (T, N) that are paired for the greatest sum; what gains nothing is not
    paired."""
    possible = gain > 0
    if (possible.sum(0) <= 1).all() and (possible.sum(1) <= 1).all():  # most frames leave no choice
        old, seen = np.nonzero(possible)
        return old, seen
    from scipy.optimize import linear_sum_assignment  # takes a quarter of the time that torch takes

    rows, columns = linear_sum_assignment(gain, maximize=True)
    gains = gain[rows, columns] > 0
    return rows[gains], columns[gains]


def _distance(a: Array, b: Array) -> Array:
    """(T, 4), (N, 4) -> (T, N): between the centres, in pixels."""
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (a, b)]
    distance: Array = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1)
    return distance
