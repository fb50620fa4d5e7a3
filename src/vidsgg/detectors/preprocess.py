"""From pictures to the input of the Action Genome detector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vidsgg.io.images import Image

# Caffe's ImageNet means in the channel order of its weights, B, G, R. There is no division by a
# standard deviation.
PIXEL_MEANS = (102.9801, 115.9465, 122.7717)


def scaled_size(height: int, width: int, short_side: int) -> tuple[int, int, float]:
    """Height, width and scale of a frame whose shorter side becomes ``short_side``; the long side
    has no cap."""
    scale = short_side / min(height, width)
    return round(height * scale), round(width * scale), scale


def frame_scales(images: Sequence[Image], short_side: int) -> Tensor:
    """The scale of every frame, (T,) float32: network pixels = original pixels * scale.

    The reference multiplies the boxes of all frames with the first frame's scale. A frame's own
    scale is the same number unless sizes differ within a video, and then the reference's boxes miss
    what they should frame.
    """
    return torch.tensor(
        [scaled_size(image.shape[0], image.shape[1], short_side)[2] for image in images], dtype=torch.float32
    )


def network_size(images: Sequence[Image], short_side: int) -> tuple[int, int]:
    """Height and width of the canvas that holds all scaled frames of a video."""
    sizes = [scaled_size(height, width, short_side) for height, width in {image.shape[:2] for image in images}]
    return max(height for height, _, _ in sizes), max(width for _, width, _ in sizes)


def network_input(
    images: Sequence[Image], short_side: int, size: tuple[int, int], device: torch.device | str = "cpu"
) -> Tensor:
    """Prepare frames for the detector: B, G, R minus the means, scaled, at the top left of a canvas
    of zeros.

    Source: yrcong/STTran ``fasterRCNN/lib/model/utils/blob.py``.

    Args:
        images: T frames, RGB (H, W, 3) uint8, of any sizes.
        short_side: network pixels of the shorter side.
        size: height and width of the canvas, from :func:`network_size` of the whole video.
        device: where to compute.

    Returns:
        (T, 3, height, width) float32.
    """
    pixels = torch.zeros(len(images), 3, *size, device=device)
    # In double precision, because torch computes positions in the precision of the pixels, which is
    # visible in single (1e-3 grey levels). Apple's GPUs have no double: there the CPU scales. One
    # channel of one frame at a time: a film of 8192 x 4320 pixels takes 283 MB for each.
    scaler = torch.device("cpu") if pixels.device.type == "mps" else pixels.device
    for canvas, image in zip(pixels, images, strict=True):
        height, width, scale = scaled_size(image.shape[0], image.shape[1], short_side)
        rgb = torch.tensor(image, device=scaler)
        for channel, mean in enumerate(PIXEL_MEANS):
            values = rgb[None, None, :, :, 2 - channel].double().sub_(mean)
            # The exact scale, not the ratio of the rounded sizes that interpolate(size=...) takes:
            # that moves the far edge by up to half a pixel. interpolate(scale_factor=...) would
            # floor the size instead of rounding it.
            scaled = torch.ops.aten.upsample_bilinear2d(values, [height, width], False, scale, scale)
            canvas[channel, :height, :width] = scaled[0, 0].to(pixels)
    return pixels
