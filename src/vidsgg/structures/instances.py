"""Relations over time, with the boxes of both things in every frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.structures.checks import Array

Triplet = tuple[str, str, str]  # class of the subject, predicate, class of the object


@dataclass(frozen=True, eq=False)
class RelationInstance:
    """A relation that holds in the frames ``begin`` to ``end`` - 1, counted from 0. T = end -
    begin.

    subject_box, object_box (T, 4): xyxy, float64, inclusive pixels: a box of one pixel has x1 = x2.
    score: any finite number; the larger, the earlier a prediction is looked at. Raises DataError
    naming the relation and what is wrong.
    """

    triplet: Triplet
    begin: int
    end: int
    subject_box: Array
    object_box: Array
    score: float = 1.0

    def __post_init__(self) -> None:
        where = f"relation {short(self.triplet)} of frames [{self.begin}, {self.end})"
        if len(self.triplet) != 3 or not all(isinstance(name, str) for name in self.triplet):
            raise DataError(f"{where}: a triplet is the names of subject, predicate and object.")
        if not 0 <= self.begin < self.end:
            raise DataError(f"{where}: the first frame must be 0 or later, and the end after it.")
        if not np.isfinite(self.score):
            raise DataError(f"{where}: the score is {self.score}; scores are finite numbers.")
        for name in ("subject_box", "object_box"):
            box = np.array(getattr(self, name), dtype=np.float64)
            if box.shape != (self.end - self.begin, 4):
                raise DataError(
                    f"{where}: {name} has the shape {box.shape}; it takes a box for each of {self.end - self.begin} frames."
                )
            if not np.isfinite(box).all() or (box[:, 2:] < box[:, :2]).any():
                row = int(np.flatnonzero(~(np.isfinite(box).all(1) & (box[:, 2:] >= box[:, :2]).all(1)))[0])
                raise DataError(
                    f"{where}: {name} of frame {self.begin + row} is {box[row].tolist()}, not x1 <= x2 and y1 <= y2."
                )
            box.setflags(write=False)
            object.__setattr__(self, name, box)

    @cached_property
    def volumes(self) -> tuple[float, float]:
        """Pixels of the subject's boxes and of the object's, over all frames."""
        return volume(self.subject_box), volume(self.object_box)


@dataclass(frozen=True)
class TrackRelation:
    """A relation over time of one video. subject, object: ``node_identity``. predicate: global id.
    begin, end: frame numbers, the end exclusive."""

    subject: int
    object: int
    predicate: int
    begin: int
    end: int


def volume(boxes: Array) -> float:
    """Pixels of inclusive boxes (T, 4), over all frames."""
    return float((boxes[:, 2:] - boxes[:, :2] + 1).prod(1).sum())
