"""What a detector is to describe for data sets whose features lie in files of their own, and who
writes these files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vidsgg.structures.checks import Array


@dataclass(frozen=True, eq=False)
class DescribedVideo:
    """What is wanted of one video: R boxes in its pictures, E events. Pictures count from 1."""

    name: str  # of the video, and of the file that keeps its features until all are there
    file: Path
    box: Array  # (R, 4) float32 xyxy, relative to the picture
    box_picture: Array  # (R,) int64, the picture of every box
    event_pictures: Array  # (E, 2) int64, the first and the last picture of every event


class FeatureWriter(ABC):
    """Writes the files of features of a data set. folder: where they go."""

    folder: Path
    videos: Sequence[DescribedVideo]

    @abstractmethod
    def check(self, made_by: Mapping[str, Any]) -> None:
        """Raises ConfigError if files lie there that others made."""

    @abstractmethod
    def finish(self, features: Mapping[str, tuple[Array, Array]], made_by: Mapping[str, Any]) -> list[Path]:
        """Write the files; returns them.

        features: by name of a video, those of its boxes (R, D) and of its events (E, W), float32; a
        video that is missing was left out. made_by: plain values that say what they are.
        """
