"""A training step in the pattern of the field's original code: the yardstick of
``benchmarks.epoch``.

One video a step, the detector every time, Python loops over frames, boxes and pairs, convolution
and normalisation apart, no fused optimiser. Same weights and the same numbers as ours up to
rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.detectors.faster_rcnn import FasterRCNN, pool_regions
from vidsgg.detectors.preprocess import network_input, network_size, scaled_size
from vidsgg.io.images import Image
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits


class PlainDetector:
    """The features of annotated boxes (PredCLS) from a detector of ours, the plain way."""

    def __init__(self, detector: FasterRCNN) -> None:
        self.detector = detector
        self.blocks = {
            name: list(getattr(detector.backbone, name)) for name in ("layer1", "layer2", "layer3", "layer4")
        }

    @torch.no_grad()
    def __call__(self, images: Sequence[Image], annotation: VideoAnnotation) -> Clip:
        short_side = self.detector.config.backbone.short_side
        canvas = network_size(images, short_side)
        pixels = torch.cat([network_input([image], short_side, canvas) for image in images])
        scale = scaled_size(*images[0].shape[:2], short_side)[2]

        boxes, pairs, masks, unions = [], [], [], []
        for frame in range(annotation.frames):
            for node in range(annotation.nodes):
                if annotation.node_frame[node] == frame:
                    boxes.append([frame, *(annotation.node_box[node] * np.float32(scale)).tolist()])
        for pair in range(annotation.pairs):
            subject, obj = int(annotation.pair_subject[pair]), int(annotation.pair_object[pair])
            pairs.append((subject, obj))
            a, b = boxes[subject][1:], boxes[obj][1:]
            unions.append(
                [int(annotation.pair_frame[pair]), min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])]
            )
            masks.append(
                [_mask(annotation.node_box[node], annotation.node_box[[subject, obj]]) for node in (subject, obj)]
            )

        maps = []
        for start in range(0, len(pixels), 10):
            maps.append(self._trunk(pixels[start : start + 10]))
        feature_maps = torch.cat(maps)
        features = self._layer(pool_regions(feature_maps, torch.tensor(boxes)), "layer4").mean(dim=(2, 3))
        union = pool_regions(feature_maps, torch.tensor(unions))
        clip = Clip.from_annotation(annotation)
        return replace(
            clip, node_feature=features, pair_union=union, pair_mask=torch.from_numpy(np.array(masks, np.float32)) - 0.5
        )

    def _trunk(self, pixels: Tensor) -> Tensor:
        net = self.detector.backbone
        x = F.relu(_norm(F.conv2d(pixels, net.conv1.weight.contiguous(), None, 2, 3), net.bn1))
        x = F.max_pool2d(x, 3, 2, 0, ceil_mode=True)
        for name in ("layer1", "layer2", "layer3"):
            x = self._layer(x, name)
        return x

    def _layer(self, x: Tensor, name: str) -> Tensor:
        for block in self.blocks[name]:
            branch = x
            for conv, norm, last in (
                (block.conv1, block.bn1, False),
                (block.conv2, block.bn2, False),
                (block.conv3, block.bn3, True),
            ):
                branch = _norm(F.conv2d(branch, conv.weight.contiguous(), None, conv.stride, conv.padding), norm)
                branch = branch if last else F.relu(branch)
            if block.downsample is not None:
                conv, norm = block.downsample
                x = _norm(F.conv2d(x, conv.weight.contiguous(), None, conv.stride), norm)
            x = F.relu(branch + x)
        return x


def plain_losses(logits: RelationLogits, annotation: VideoAnnotation) -> Tensor:
    """The reference's losses of one video, their labels put together pair by pair."""
    total = torch.zeros(())
    for group in annotation.schema.vocabulary.groups:
        hot = annotation.labels[group.name]
        if group.kind == "single":
            target = torch.tensor([int(np.flatnonzero(hot[pair])[0]) for pair in range(annotation.pairs)])
            total = total + F.cross_entropy(logits.groups[group.name], target)
        else:
            targets = -torch.ones(annotation.pairs, len(group), dtype=torch.int64)
            for pair in range(annotation.pairs):
                for place, predicate in enumerate(np.flatnonzero(hot[pair]).tolist()):
                    targets[pair, place] = predicate
            total = total + F.multilabel_margin_loss(logits.groups[group.name].sigmoid(), targets)
    return total


def _norm(x: Tensor, norm: nn.Module) -> Tensor:
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps)


def _mask(box: np.ndarray, both: np.ndarray, size: int = 27) -> np.ndarray:
    low, high = both[:, :2].min(0), both[:, 2:].max(0)
    mask = np.zeros((size, size), np.float32)
    start, end = (box[:2] - low) * size / (high - low), (box[2:] - low) * size / (high - low)
    for row in range(size):
        share_y = max(0.0, min(row + 1 - start[1], 1.0)) * max(0.0, min(end[1] - row, 1.0))
        if share_y:
            for column in range(size):
                mask[row, column] = (
                    share_y * max(0.0, min(column + 1 - start[0], 1.0)) * max(0.0, min(end[0] - column, 1.0))
                )
    return mask
