"""Predictions in the official form of VidVRD and VidOR, read as relation instances."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.untrusted import read_json
from vidsgg.structures.instances import RelationInstance

LARGEST = 1 << 34  # bytes of a file
_Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Prediction:
    triplet: tuple[str, str, str]
    score: float
    duration: tuple[int, int]
    sub_traj: tuple[_Box, ...]
    obj_traj: tuple[_Box, ...]


@dataclass(frozen=True)
class _Results:
    results: dict[str, tuple[_Prediction, ...]]


def read_vidvrd_results(path: Path) -> dict[str, list[RelationInstance]]:
    """The predictions of each video, in the order of the file, for ``vidsgg.metrics.tracks``.

    Raises DataError naming the file, the video and the entry whose score is no number, whose
    triplet has other than three names, or that lacks a box for a frame of its duration.
    """
    found: dict[str, list[RelationInstance]] = {}
    for video, listed in read_json(path, _Results, LARGEST).results.items():
        found[video] = []
        for i, p in enumerate(listed):
            try:
                found[video].append(
                    RelationInstance(p.triplet, *p.duration, np.array(p.sub_traj), np.array(p.obj_traj), p.score)
                )
            except DataError as error:
                raise DataError(f"{path}: results[{short(video)}][{i}]: {error}") from error
    return found
