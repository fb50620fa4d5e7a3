"""The label units of annotated videos, one by one: for methods whose step learns from one event or frame instead of a video."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError
from vidsgg.io.images import Image
from vidsgg.structures.annotation import VideoAnnotation


class LabelUnits(VideoDataset):
    """Every label unit of a data set's videos as a video of its own, named ``<video>#<number>``, in the order of the videos.

    Annotations and feature columns of whole videos are kept in memory once they were asked for. Building it reads all annotations;
    raises DataError if one contradicts itself.
    """

    def __init__(self, whole: VideoDataset) -> None:
        self.whole = whole
        self.schema, self.root, self.split, self.mode = whole.schema, whole.root, whole.split, whole.mode
        self.features_by, self.videos_path = whole.features_by, whole.videos_path
        self._places = [
            (video, unit) for video, annotation in enumerate(self._annotations) for unit in range(annotation.units)
        ]
        self.video_ids = [f"{whole.video_ids[video]}#{unit}" for video, unit in self._places]
        self._features: dict[int, Mapping[str, npt.NDArray[Any]]] = {}

    @cached_property
    def _annotations(self) -> list[VideoAnnotation]:
        return list(self.whole)

    def annotation(self, index: int) -> VideoAnnotation:
        video, unit = self._places[index]
        whole = self._annotations[video]
        frames, nodes, pairs = _spans(whole, unit)
        rows = {"frame": frames, "node": nodes, "pair": pairs, "action": slice(unit, unit + 1)}
        shift = {
            "frame_unit": unit,
            "node_frame": frames.start,
            "pair_frame": frames.start,
            "pair_object": nodes.start,
            "pair_subject": nodes.start if self.schema.subject_has_box else unit,
        }
        columns: dict[str, Any] = {}
        for field in fields(whole):
            kind, value = field.name.split("_")[0], getattr(whole, field.name)
            if kind in rows and isinstance(value, np.ndarray):
                columns[field.name] = (
                    value[rows[kind]] - shift[field.name] if field.name in shift else value[rows[kind]]
                )
        columns["frame_key"] = whole.frame_key[frames]
        labels = {name: hot[pairs] for name, hot in whole.labels.items()}
        return replace(whole, video_id=self.video_ids[index], labels=labels, **columns)

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        video, unit = self._places[index]
        of_unit = range(self._annotations[video].frames)[_spans(self._annotations[video], unit)[0]]
        return self.whole.images(video, [of_unit[i] for i in (range(len(of_unit)) if frames is None else frames)])

    def features(self, index: int) -> Mapping[str, npt.NDArray[Any]]:
        video, unit = self._places[index]
        if video not in self._features:
            self._features[video] = self.whole.features(video)
        _, nodes, pairs = _spans(self._annotations[video], unit)
        rows = {"node": nodes, "pair": pairs, "action": slice(unit, unit + 1)}
        return {name: column[rows[name.split("_")[0]]] for name, column in self._features[video].items()}

    def in_mode(self, mode: str) -> VideoDataset:
        return LabelUnits(self.whole.in_mode(mode))

    def video_frames(self, index: int) -> list[int]:
        """Raises ConfigError: a unit is no video file."""
        raise ConfigError(
            f"{self.video_ids[index]} is a label unit of a video; ask the whole data set for frames of its file."
        )


def _spans(annotation: VideoAnnotation, unit: int) -> tuple[slice, slice, slice]:
    """Frames, nodes and pairs of a label unit."""
    frames = slice(*np.searchsorted(annotation.frame_unit, [unit, unit + 1]).tolist())
    edges = [frames.start, frames.stop]
    nodes, pairs = (
        slice(*np.searchsorted(column, edges).tolist()) for column in (annotation.node_frame, annotation.pair_frame)
    )
    return frames, nodes, pairs
