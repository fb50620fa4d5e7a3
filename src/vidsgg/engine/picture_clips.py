"""Clips that carry their pictures, for models that look at them themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from vidsgg.detectors.extraction import check_images
from vidsgg.io.images import Image
from vidsgg.structures.clip import Clip


class PictureClips:
    """Adds the pictures to clips. learn: to learn from, with all that is annotated; else to be
    scored, in SGDET without anything that is."""

    def __init__(self, mode: str, *, learn: bool) -> None:
        self.mode, self.learn = mode, learn

    def __call__(self, images: Sequence[Image], clip: Clip) -> Clip:
        """images: one per frame of the clip, RGB (H, W, 3) uint8 in original size. Raises DataError if
        they do not fit the clip."""
        check_images(images, clip)
        clip = clip if self.learn or self.mode == "predcls" else _bare(clip)
        return replace(clip, pictures=tuple(torch.from_numpy(image) for image in images))


def _bare(clip: Clip) -> Clip:
    """The frames alone."""
    none = clip.node_frame[:0]
    return replace(
        clip,
        node_box=clip.node_box[:0],
        node_class=none,
        node_score=clip.node_score[:0],
        node_frame=none,
        node_identity=none,
        node_target=None,
        pair_subject=none,
        pair_object=none,
        pair_frame=none,
        labels=None,
    )
