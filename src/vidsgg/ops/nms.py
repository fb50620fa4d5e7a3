"""Non-maximum suppression as the detectors of 2017 count pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from vidsgg.ops.kernels import nms

BOXES_PER_CALL = 4096  # whole groups share a call up to about this many: its cost grows with the square


def nms_inclusive(box: Tensor, score: Tensor, group: Tensor, threshold: float, at_most: int | None = None) -> Tensor:
    """Greedily keeps the best box and drops those of its group that overlap it by more than
    ``threshold``, over and over.

    box (R, 4) xyxy, finite; the right and the bottom pixel belong to it, so a side is x2 - x1 + 1.
    score (R,). group (R,) long, not
    negative: boxes of different groups, such as frames or classes, never suppress each other. Of
    equal scores the earlier comes first.
    at_most: how many of a group are wanted; the best of those that stay.
    Returns the rows that stay, increasing. Source: yrcong/STTran
    ``fasterRCNN/lib/model/csrc/cuda/nms.cu`` (its CPU kernel also drops overlaps of exactly the
    threshold).
    """
    # Groups are moved apart, so far that no two meet. In double precision this leaves overlaps as
    # they are, in single it would not. Apple's GPUs have no double: there the CPU decides.
    device = torch.device("cpu") if box.device.type == "mps" else box.device
    order = score.detach().to(device).argsort(descending=True, stable=True)
    order = order[group.to(device)[order].argsort(stable=True)]
    _, dense, size = torch.unique_consecutive(group.to(device)[order], return_inverse=True, return_counts=True)
    apart = box.detach().to(device, torch.float64)[order]
    apart = torch.cat([apart[:, :2], apart[:, 2:] + 1], dim=1)
    if len(apart):
        apart = apart + (dense * (apart.max() - apart.min() + 1))[:, None]
    rank = torch.arange(len(order), device=device) - (size.cumsum(0) - size)[dense]

    # What stays of the best few does not depend on the rest, so when enough of them stay the rest
    # need not be looked at.
    looked_at = len(order) if at_most is None else 2 * at_most
    while True:
        rows = (rank < looked_at).nonzero().squeeze(1)
        kept = rows[_suppress(apart[rows], dense[rows], threshold)]
        count = torch.bincount(dense[kept], minlength=len(size))
        if at_most is None or bool(((count >= at_most) | (size <= looked_at)).all()):
            break
        looked_at *= 4
    if at_most is not None:
        place = torch.arange(len(kept), device=device) - (count.cumsum(0) - count)[dense[kept]]
        kept = kept[place < at_most]
    return order[kept].sort().values.to(box.device)


def _suppress(box: Tensor, group: Tensor, threshold: float) -> Tensor:
    """The rows that stay, increasing, of boxes (R, 4) that lie apart from other groups' and are
    ordered by group, the best first."""
    score = torch.arange(len(box), 0, -1, dtype=box.dtype, device=box.device)
    size = torch.bincount(group)
    call = ((size.cumsum(0) - size) // BOXES_PER_CALL)[group]
    kept = [torch.empty_like(group[:0])]
    for number in torch.unique_consecutive(call):
        rows = (call == number).nonzero().squeeze(1)
        kept.append(rows[nms(box[rows], score[rows], threshold)])
    return torch.cat(kept)
