"""Pictures of any size as the input of a network of one size, and boxes in it back to the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vidsgg.io.images import Image


@dataclass(frozen=True)
class InputPlace:
    """Where a picture lies in the network's input: input = picture * scale + offset, as (x, y)."""

    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_picture(self, box: Tensor) -> Tensor:
        """Boxes (N, 4) xyxy in pixels of the input as pixels of the picture, which they may leave."""
        return (box - box.new_tensor(self.offset * 2)) / box.new_tensor(self.scale * 2)


@dataclass(frozen=True)
class NetworkInput:
    """The input of a network: (3, height, width), (value - mean) / std of values from 0 to 255."""

    height: int
    width: int
    letterbox: bool = True  # keep the picture's aspect, in the middle of the input; False stretches it
    fill: int = 0  # grey of what a letterboxed picture leaves empty, 0 to 255
    bgr: bool = False  # order of the channels
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)  # in the order of the channels
    std: tuple[float, float, float] = (255.0, 255.0, 255.0)

    def place(self, width: int, height: int) -> tuple[InputPlace, tuple[int, int]]:
        """Where a picture of that size lies, and the width and height that it is scaled to."""
        inner = self.width, self.height
        if self.letterbox:
            scale = min(self.width / width, self.height / height)
            inner = max(1, round(width * scale)), max(1, round(height * scale))
        offset = (self.width - inner[0]) // 2, (self.height - inner[1]) // 2
        return InputPlace((inner[0] / width, inner[1] / height), (float(offset[0]), float(offset[1]))), inner

    def __call__(self, images: Sequence[Image]) -> tuple[Tensor, list[InputPlace]]:
        """Pictures, RGB (H, W, 3) uint8, as (T, 3, height, width) float32 on the CPU, and where each lies.

        Scaled bilinearly and without smoothing, as the networks were trained (OpenCV's INTER_LINEAR), to within a grey level.
        """
        canvas = torch.full((len(images), 3, self.height, self.width), self.fill, dtype=torch.uint8)
        placements = []
        for space, image in zip(canvas, images, strict=True):
            placement, (width, height) = self.place(image.shape[1], image.shape[0])
            left, top = int(placement.offset[0]), int(placement.offset[1])
            space[:, top : top + height, left : left + width] = _scaled(image, width, height)
            placements.append(placement)
        pixels = (canvas.flip(1) if self.bgr else canvas).float()
        return pixels.sub_(_column(self.mean)).div_(_column(self.std)), placements


def _scaled(image: Image, width: int, height: int) -> Tensor:
    """(3, height, width) uint8."""
    rgb = torch.from_numpy(image if image.flags.writeable else np.array(image)).permute(2, 0, 1)
    if image.shape[:2] == (height, width):
        return rgb
    scaled: Tensor = torch.nn.functional.interpolate(rgb[None], size=(height, width), mode="bilinear")[0]
    return scaled


def _column(values: tuple[float, float, float]) -> Tensor:
    return torch.tensor(values)[:, None, None]
