"""Which boxes of a frame of real footage are used: one of several that lie on the same thing, and
the people that the frame is about.

Letters: N boxes of a frame, S of them subjects. Boxes are xyxy in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.ops.boxes import pairwise_iou
from vidsgg.structures.checks import Array


@dataclass(frozen=True)
class SceneRules:
    """The values were tuned on 44 frames of 12 real videos with a weak detector's boxes."""

    double: float = 0.6  # IoU above which of two boxes of different classes the surer one stays
    inside: float = 0.85  # share of a subject's box inside another's above which it may be a part of that one
    part: float = 0.5  # it is one if its score is less than so much of the other's
    subjects: int = 3  # of a frame, those with the largest score times square root of the area


SCENE = SceneRules()


def without_doubles(box: Array, klass: Array, score: Array, spared: Array, rules: SceneRules = SCENE) -> Array:
    """(N,) bool: the boxes that stay where those of different classes lie on the same thing; of
    equal scores the first. spared (N,) bool: those that neither go nor drive out others."""
    stays = np.ones(len(box), np.bool_)
    rivals = (pairwise_iou(box, box, inclusive=False) > rules.double) & (klass[:, None] != klass)
    rivals &= ~spared[:, None] & ~spared
    for i in np.argsort(-score, kind="stable"):
        if stays[i]:
            stays &= ~rivals[i]
    return stays


def main_subjects(box: Array, score: Array, rules: SceneRules = SCENE) -> Array:
    """(S,) bool: the subjects that a frame is about: no parts of others, and no more than a few."""
    if not len(box):
        return np.zeros(0, np.bool_)
    box, score = np.asarray(box, np.float64), np.asarray(score, np.float64)
    area = np.maximum((box[:, 2:] - box[:, :2]).prod(1), 1e-9)
    low, high = np.maximum(box[:, None, :2], box[None, :, :2]), np.minimum(box[:, None, 2:], box[None, :, 2:])
    within = np.maximum(high - low, 0).prod(2) / area[:, None]
    part = ((within > rules.inside) & (score[:, None] < rules.part * score)).any(1)
    weight = np.where(part, -1.0, score * np.sqrt(area))
    chosen = np.zeros(len(box), np.bool_)
    chosen[np.argsort(-weight, kind="stable")[: rules.subjects]] = True
    main: Array = chosen & ~part
    return main
