"""What a detector is to describe for data sets whose features lie in files of their own, and who
writes these files."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsgg.io.locations import Location
from vidsgg.structures.checks import Array


@dataclass(frozen=True, eq=False)
class DescribedVideo:
    """What is wanted of one video: R boxes in its pictures, E events. Pictures count from 1."""

    name: str  # of the video, and of the file that keeps its features until all are there
    file: Location
    box: Array  # (R, 4) float32 xyxy, relative to the picture
    box_picture: Array  # (R,) int64, the picture of every box
    event_pictures: Array  # (E, 2) int64, the first and the last picture of every event

    def digest(self) -> str:
        """SHA-256 of what is wanted, and of the file's size."""
        digest = hashlib.sha256(str(self.file.stat().st_size).encode())
        for array in (self.box, self.box_picture, self.event_pictures):
            digest.update(f"{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


class FeatureWriter(ABC):
    """Writes the files of features of a data set. folder: where they go."""

    folder: Path
    videos: Sequence[DescribedVideo]

    @abstractmethod
    def check(self, made_by: Mapping[str, Any]) -> None:
        """Raises ConfigError if files lie there that others made."""

    @abstractmethod
    def complete(self, made_by: Mapping[str, Any], sources: Mapping[str, str]) -> bool:
        """Whether the files are there, so made and of all of these videos. sources: their digests,
        by name."""

    @abstractmethod
    def finish(
        self,
        features: Mapping[str, tuple[Array, Array]],
        made_by: Mapping[str, Any],
        sources: Mapping[str, str],
    ) -> list[Path]:
        """Write the files; returns them.

        features: by name of a video, those of its boxes (R, D) and of its events (E, W), float32; a
        video that is missing was left out. made_by: plain values that say what they are. sources:
        the digests of the videos, by name.
        """
