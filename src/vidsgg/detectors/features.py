"""Features of boxes that are already known: what PredCLS and SGCLS read from the frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import roi_align

from vidsgg.detectors.preprocess import frame_scales, network_input, network_size
from vidsgg.detectors.resnet_c4 import BackboneConfig, ResNetC4
from vidsgg.errors import DataError
from vidsgg.io.images import Image
from vidsgg.ops.masks import union_boxes, union_masks
from vidsgg.structures.clip import Clip

POOLED = 7  # cells per side of a pooled region


class RoiFeatureExtractor(nn.Module):
    """A frozen backbone that fills in a clip's features. N nodes, P pairs, D = ``node_width``, C = ``union_channels``.

    Source: yrcong/STTran ``lib/object_detector.py``. frames_at_once: how many frames go through the backbone
    together; it changes memory and speed only.
    """

    def __init__(self, config: BackboneConfig, frames_at_once: int = 10) -> None:
        super().__init__()
        self.short_side, self.frames_at_once = config.short_side, frames_at_once
        # Channels last makes convolutions on CPUs about twice as fast.
        self.backbone = ResNetC4(config).to(memory_format=torch.channels_last)
        self.requires_grad_(False)
        self.eval()

    @property
    def node_width(self) -> int:
        return self.backbone.head_channels

    @property
    def union_channels(self) -> int:
        return self.backbone.trunk_channels

    def train(self, mode: bool = True) -> RoiFeatureExtractor:
        """Stays in evaluation mode: the detector is frozen while relations are learnt."""
        return super().train(False)

    @torch.no_grad()
    def forward(self, images: Sequence[Image], clip: Clip) -> Clip:
        """The clip with its feature columns, float32 on the clip's device.

        images: one per frame of the clip, RGB (H, W, 3) uint8 in original size. Fills in ``node_feature`` (N, D) and, for schemas whose
        subjects have a box, ``pair_union`` (P, C, 7, 7) and ``pair_mask`` (P, 2, 27, 27), the union masks minus 0.5.
        What a video gets does not depend on the other videos of the clip. Raises DataError if the images do not fit the clip.
        """
        _check(images, clip)
        device = self.backbone.conv1.weight.device
        node_box = clip.node_box * frame_scales(images, self.short_side).to(clip.device)[clip.node_frame, None]
        node_region = torch.cat([clip.node_frame[:, None], node_box], dim=1).to(device)
        if clip.schema.subject_has_box:
            pair_box = union_boxes(node_box[clip.pair_subject], node_box[clip.pair_object])
            pair_region = torch.cat([clip.pair_frame[:, None], pair_box], dim=1).to(device)
        else:
            pair_region = node_region[:0]

        first_frame = torch.searchsorted(clip.frame_video, torch.arange(clip.videos + 1, device=clip.device)).tolist()
        parts = []
        for start, stop in pairwise(first_frame):
            # Every video has its own canvas: the zeros that pad a smaller frame reach into its features.
            size = network_size(images[start:stop], self.short_side)
            for begin in range(start, stop, self.frames_at_once):
                end = min(begin + self.frames_at_once, stop)
                pixels = network_input(images[begin:end], self.short_side, size, device)
                parts.append(self.pool(pixels, _within(node_region, begin, end), _within(pair_region, begin, end)))
        node_feature, pair_union = (torch.cat(column).to(clip.device) for column in zip(*parts, strict=True))
        if not clip.schema.subject_has_box:
            return replace(clip, node_feature=node_feature)
        pair_mask = union_masks(clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object]) - 0.5
        return replace(clip, node_feature=node_feature, pair_union=pair_union, pair_mask=pair_mask)

    def pool(self, pixels: Tensor, node_region: Tensor, pair_region: Tensor) -> tuple[Tensor, Tensor]:
        """Features of regions of some frames.

        pixels: (T, 3, H, W) as ``network_input`` makes them. Regions: (N, 5) and (P, 5), index of the frame and xyxy in pixels of
        the network input. Returns the nodes' features (N, D) and the pairs' maps (P, C, 7, 7).
        """
        maps = self.backbone.trunk(pixels.contiguous(memory_format=torch.channels_last)).contiguous()
        pooled = pool_regions(maps, node_region).contiguous(memory_format=torch.channels_last)
        return self.backbone.head(pooled), pool_regions(maps, pair_region)


def pool_regions(maps: Tensor, region: Tensor) -> Tensor:
    """RoIAlign in its first form: no half-pixel shift, as many samples per bin as it has cells, regions of at least one cell.

    maps: (T, C, h, w) at stride 16. region: (R, 5), frame and xyxy in network pixels. Returns (R, C, 7, 7).
    """
    return roi_align(maps, region, output_size=POOLED, spatial_scale=1 / ResNetC4.stride, sampling_ratio=-1, aligned=False)


def _within(region: Tensor, begin: int, end: int) -> Tensor:
    """The regions of frames ``begin`` to ``end``, counted from ``begin``; regions are ordered by frame."""
    first, last = torch.searchsorted(region[:, 0].contiguous(), region.new_tensor([begin, end])).tolist()
    return region[first:last] - region.new_tensor([begin, 0, 0, 0, 0])


def _check(images: Sequence[Image], clip: Clip) -> None:
    where = f"clip of {', '.join(clip.video_ids[:3])}"
    if len(images) != clip.frames:
        raise DataError(f"{where}: {len(images)} images for {clip.frames} frames; give one per frame, in order.")
    for i, (image, (width, height)) in enumerate(zip(images, clip.frame_size.tolist(), strict=True)):
        if image.dtype != np.uint8 or image.shape != (height, width, 3):
            raise DataError(
                f"{where}: image {i} is {image.dtype} of shape {image.shape}; its frame is {width:g} x {height:g}, so RGB uint8 of shape "
                f"({height:g}, {width:g}, 3) is expected."
            )
