"""Learning: the losses of the C4 detector, and what a start from pretrained weights keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.metrics.detection import LabelledBoxes, average_precision

CLASSES = ("__background__", "red", "green", "blue")
CONFIG = FasterRCNNConfig(BackboneConfig(10, 8, 96, stride=8), (2, 3, 4, 6), 32)


def pictures(count: int) -> tuple[list[np.ndarray], list[Tensor], list[Tensor]]:
    """Dim noise with two bright rectangles, whose class is their colour. Sizes differ."""
    rng = np.random.default_rng(0)
    images, boxes, classes = [], [], []
    for i in range(count):
        image = rng.integers(0, 90, (96, 112 + 16 * (i % 2), 3), np.uint8)
        corner = np.array([[4, 8], [60, 40]]) + rng.integers(0, 12, (2, 2))
        box = np.concatenate([corner, corner + rng.integers(20, 36, (2, 2))], axis=1)
        klass = rng.permutation(3)[:2] + 1
        for (x1, y1, x2, y2), k in zip(box, klass, strict=True):
            image[y1:y2, x1:x2, k - 1] = 255
        images.append(image)
        boxes.append(torch.tensor(box, dtype=torch.float32))
        classes.append(torch.tensor(klass))
    return images, boxes, classes


def test_a_detector_learns_a_few_frames_by_heart():
    data = pictures(4)
    detector = FasterRCNN(CONFIG, CLASSES).train()
    steps, rate = 120, 3e-3
    optimizer = torch.optim.AdamW(detector.parameters())
    totals = []
    for step in range(steps):
        torch.manual_seed(step)
        optimizer.param_groups[0]["lr"] = rate * min(1, step / 10, (steps - step) / (steps / 2))
        losses = detector.losses(*data)
        assert set(losses) == {"rpn_score", "rpn_box", "class", "box"}
        total = torch.stack(list(losses.values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        totals.append(total.item())
    assert totals[-1] < 0.3 * totals[0]

    images, boxes, classes = data
    detector.eval()
    with torch.no_grad():
        found = detector.detect(detector.encode(images, detector.canvas(images)))
    wanted = LabelledBoxes(np.arange(4).repeat(2), torch.cat(classes).numpy(), torch.cat(boxes).numpy())
    columns = (column.numpy() for column in (found.frame, found.klass, found.box, found.score))
    result = average_precision(4, wanted, LabelledBoxes(*columns), CLASSES)
    assert result.map50 > 0.9


@pytest.mark.parametrize("depth", [10, 50], ids=["quick", "reference"])
def test_an_object_teaches_the_offsets_of_its_own_class(depth: int):
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(depth, 4, 64), (1, 2, 3, 4), 8), CLASSES).train()
    images, boxes, classes = pictures(1)
    torch.manual_seed(0)
    detector.losses(images, boxes, classes)["box"].backward()
    taught = detector.box_offset.weight.grad.view(len(CLASSES), -1).abs().sum(1) > 0
    assert taught.nonzero().flatten().tolist() == sorted(classes[0].tolist())


def test_frames_without_anything_are_learnt_from_too():
    detector = FasterRCNN(CONFIG, CLASSES).train()
    images, _, _ = pictures(2)
    losses = detector.losses(images, [torch.zeros(0, 4)] * 2, [torch.zeros(0, dtype=torch.long)] * 2)
    assert losses["box"] == 0 and losses["rpn_box"] == 0
    torch.stack(list(losses.values())).sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in detector.parameters())
