"""Where the two boxes of a pair lie inside their union box."""

from __future__ import annotations

import torch
from torch import Tensor


def union_boxes(first_box: Tensor, second_box: Tensor) -> Tensor:
    """The smallest boxes that hold both: (P, 4) and (P, 4) xyxy give (P, 4), in the unit that both
    come in."""
    return torch.cat(
        [torch.minimum(first_box[:, :2], second_box[:, :2]), torch.maximum(first_box[:, 2:], second_box[:, 2:])], dim=1
    )


def union_masks(subject_box: Tensor, object_box: Tensor, size: int = 27) -> Tensor:
    """How much of every cell of the union box each box covers.

    The union box is cut into size x size cells. A cell's value is the share of its width times the
    share of its height that the box covers, in [0, 1]. Models read these maps minus 0.5, which is
    what ``Clip.pair_mask`` holds.

    subject_box, object_box: (P, 4) xyxy in any common unit. Returns (P, 2, size, size) float32:
    subject first, rows along y. A union box without width or height counts as filled along that
    axis by both boxes (the reference divides by zero).
    Source: yrcong/STTran ``lib/draw_rectangles``; the maps go back to Neural Motifs (Zellers et al.
    2018).
    """
    boxes = torch.stack([subject_box, object_box], dim=1).float()  # (P, 2, 4)
    union = union_boxes(boxes[:, 0], boxes[:, 1])[:, None]
    origin, side = union[..., :2], union[..., 2:] - union[..., :2]
    flat = side <= 0
    side = side.masked_fill(flat, 1)
    # In units of cells, (P, 2, 2): boxes, axes x and y.
    start = ((boxes[..., :2] - origin) * size / side).masked_fill(flat, 0)
    end = ((boxes[..., 2:] - origin) * size / side).masked_fill(flat, size)
    cell = torch.arange(size, dtype=torch.float32, device=boxes.device)
    # The reference multiplies the shares right of the start and left of the end. That differs from
    # the covered length only where a box is so thin that both of its edges fall into one cell;
    # trained models expect those values too.
    share = (cell + 1 - start[..., None]).clamp(0, 1) * (end[..., None] - cell).clamp(0, 1)  # (P, 2, 2, size)
    return share[:, :, 1, :, None] * share[:, :, 0, None, :]
