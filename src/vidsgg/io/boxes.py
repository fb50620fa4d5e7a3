"""Boxes that the user's own detector has found in a video, frame by frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.structures.checks import Array

_LAST_FRAME = 10**9


@dataclass(frozen=True)
class BoxRow:
    """One box as a file gives it. Raises DataError for numbers that can be no box, with the
    remedy."""

    where: str  # file and line, for messages
    video: str | None  # name of the video, or of the picture
    frame: int  # number in the video, from 1
    label: str
    box: tuple[float, float, float, float]  # x1, y1, x2, y2 in pixels; may leave the picture
    score: float = 1.0
    track: int | None = None

    def __post_init__(self) -> None:
        x1, y1, x2, y2 = self.box
        if not all(map(math.isfinite, self.box)) or max(map(abs, self.box)) > 1e9:
            raise DataError(f"{self.where}: the box is {list(self.box)}; its sides must be numbers of pixels.")
        if x2 < x1 or y2 < y1:
            raise DataError(
                f"{self.where}: the box is {list(self.box)}, not x1, y1, x2, y2 with x1 <= x2 and y1 <= y2."
                " Are these x, y, width, height? Then call the columns x, y, w, h."
            )
        if self.frame < 1:
            raise DataError(
                f"{self.where}: frame is {short(self.frame)}; frames count from 1. If yours count from 0, add 1 to all"
                " of them."
            )
        if self.frame > _LAST_FRAME:
            raise DataError(f"{self.where}: frame is {short(self.frame)}; no video has so many.")
        if not 0 <= self.score <= 1:
            raise DataError(f"{self.where}: score is {self.score}, not a number from 0 to 1.")
        if self.track is not None and not 0 <= self.track < 2**62:
            raise DataError(f"{self.where}: track is {short(self.track)}; ids are whole numbers from 0.")


@dataclass(frozen=True, eq=False)
class FrameBoxes:
    """Boxes of one frame."""

    where: str  # what to call them in messages
    box: Array  # (N, 4) float32: xyxy in pixels, x1 <= x2 and y1 <= y2; may leave the picture
    klass: Array  # (N,) int64: index into the vocabulary's objects, or 0
    score: Array  # (N,) float32
    track: Array  # (N,) int64: ids over frames, -1 where they are not given


class GivenBoxes:
    """The boxes of one video by the numbers of its frames; counts those that leave the picture."""

    def __init__(self, frames: Mapping[int, FrameBoxes]) -> None:
        self.frames = frames
        self.count = self.cut = self.outside = 0  # boxes that were asked for; cut at the edges; without any area inside

    def within(self, number: int, width: int, height: int) -> FrameBoxes:
        """The boxes of a frame, cut at the edges of the picture; those without any area inside are
        left out."""
        found = self.frames[number]
        box = np.clip(found.box, 0, np.array([width, height, width, height], np.float32))
        kept = (box[:, 0] < box[:, 2]) & (box[:, 1] < box[:, 3])
        self.count += len(box)
        self.outside += int((~kept).sum())
        self.cut += int((kept & (box != found.box).any(1)).sum())
        return replace(found, box=box[kept], klass=found.klass[kept], score=found.score[kept], track=found.track[kept])

    @property
    def tracked(self) -> bool:
        """Whether the ids of things came with their boxes."""
        return any(len(found.track) and found.track[0] >= 0 for found in self.frames.values())

    def notes(self) -> list[str]:
        """How many boxes left the picture, once all frames have been asked for."""
        said = []
        if self.cut:
            said.append(f"{self.cut} of {self.count} boxes leave the picture and were cut at its edges")
        if self.outside:
            said.append(f"{self.outside} of {self.count} boxes have no area inside the picture and were left out")
        if self.cut + self.outside > self.count / 2:
            said.append(
                "so many boxes leave the picture that they may be of a picture of another size; they must be in pixels"
                " of this video"
            )
        return said
