"""Detectors of a few channels learn in a process of their own: what breaks below Python would end
the tests."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from vidsgg.detectors.faster_rcnn import memory_layout

LEARN = """
import sys
from dataclasses import replace
import torch
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN

torch.set_num_threads(1)
config = DETECTORS["c4-small"]
config = replace(config, backbone=replace(config.backbone, base_width=int(sys.argv[1])))
detector = FasterRCNN(config, SCHEMA.vocabulary.objects).train()
pictures = [torch.randint(0, 255, (240, 320, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)] * 2
box, klass = [torch.tensor([[2.0, 2.0, 190.0, 170.0], [90.0, 40.0, 280.0, 210.0]])] * 2, [torch.tensor([1, 5])] * 2
for _ in range(2):
    torch.stack(list(detector.losses(pictures, box, klass).values())).sum().backward()
assert all(p.grad.isfinite().all() for p in detector.parameters() if p.grad is not None)
"""


# 2 and 3 ended with SIGSEGV or SIGABRT, channels last; 4 wrote outside its memory
@pytest.mark.parametrize("width", [2, 3, 4])
def test_a_narrow_detector_learns(width: int) -> None:
    done = subprocess.run([sys.executable, "-c", LEARN, str(width)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize(
    ("width", "fast"), [(1, False), (2, False), (3, False), (12, False), (8, True), (32, True), (64, True)]
)
def test_channels_come_last_only_where_eight_divides_them(width: int, fast: bool) -> None:
    assert (memory_layout(width) == torch.channels_last) == fast
