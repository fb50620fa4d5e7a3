"""From pictures to what OED's backbone reads, and which frames refine a frame."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image as Pillow
from torch import Tensor

from vidsgg.io.images import Image

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def resized_size(width: int, height: int, short: int, long: int) -> tuple[int, int]:
    """(height, width) of a resized picture: its shorter side becomes ``short`` pixels, or fewer if
    the longer one would exceed ``long``. As in DETR the longer side is truncated, not rounded."""
    smaller, larger = min(width, height), max(width, height)
    if larger / smaller * short > long:
        short = round(long * smaller / larger)
    if smaller == short:
        return height, width
    other = int(short * larger / smaller)
    return (other, short) if width < height else (short, other)


def prepared_picture(image: Image, short: int, long: int, *, flip: bool = False) -> Tensor:
    """(3, H, W) float32: resized with antialiased bilinear interpolation and normalised. image: RGB
    (H, W, 3) uint8."""
    picture = Pillow.fromarray(np.ascontiguousarray(image[:, ::-1]) if flip else image)
    height, width = resized_size(*picture.size, short, long)
    if (width, height) != picture.size:
        picture = picture.resize((width, height), Pillow.Resampling.BILINEAR)
    pixels = torch.from_numpy(np.asarray(picture, np.float32).copy()).permute(2, 0, 1) / 255
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


def padded(pictures: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pictures (3, H, W) in one batch (F, 3, H', W'), zeros at the right and the bottom, and where
    these lie, (F, H', W') bool."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (1, 2))
    batch = pictures[0].new_zeros(len(pictures), 3, height, width)
    padding = torch.ones(len(pictures), height, width, dtype=torch.bool, device=batch.device)
    for i, picture in enumerate(pictures):
        batch[i, :, : picture.shape[1], : picture.shape[2]] = picture
        padding[i, : picture.shape[1], : picture.shape[2]] = False
    return batch, padding


def window_of(target: int, frames: int, interval: int) -> list[int]:
    """The frames of a video that may refine frame ``target``: those up to ``interval`` before and
    after it, or itself where it is alone."""
    found = [i for i in range(max(0, target - interval), min(frames, target + interval + 1)) if i != target]
    return found or [target]


def scored_references(target: int, frames: int, interval: int, count: int) -> list[int]:
    """The frames that refine a frame when it is scored: spread evenly over its window, of which
    with two the first and the last.
    """
    window = window_of(target, frames, interval)
    while len(window) < count:
        window = window * 2
    step = max(1, (len(window) - 1) // (count - 1)) if count > 1 else len(window)
    return window[::step][:count]


def drawn_references(
    target: int, frames: int, interval: int, count: int, generator: torch.Generator | None
) -> list[int]:
    """The same in training: drawn without replacement. generator: None for torch's own."""
    window = window_of(target, frames, interval)
    while len(window) < count:
        window = window * 2
    return [window[i] for i in torch.randperm(len(window), generator=generator)[:count].tolist()]
