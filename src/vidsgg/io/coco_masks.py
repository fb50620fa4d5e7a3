"""Masks in COCO's forms: boxes of run lengths and polygons, and masks as run lengths."""

from __future__ import annotations

from typing import Any

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.untrusted import MISFITS
from vidsgg.structures.checks import Array

_MOST_RUNS = 1 << 24


def mask_box(segmentation: Any, width: int, height: int) -> tuple[float, float, float, float]:
    """The box x, y, width, height of a mask: of run lengths from the first to the last column and
    row, both inclusive, so that a mask of one pixel has sides of 1; of polygons the span of their
    points.

    Raises DataError if there is no mask, if it is empty, or if it does not fit the picture.
    """
    if segmentation is None:
        raise DataError("lacks 'bbox', and has no 'segmentation' to take it from.")
    try:
        if isinstance(segmentation, list):
            points = np.concatenate([np.asarray(part, np.float64).reshape(-1, 2) for part in segmentation])
            low, high = points.min(0), points.max(0)
            if not np.isfinite(points).all():
                raise ValueError("a point that is no number")
            return float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])
        size = [int(side) for side in segmentation["size"]]
        counts = segmentation["counts"]
        runs = _unpacked(counts) if isinstance(counts, str) else [int(run) for run in counts]
    except MISFITS as error:
        raise DataError(f"segmentation is {short(segmentation)}, neither run lengths nor polygons ({error}).") from None
    if size != [height, width] or sum(runs) != width * height or min(runs, default=-1) < 0:
        raise DataError(f"segmentation has the size {short(size)}; expected runs that fill [{height}, {width}].")
    # Runs of 0 and 1 in turns, down the columns.
    ends = np.cumsum(runs)
    starts, stops = (ends - runs)[1::2], ends[1::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled] - 1
    if not len(starts):
        raise DataError("segmentation is empty.")
    first, last = starts // height, stops // height  # columns
    within = first == last  # a run that goes on in the next column touches its top, and this one's bottom
    top = int(np.where(within, starts % height, 0).min())
    bottom = int(np.where(within, stops % height, height - 1).max())
    left, right = int(first.min()), int(last.max())
    return float(left), float(top), float(right - left + 1), float(bottom - top + 1)


def _unpacked(text: str) -> list[int]:
    """COCO's compressed run lengths: six bits a letter, five of the number and one that goes on;
    from the fourth run on what is stored is the difference to the run two before (cocoapi
    ``maskApi.c``, rleFrString)."""
    runs: list[int] = []
    value = shift = 0
    for letter in text.encode("ascii"):
        bits = letter - 48
        if not 0 <= bits < 64 or shift > 50 or len(runs) > _MOST_RUNS:
            raise ValueError("counts that are no packed run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            if bits & 16:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("counts that end within a number")
    return runs


def packed_mask(mask: Array) -> dict[str, Any]:
    """A mask (H, W) bool as COCO's compressed run lengths, with its size."""
    height, width = mask.shape
    column = np.concatenate([[False], np.asarray(mask, np.bool_).ravel(order="F")])  # runs begin with one of 0
    ends = np.append(np.flatnonzero(np.diff(column)), height * width)
    return {"size": [height, width], "counts": _packed(np.diff(ends, prepend=0).tolist())}


def _packed(runs: list[int]) -> str:
    """See ``_unpacked``."""
    letters = bytearray()
    for i, run in enumerate(runs):
        value = run - runs[i - 2] if i > 2 else run
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            letters.append(48 + bits + 32 * more)
    return letters.decode("ascii")
