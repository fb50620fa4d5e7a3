"""A whole detector that is cheap, for tests of what uses one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from datasets.ag_files import small_set

from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.region_proposals import ProposalLimits
from vidsgg.detectors.resnet_c4 import BackboneConfig

TINY = FasterRCNNConfig(
    BackboneConfig(depth=18, base_width=4, short_side=64), anchor_scales=(0.5, 1, 2, 3), rpn_width=8
)


@torch.no_grad()
def tiny_detector(classes: Sequence[str], seed: int = 1) -> FasterRCNN:
    """Random weights under which every frame has several detections, of different classes and with
    different boxes."""
    detector = FasterRCNN(TINY, classes).requires_grad_(False).eval()
    random = torch.Generator().manual_seed(seed)
    spread = 0.2 if len(classes) < 10 else 0.6  # among many classes a probable one has to stand out more
    for layer, scale in (
        (detector.class_score, spread),
        (detector.box_offset, 0.5),
        (detector.rpn.score, 1),
        (detector.rpn.offset, 0.5),
    ):
        layer.weight.copy_(scale * torch.randn(layer.weight.shape, generator=random))
    return detector


@torch.no_grad()
def sighted_set(root: Path, found: Sequence[str] = ("person", "cup/glass/bottle", "chair")) -> Path:
    """A tiny Action Genome with a detector in its folder that finds these things wherever it looks;
    returns the folder."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        backbone = BackboneConfig(depth=18, base_width=4, short_side=48)
        detector = FasterRCNN(
            FasterRCNNConfig(backbone, (1, 2, 3, 4), rpn_width=8, proposals=ProposalLimits(100, 6)), OBJECTS
        )
    for name in found:
        detector.class_score.bias[OBJECTS.index(name)] = 8.0
    save_detector(small_set(root) / "detector.pth", detector)
    return root
