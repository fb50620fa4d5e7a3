"""Data sets in memory, for tests of what runs over one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from clips import ACTION, ENTITY, WIDTHS, action_annotation, entity_annotation

from vidsgg.datasets.base import Image, VideoDataset
from vidsgg.errors import DataError
from vidsgg.structures.annotation import VideoAnnotation


class ToyVideos(VideoDataset):
    """Random videos whose features come with the data; ``broken`` names those that cannot be
    read."""

    root, split = Path("toy"), "train"

    def __init__(self, count: int = 6, kind: str = "entity", broken: tuple[str, ...] = ()) -> None:
        self.schema = ENTITY if kind == "entity" else ACTION
        make = entity_annotation if kind == "entity" else action_annotation
        self.annotations = [make([1 + i % 3, 2, 1], seed=i, name=f"v{i}") for i in range(count)]
        self.video_ids = [a.video_id for a in self.annotations]
        self.broken = broken

    def annotation(self, index: int) -> VideoAnnotation:
        if self.video_ids[index] in self.broken:
            raise DataError(f"{self.video_ids[index]} cannot be read")
        return self.annotations[index]

    def images(self, index: int) -> list[Image]:
        return [np.zeros((100, 100, 3), np.uint8) for _ in range(self.annotations[index].frames)]

    def features(self, index: int) -> Mapping[str, np.ndarray]:
        if self.schema is ACTION:
            return {}
        annotation, rng = self.annotations[index], np.random.default_rng(index)
        return {
            "node_feature": rng.standard_normal((annotation.nodes, WIDTHS.node), np.float32),
            "pair_union": rng.standard_normal((annotation.pairs, WIDTHS.union, 7, 7), np.float32),
            "pair_mask": rng.random((annotation.pairs, 2, 27, 27), np.float32) - 0.5,
        }


class PictureVideos(ToyVideos):
    """Random videos with random pictures, whose features a detector has to give. The pictures come
    from no files."""

    def images(self, index: int) -> list[Image]:
        rng = np.random.default_rng(index)
        blocks = rng.integers(0, 256, (self.annotations[index].frames, 20, 20, 3), np.uint8)
        return list(blocks.repeat(5, axis=1).repeat(5, axis=2))

    def features(self, index: int) -> Mapping[str, np.ndarray]:
        return {}
