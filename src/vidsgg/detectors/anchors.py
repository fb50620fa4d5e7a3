"""The windows that region proposals start from, and how boxes are written as offsets from others.

Boxes are xyxy in network pixels, inclusive as in the reference: a box from x1 to x2 is x2 - x1 + 1
wide.
Source: yrcong/STTran ``fasterRCNN/lib/model/rpn/{generate_anchors,bbox_transform}.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

RATIOS = (0.5, 1.0, 2.0)  # height / width


def cell_anchors(scales: Sequence[float], stride: int) -> Tensor:
    """(A, 4) float32: the windows of the cell at the origin, ratio by ratio and within one by
    scale; A = 3 x scales.

    A window of ratio 1 and scale 1 is the cell itself, ``stride`` pixels wide. Sides are rounded
    before they are scaled, as in the reference.
    """
    sides = []
    for ratio in RATIOS:
        width = round((stride**2 / ratio) ** 0.5)
        sides += [(scale * width, scale * round(width * ratio)) for scale in scales]
    half = (torch.tensor(sides, dtype=torch.float32) - 1) / 2
    centre = (stride - 1) / 2
    return torch.cat([centre - half, centre + half], dim=1)


def grid_anchors(cell: Tensor, height: int, width: int, stride: int) -> Tensor:
    """(height * width * A, 4): the windows of every cell of a map, row by row, column by column,
    then in the order of ``cell``."""
    x = stride * torch.arange(width, device=cell.device, dtype=cell.dtype)
    y = stride * torch.arange(height, device=cell.device, dtype=cell.dtype)
    shift = torch.stack([x.repeat(height), y.repeat_interleave(width)], dim=1).repeat(1, 2)
    return (shift[:, None] + cell).view(-1, 4)


def decode_offsets(box: Tensor, offset: Tensor) -> Tensor:
    """Boxes (..., 4) moved by offsets (..., 4) = (dx, dy, dw, dh): the centre by a share of the
    side, the side by a factor exp(d).

    The right and bottom edge get no minus 1, so zero offsets return x2 + 1 and y2 + 1; trained
    weights expect that.
    """
    side = box[..., 2:] - box[..., :2] + 1
    centre = box[..., :2] + 0.5 * side
    new_centre, new_half = offset[..., :2] * side + centre, 0.5 * torch.exp(offset[..., 2:]) * side
    return torch.cat([new_centre - new_half, new_centre + new_half], dim=-1)


def encode_offsets(box: Tensor, target: Tensor) -> Tensor:
    """The offsets (..., 4) by which ``decode_offsets`` makes ``target`` of ``box``; both xyxy (...,
    4), target with x1 < x2 and y1 < y2.

    The reference counts the target's sides inclusively too, so what it learns is decoded to a box
    that ends a pixel too far.
    """
    side, target_side = box[..., 2:] - box[..., :2] + 1, target[..., 2:] - target[..., :2]
    centre, target_centre = box[..., :2] + 0.5 * side, target[..., :2] + 0.5 * target_side
    return torch.cat([(target_centre - centre) / side, torch.log(target_side / side)], dim=-1)


def clip_boxes(box: Tensor, size: Tensor) -> Tensor:
    """Boxes (..., 4) within pictures of ``size`` (..., 2), width and height: coordinates from 0 to
    side - 1."""
    return torch.minimum(box.clamp(min=0), torch.cat([size, size], dim=-1) - 1)
