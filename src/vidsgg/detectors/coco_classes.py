"""What COCO's labels mean in another vocabulary, so that a detector trained on COCO can name that
vocabulary's classes."""

from __future__ import annotations

from collections.abc import Sequence

# 91 by index: background, 80 labels, 10 times "N/A", as torchvision's weights number them.
COCO_LABELS: tuple[str, ...] = (
    "__background__", "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat",
    "traffic light", "fire hydrant", "N/A", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse",
    "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "N/A", "backpack", "umbrella", "N/A", "N/A", "handbag",
    "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove",
    "skateboard", "surfboard", "tennis racket", "bottle", "N/A", "wine glass", "cup", "fork", "knife", "spoon",
    "bowl", "banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake",
    "chair", "couch", "potted plant", "bed", "N/A", "dining table", "N/A", "N/A", "toilet", "N/A", "tv", "laptop",
    "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "N/A",
    "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip

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
