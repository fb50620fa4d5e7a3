"""What COCO's labels mean in another vocabulary, so that a detector trained on COCO can name that
vocabulary's classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor

COCO_WEIGHTS = FasterRCNN_ResNet50_FPN_V2_Weights.DEFAULT
# 91 by index: background, 80 labels, 10 times "N/A"
COCO_LABELS: tuple[str, ...] = tuple(COCO_WEIGHTS.meta["categories"])

# Action Genome's classes for which COCO has other names. A label is listed if whatever bears it in
# COCO belongs to the class in Action Genome; one that only sometimes does (suitcase, tie, vase,
# bench) is not.
EQUIVALENTS: dict[str, tuple[str, ...]] = {
    "bag": ("backpack", "handbag"),
    "cup/glass/bottle": ("bottle", "wine glass", "cup"),
    "dish": ("bowl",),
    "food": ("banana", "apple", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"),
    "phone/camera": ("cell phone",),
    "sofa/couch": ("couch",),
    "table": ("dining table",),
    "television": ("tv",),
}

# COCO's labels as other tools spell them.
OTHER_SPELLINGS: dict[str, str] = {
    "aeroplane": "airplane",
    "diningtable": "dining table",
    "hair dryer": "hair drier",
    "mobile phone": "cell phone",
    "motorbike": "motorcycle",
    "pottedplant": "potted plant",
    "sofa": "couch",
    "tvmonitor": "tv",
    "tv monitor": "tv",
}


def labels_of(classes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """COCO's labels of every class that has any, in the order of ``classes``: those of the table,
    else the label of the same name."""
    same = {name: (name,) for name in COCO_LABELS[1:] if name != "N/A"}
    return {name: labels for name in classes[1:] if (labels := EQUIVALENTS.get(name, same.get(name)))}


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
