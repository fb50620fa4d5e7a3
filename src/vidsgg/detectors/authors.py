"""Names in the published detector's file, mapped on ours. Pure functions over names; no file is read here.

``faster_rcnn_ag.pth`` holds its state dict under "model"; STTran's wrapper prefixes ``fasterRCNN.``.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from vidsgg.detectors.anchors import RATIOS
from vidsgg.detectors.faster_rcnn import FasterRCNNConfig
from vidsgg.detectors.resnet_c4 import STAGES, BackboneConfig
from vidsgg.errors import CheckpointError

WRAPPER = "fasterRCNN."

_PARTS = {
    "RCNN_base.0": "backbone.conv1",
    "RCNN_base.1": "backbone.bn1",
    "RCNN_base.4": "backbone.layer1",
    "RCNN_base.5": "backbone.layer2",
    "RCNN_base.6": "backbone.layer3",
    "RCNN_top.0": "backbone.layer4",
    "RCNN_rpn.RPN_Conv": "rpn.conv",
    "RCNN_rpn.RPN_cls_score": "rpn.score",
    "RCNN_rpn.RPN_bbox_pred": "rpn.offset",
    "RCNN_cls_score": "class_score",
    "RCNN_bbox_pred": "box_offset",
}


def is_detector(state: Mapping[str, object]) -> bool:
    """Whether these are the names of a detector of this lineage."""
    return any(name.removeprefix(WRAPPER).startswith("RCNN_base.0.") for name in state)


def our_name(name: str) -> str | None:
    """Our name of one entry; None for what has no place here (the counters of frozen batch normalisation)."""
    name = name.removeprefix(WRAPPER)
    if name.endswith("num_batches_tracked"):
        return None
    for theirs, ours in _PARTS.items():
        if name.startswith(theirs + "."):
            return ours + name.removeprefix(theirs)
    return None


def detector_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The state dict under our names, and the authors' names that have no place in it. Raises CheckpointError if nothing fits."""
    ours: dict[str, Tensor] = {}
    left_over = []
    for name, value in authors.items():
        if (mine := our_name(name)) is None:
            left_over.append(name)
        else:
            ours[mine] = value
    if not ours:
        raise CheckpointError(f"no weight of a detector among {len(authors)} entries, the first of which is {next(iter(authors), None)!r}.")
    return ours, left_over


def infer_config(state: Mapping[str, Tensor], short_side: int = 600) -> tuple[FasterRCNNConfig, int]:
    """Architecture and number of classes, background included, of a state dict under our names.

    short_side: not in the weights; 600 is the published detector's. Raises CheckpointError if the blocks are those of no ResNet known here.
    """
    try:
        base_width = len(state["backbone.conv1.weight"])
        anchors = len(state["rpn.score.weight"]) // 2
        rpn_width, classes = len(state["rpn.conv.weight"]), len(state["class_score.weight"])
    except KeyError as error:
        raise CheckpointError(f"the detector's weights lack {error.args[0]!r}; a whole Faster R-CNN is expected.") from None
    blocks = tuple(len({name.split(".")[2] for name in state if name.startswith(f"backbone.layer{stage}.")}) for stage in (1, 2, 3, 4))
    bottleneck = any(name.endswith("0.conv3.weight") for name in state)
    depth = next((depth for depth, stages in STAGES.items() if stages == (blocks, bottleneck)), None)
    if depth is None:
        raise CheckpointError(
            f"the detector's backbone has {blocks} blocks; known are {', '.join(f'ResNet-{d} {s[0]}' for d, s in STAGES.items())}."
        )
    if anchors != 4 * len(RATIOS):
        raise CheckpointError(f"the detector has {anchors} anchors per cell; {4 * len(RATIOS)} (4 scales, 3 ratios) are expected.")
    return FasterRCNNConfig(BackboneConfig(depth, base_width, short_side), rpn_width=rpn_width), classes
