"""A detector that was trained on COCO speaks of other classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

from vidsgg.detectors.coco_classes import COCO_LABELS


class CocoPredictor(FastRCNNPredictor):  # type: ignore[misc]  # torchvision has no types
    """The last layers of a detector trained on COCO, which speak of other classes. R regions, O
    classes with the background at 0.

    A class is as probable as its labels together, and its box moves as the likeliest of them says.
    The background takes all labels that belong to no class, so a region that shows only such things
    is no detection. A class without a label has probability 0. The state dict is torchvision's.
    """

    members: Tensor

    def __init__(self, width: int, classes: Sequence[str], labels: Mapping[str, Sequence[str]]) -> None:
        super().__init__(width, len(COCO_LABELS))
        members = torch.zeros(len(classes), len(COCO_LABELS), dtype=torch.bool)
        for row, name in enumerate(classes):
            members[row, [COCO_LABELS.index(label) for label in labels.get(name, ())]] = True
        members[0] = ~members.any(0)
        self.register_buffer("members", members, persistent=False)

    def forward(self, feature: Tensor) -> tuple[Tensor, Tensor]:
        """Features (R, D) to logits (R, O), -inf for classes without a label, and offsets (R, O *
        4)."""
        score, offset = super().forward(feature)
        # Probabilities that add up are logits under a logsumexp, which cannot underflow.
        of_class = score[:, None].masked_fill(~self.members, -torch.inf)
        likeliest = of_class.argmax(2)[..., None].expand(-1, -1, 4)
        return of_class.logsumexp(2), offset.view(-1, len(COCO_LABELS), 4).gather(1, likeliest).flatten(1)
