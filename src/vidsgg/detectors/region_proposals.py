"""The region proposal network: where in the frames something may be (Ren et al. 2015, section
3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import torch
import torch.nn.functional as F
from msgspec import Meta
from torch import Tensor, nn

from vidsgg.detectors.anchors import cell_anchors, clip_boxes, decode_offsets, encode_offsets, grid_anchors
from vidsgg.detectors.targets import Truth, WindowSampling, window_targets
from vidsgg.ops.nms import nms_inclusive
from vidsgg.ops.undrawn import blank


@dataclass(frozen=True)
class ProposalLimits:
    """candidates: how many windows enter the suppression. proposals: how many leave it. threshold:
    of the overlap."""

    candidates: Annotated[int, Meta(ge=1, le=1_000_000)]
    proposals: Annotated[int, Meta(ge=1, le=100_000)]
    threshold: Annotated[float, Meta(ge=0, le=1)] = 0.7


# The detector is frozen in STTran, so the reference's settings for testing hold there in training
# too.
AT_TEST = ProposalLimits(6000, 100)
RPN_SIGMA = 3  # its smooth L1 loss is quadratic up to 1 / 9


class RegionProposals(nn.Module):
    """Scores and offsets for A windows per cell of a map, and the best regions among them. T
    frames, h x w cells.

    Its weights start undefined: whoever builds it fills them.
    """

    cell: Tensor

    def __init__(self, channels: int, width: int, anchor_scales: Sequence[float], stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.register_buffer("cell", cell_anchors(anchor_scales, stride), persistent=False)
        anchors = len(self.cell)
        self.conv = blank(nn.Conv2d, channels, width, 3, padding=1)
        self.score = blank(nn.Conv2d, width, 2 * anchors, 1)
        self.offset = blank(nn.Conv2d, width, 4 * anchors, 1)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Maps (T, C, h, w) to logits (T, h*w*A, 2), background and foreground, and offsets (T,
        h*w*A, 4), in the order of ``anchors``."""
        hidden = F.relu(self.conv(maps))
        frames, anchors = len(maps), len(self.cell)
        score = self.score(hidden).view(frames, 2, anchors, -1).permute(0, 3, 2, 1).reshape(frames, -1, 2)
        offset = self.offset(hidden).view(frames, anchors, 4, -1).permute(0, 3, 1, 2).reshape(frames, -1, 4)
        return score, offset

    def anchors(self, maps: Tensor) -> Tensor:
        """(h*w*A, 4) windows of maps (T, C, h, w)."""
        return grid_anchors(self.cell, maps.shape[2], maps.shape[3], self.stride)

    @torch.no_grad()
    def propose(
        self, score: Tensor, offset: Tensor, anchors: Tensor, canvas: tuple[int, int], limits: ProposalLimits = AT_TEST
    ) -> Tensor:
        """The best regions of every frame, (T, K, 4) xyxy in network pixels, best first; K =
        ``limits.proposals``.

        canvas: height and width of the network's input. There is no minimum size. As in the
        reference a frame with fewer regions is filled up with rows of zeros, which then go through
        the second stage like any other.
        """
        frames = len(score)
        foreground = score.softmax(dim=2)[..., 1]
        size = offset.new_tensor([canvas[1], canvas[0]])
        best, rank = foreground.sort(dim=1, descending=True, stable=True)
        best, rank = best[:, : limits.candidates], rank[:, : limits.candidates]
        box = decode_offsets(anchors[rank], offset.gather(1, rank[..., None].expand(-1, -1, 4)))
        box = clip_boxes(box, size).flatten(0, 1)
        frame = torch.arange(frames, device=box.device).repeat_interleave(rank.shape[1])
        kept = nms_inclusive(box, best.flatten(), frame, limits.threshold, at_most=limits.proposals)
        frame = frame[kept]
        place = torch.arange(len(kept), device=box.device) - torch.searchsorted(frame, frame)
        regions = box.new_zeros(frames, limits.proposals, 4)
        regions[frame, place] = box[kept]
        return regions

    def losses(
        self, score: Tensor, offset: Tensor, anchors: Tensor, truth: Truth, size: Tensor, sampling: WindowSampling
    ) -> dict[str, Tensor]:
        """Losses of what ``forward`` gave. size (T, 2): width and height of every frame in network
        pixels."""
        targets = window_targets(anchors, truth, size, sampling).sample(sampling.count, sampling.count // 2)
        chosen = targets.is_object | targets.is_background
        is_object = targets.is_object
        wanted = encode_offsets(anchors.expand(len(size), -1, -1)[is_object], truth.take(targets.match)[0][is_object])
        return {
            "rpn_score": F.cross_entropy(score[chosen], is_object[chosen].long()),
            "rpn_box": (
                F.smooth_l1_loss(offset[is_object], wanted, reduction="sum", beta=1 / RPN_SIGMA**2) / chosen.sum()
            ),
        }
