"""Which boxes of a video are the same thing, decided frame by frame as an assignment of boxes to
tracklets (DSG-DETR, section 3.2).

Letters: N boxes, T live tracklets, D width of a feature, C classes without the background.
Source: Shengyu-Feng/DSG-DETR ``lib/track.py`` and ``lib/matcher.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from vidsgg.structures.checks import Array

CLASS_WEIGHT, FEATURE_WEIGHT, BOX_WEIGHT, OVERLAP_WEIGHT = 0.5, 1.0, 1.0, 0.5  # of the parts of the cost
NEAR = 0.5  # cosine distance of classes or of features below which a match is accepted
EXPIRES = 50  # frame numbers after its last update at which a tracklet ends


@dataclass(frozen=True, eq=False)
class MatchCost:
    """The cost of every match (N, T), and its parts by which a match is accepted. Cosine distances
    lie in [0, 2]."""

    total: Array
    of_class: Array
    of_feature: Array


@dataclass(frozen=True, eq=False)
class _Seen:
    """A box of the frame."""

    node: int
    box: Array  # (4,) centre and sides, normalised
    feature: Array  # (D,)
    distribution: Array  # (C,)
    inside: bool  # of the picture, whole
    number: int  # of the frame


@dataclass(eq=False)
class _Tracklet:
    """Sums over its updates stand for the means: the cosine does not see the difference."""

    name: int
    box: Array  # (4,) of its last update
    feature: Array  # (D,) sum
    distribution: Array  # (C,) sum
    updated: int  # frame number


@dataclass(eq=False)
class _Tracks:
    of_node: Array  # (N,) the tracklet of every box, -1 before it is seen
    live: list[_Tracklet] = field(default_factory=list)
    opened: list[_Tracklet] = field(default_factory=list)  # in this frame: live from the next one on
    count: int = 0  # tracklets that were ever opened

    def see(self, boxes: Sequence[_Seen]) -> None:
        """Assign the boxes of a frame."""
        unmatched = dict(enumerate(boxes))
        if self.live and boxes:
            cost = match_cost(*_columns(boxes), *_columns(self.live))
            for i, j in zip(*linear_sum_assignment(cost.total), strict=True):
                seen, tracklet = unmatched.pop(int(i)), self.live[j]
                if cost.of_class[i, j] < NEAR or cost.of_feature[i, j] < NEAR:
                    self._join(seen, tracklet)
                else:
                    self._open(seen, live=True)
        for seen in unmatched.values():
            self._open(seen, live=seen.inside)

    def _join(self, seen: _Seen, tracklet: _Tracklet) -> None:
        self.of_node[seen.node] = tracklet.name
        if seen.inside:
            tracklet.box, tracklet.updated = seen.box, seen.number
            tracklet.feature, tracklet.distribution = (
                tracklet.feature + seen.feature,
                tracklet.distribution + seen.distribution,
            )

    def _open(self, seen: _Seen, *, live: bool) -> None:
        self.of_node[seen.node] = self.count
        if live:
            self.opened.append(_Tracklet(self.count, seen.box, seen.feature, seen.distribution, seen.number))
        self.count += 1


def _columns(boxes: Sequence[_Seen | _Tracklet]) -> tuple[Array, Array, Array]:
    return (
        np.stack([b.box for b in boxes]),
        np.stack([b.feature for b in boxes]),
        np.stack([b.distribution for b in boxes]),
    )


def match_cost(
    box: Array, feature: Array, distribution: Array, other_box: Array, other_feature: Array, other_distribution: Array
) -> MatchCost:
    """What it costs to take N boxes for T others.

    box (N, 4), other_box (T, 4): centre x, centre y, width, height in one unit. feature (N, D) and
    (T, D). distribution (N, C) and (T, C). 0.5 times the cosine distance of the class
    distributions, plus that of the features, plus the sum of absolute differences of the boxes,
    minus 0.5 times their generalised IoU.
    """
    of_class = _cosine_distance(distribution, other_distribution)
    of_feature = _cosine_distance(feature, other_feature)
    distance = np.abs(np.asarray(box, np.float64)[:, None] - np.asarray(other_box, np.float64)[None]).sum(-1)
    overlap = _generalised_iou(_corners(box)[:, None], _corners(other_box)[None])
    total = CLASS_WEIGHT * of_class + FEATURE_WEIGHT * of_feature + BOX_WEIGHT * distance - OVERLAP_WEIGHT * overlap
    return MatchCost(total, of_class, of_feature)


def tracklets(
    node_frame: Array,
    node_box: Array,
    node_class: Array,
    node_feature: Array,
    frame_number: Array,
    frame_size: Array,
    *,
    classes: int,
    swapped: bool,
) -> Array:
    """(N,) the tracklet of every box of one video; tracklets are numbered from 0 in the order in
    which they are opened.

    node_frame (N,), never decreasing: row of frame_number (F,), the frame's number in the video
    file, and of frame_size (F, 2), width and height in pixels. node_box (N, 4) xyxy in pixels.
    node_class (N,) in 0..classes-1: the detector's most likely class. node_feature (N, D). swapped:
    divide x by the height and y by the width before boxes are compared, as the authors' training
    does.

    In every frame its boxes are assigned to the live tracklets at the least total cost. A match is
    accepted if the classes or the features are nearer than 0.5; otherwise, and where there is none,
    the box opens a tracklet, which is live from the next frame on. A box that reaches out of the
    picture joins the tracklet that it is matched with but does not update it. Without a match it
    stays alone; if its match was rejected it opens a tracklet like any other, as in the reference.
    A tracklet ends 50 frame numbers after its last update.
    """
    state = _Tracks(np.full(len(node_frame), -1, np.int64))
    hot = np.eye(classes)[node_class]
    feature = np.asarray(node_feature, np.float64)
    for frame, number in enumerate(frame_number.tolist()):
        rows = np.flatnonzero(node_frame == frame)
        width, height = frame_size[frame].tolist()
        corners = np.asarray(node_box[rows], np.float64)
        inside = (corners[:, 0] >= 0) & (corners[:, 1] >= 0) & (corners[:, 2] <= width) & (corners[:, 3] <= height)
        unit = np.array([height, width] * 2 if swapped else [width, height] * 2)
        box = _centre_and_sides(corners) / unit
        state.see(
            [
                _Seen(*seen, number)
                for seen in zip(rows.tolist(), box, feature[rows], hot[rows], inside.tolist(), strict=True)
            ]
        )
        state.live = [one for one in state.live if number - one.updated < EXPIRES] + state.opened
        state.opened = []
    return state.of_node


def _cosine_distance(a: Array, b: Array) -> Array:
    """(N, T) of (N, D) and (T, D); a vector of zeros is at distance 1 from every other."""
    a, b = (
        v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-12)
        for v in (np.asarray(a, np.float64), np.asarray(b, np.float64))
    )
    distance: Array = 1 - a @ b.T
    return distance


def _centre_and_sides(xyxy: Array) -> Array:
    low, high = xyxy[..., :2], xyxy[..., 2:]
    return np.concatenate([(low + high) / 2, high - low], -1)


def _corners(box: Array) -> Array:
    box = np.asarray(box, np.float64)
    return np.concatenate([box[..., :2] - box[..., 2:] / 2, box[..., :2] + box[..., 2:] / 2], -1)


def _generalised_iou(a: Array, b: Array) -> Array:
    """Rezatofighi et al., CVPR 2019; of xyxy boxes whose shapes broadcast."""
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    shared = np.maximum(high - low, 0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    hull = (np.maximum(a[..., 2:], b[..., 2:]) - np.minimum(a[..., :2], b[..., :2])).prod(-1)
    value: Array = shared / np.maximum(union, 1e-12) - (hull - union) / np.maximum(hull, 1e-12)
    return value
