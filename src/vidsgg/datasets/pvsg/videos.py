"""PVSG's videos: boxes, and the masks that they were taken from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from vidsgg.datasets.pvsg.parse import read_mask
from vidsgg.datasets.relation_videos import RelationVideos


class PvsgVideos(RelationVideos):
    """A table whose nodes have masks, in a picture for each frame."""

    has_masks = True

    def masks(self, index: int) -> Iterator[npt.NDArray[np.bool_]]:
        annotation = self.annotation(index)
        for f, key in enumerate(annotation.frame_key):
            source, _, video, name = key.split("/")  # source/frames/video/0000.png
            values = read_mask(self._below(f"{source}/masks/{video}/{name}"))
            for ident in annotation.node_identity[annotation.node_frame == f]:
                yield values == ident
