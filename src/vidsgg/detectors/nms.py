"""Non-maximum suppression as the detectors of 2017 count pixels."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import nms

BOXES_PER_CALL = 4096  # whole groups share a call up to about this many: its cost grows with the square


def nms_inclusive(box: Tensor, score: Tensor, group: Tensor, threshold: float) -> Tensor:
    """Greedily keeps the best box and drops those of its group that overlap it by more than ``threshold``, over and over.

    box (R, 4) xyxy, finite; the right and the bottom pixel belong to it, so a side is x2 - x1 + 1. score (R,). group (R,) long, not
    negative: boxes of different groups, such as frames or classes, never suppress each other. Of equal scores the earlier comes first.
    Returns the rows that stay, increasing. Source: yrcong/STTran ``fasterRCNN/lib/model/csrc/cuda/nms.cu`` (its CPU kernel also
    drops overlaps of exactly the threshold).
    """
    if not len(box):
        return group
    # Groups are moved apart, so far that no two meet. In double precision this leaves overlaps as they are, in single it would not.
    # Apple's GPUs have no double: there the CPU decides.
    device = torch.device("cpu") if box.device.type == "mps" else box.device
    apart = box.detach().to(device, torch.float64)
    apart = torch.cat([apart[:, :2], apart[:, 2:] + 1], dim=1)
    _, dense, size = group.to(device).unique(return_inverse=True, return_counts=True)
    apart = apart + (dense * (apart.max() - apart.min() + 1))[:, None]
    call = ((size.cumsum(0) - size) // BOXES_PER_CALL)[dense]
    kept = []
    for number in call.unique():
        rows = (call == number).nonzero().squeeze(1)
        kept.append(rows[nms(apart[rows], score.detach().to(apart)[rows], threshold)])
    return torch.cat(kept).sort().values.to(box.device)
