"""Box geometry on numpy arrays. Boxes are rows (x1, y1, x2, y2) in pixels.

``inclusive`` chooses what a pixel coordinate means. False: a point on a continuous axis, so a side
is x2 - x1. True: the index of a pixel that belongs to the box, so a side is x2 - x1 + 1, as the
evaluators and detectors of Action Genome count. Overlaps are computed in float64 whatever the
boxes' type.
"""

from __future__ import annotations

import numpy as np

from vidsgg.structures.checks import Array


def xywh_to_xyxy(boxes: Array) -> Array:
    """(..., 4) boxes given as left, top, width, height -> (..., 4) corners, in the same type: x2 =
    x + width, y2 = y + height."""
    return np.concatenate([boxes[..., :2], boxes[..., :2] + boxes[..., 2:]], axis=-1)


def aligned_iou(a: Array, b: Array, *, inclusive: bool) -> Array:
    """Intersection over union of (..., 4) with (..., 4), row by row (shapes may broadcast) -> (...)
    float64 in [0, 1].

    Two boxes without any area overlap by 0.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    pixel = 1.0 if inclusive else 0.0
    width = np.minimum(a[..., 2], b[..., 2]) - np.maximum(a[..., 0], b[..., 0]) + pixel
    height = np.minimum(a[..., 3], b[..., 3]) - np.maximum(a[..., 1], b[..., 1]) + pixel
    shared = np.maximum(width, 0) * np.maximum(height, 0)
    total = _area(a, pixel) + _area(b, pixel) - shared
    overlap: Array = np.divide(shared, total, out=np.zeros_like(shared), where=total > 0)
    return overlap


def pairwise_iou(a: Array, b: Array, *, inclusive: bool) -> Array:
    """Intersection over union of every box of (N, 4) with every box of (M, 4) -> (N, M) float64."""
    return aligned_iou(a[:, None], b[None, :], inclusive=inclusive)


def _area(boxes: Array, pixel: float) -> Array:
    area: Array = (boxes[..., 2] - boxes[..., 0] + pixel) * (boxes[..., 3] - boxes[..., 1] + pixel)
    return area
