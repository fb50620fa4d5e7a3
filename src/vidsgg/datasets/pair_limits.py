"""How many pairs of a frame are looked at, where every ordered pair is a candidate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from vidsgg.datasets.base import Subset, VideoDataset
from vidsgg.errors import ConfigError, counted
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.crowds import crowded_frames
from vidsgg.structures.schema import Schema


class LimitedPairs(Subset):
    """A data set of which ``most`` pairs of a frame are looked at instead of what its schema says.

    most: 0 for all. Raises ConfigError for data whose pairs are annotated one by one.
    """

    def __init__(self, whole: VideoDataset, most: int) -> None:
        super().__init__(whole, range(len(whole)))
        if whole.schema.pairing != "ordered":
            raise ConfigError(
                f"option -max_pairs: {whole.root} lists the pairs of every frame ({whole.schema.title}), and all of"
                " them are used; leave the option out."
            )
        self.schema = replace(whole.schema, max_pairs=most)

    def in_mode(self, mode: str) -> VideoDataset:
        return LimitedPairs(self.whole.in_mode(mode), self.schema.max_pairs)

    def every_frame(self) -> VideoDataset:
        return LimitedPairs(self.whole.every_frame(), self.schema.max_pairs)

    def annotation(self, index: int) -> VideoAnnotation:
        return replace(self.whole.annotation(index), schema=self.schema)


def pair_rule(schema: Schema) -> str:
    """Which pairs of a frame are looked at, in a sentence; "" for data whose pairs are annotated one
    by one."""
    if schema.pairing != "ordered":
        return ""
    if not schema.max_pairs:
        return "every ordered pair of a frame"
    return f"every ordered pair of a frame, at most {schema.max_pairs}: by the scores of their boxes, then the nearest"


def pair_lines(splits: Iterable[VideoDataset]) -> list[str]:
    """Lines for the log: which pairs are looked at, and in how many annotated frames some are left
    out."""
    lines: list[str] = []
    for videos in splits:
        if not lines and (rule := pair_rule(videos.schema)):
            lines.append(f"pairs: {rule}")
        if not videos.schema.max_pairs:
            continue
        cut = frames = 0
        for index in range(len(videos)):
            nodes = videos.nodes(index)
            cut, frames = cut + int(np.count_nonzero(crowded_frames(videos.schema, *nodes))), frames + nodes[2]
        if cut:
            lines.append(
                f"pairs: {counted(cut, 'frame')} of {frames} ({videos.split} split) have more boxes than that allows; pairs"
                " that are left out are neither learnt nor found. -max_pairs says how many are looked at."
            )
    return lines
