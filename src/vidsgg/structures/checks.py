"""The checks that the nouns have in common, written once for numpy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from vidsgg.errors import DataError

Array = npt.NDArray[Any]


def freeze(where: str, name: str, value: Any, dtype: Any, shape: tuple[int | None, ...]) -> Array:
    """``value`` as a read-only contiguous array of ``dtype``; None in ``shape`` stands for any
    size."""
    array = np.array(value, dtype=dtype)
    if array.ndim != len(shape) or any(
        want is not None and want != have for want, have in zip(shape, array.shape, strict=True)
    ):
        wanted = tuple("any" if size is None else size for size in shape)
        raise DataError(f"{where}: {name} has shape {array.shape}, expected {wanted}.")
    array.setflags(write=False)
    return array


def check_index(where: str, name: str, array: Array, size: int, *, low: int = 0, into: str) -> None:
    """Every entry of ``array`` lies in [low, size)."""
    bad = np.flatnonzero((array < low) | (array >= size))
    if len(bad):
        i = int(bad[0])
        raise DataError(f"{where}: {name}[{i}] is {int(array[i])}, outside {low}..{size - 1} ({into}).")


def check_ordered(where: str, name: str, array: Array) -> None:
    """``array`` never decreases."""
    bad = np.flatnonzero(np.diff(array) < 0)
    if len(bad):
        i = int(bad[0]) + 1
        raise DataError(
            f"{where}: {name}[{i}] is {int(array[i])} after {int(array[i - 1])}; rows must be sorted by {name}."
        )


def check_boxes(where: str, name: str, boxes: Array) -> None:
    """Boxes are finite xyxy with x1 < x2 and y1 < y2."""
    good = np.isfinite(boxes).all(1) & (boxes[:, 0] < boxes[:, 2]) & (boxes[:, 1] < boxes[:, 3])
    if not good.all():
        i = int(np.flatnonzero(~good)[0])
        raise DataError(
            f"{where}: {name}[{i}] of {len(boxes)} is {[round(float(v), 4) for v in boxes[i]]}, not x1 < x2 and y1 <"
            " y2. If these are (x, y, width, height), convert them with vidsgg.ops.boxes.xywh_to_xyxy."
        )
