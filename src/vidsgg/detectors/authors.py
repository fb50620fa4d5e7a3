"""The published detector, as its authors wrote it: its names mapped on ours, and the detector
itself.

``faster_rcnn_ag.pth`` holds its state dict under "model"; STTran's wrapper prefixes
``fasterRCNN.``.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.anchors import RATIOS
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.pretrained import fill
from vidsgg.detectors.resnet_c4 import STAGES, BackboneConfig
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.untrusted import as_type
from vidsgg.ops.undrawn import undrawn

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
    """Our name of one entry; None for what has no place here (the counters of frozen batch
    normalisation)."""
    name = name.removeprefix(WRAPPER)
    if name.endswith("num_batches_tracked"):
        return None
    for theirs, ours in _PARTS.items():
        if name.startswith(theirs + "."):
            return ours + name.removeprefix(theirs)
    return None


def detector_state(authors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """The state dict under our names, and the authors' names that have no place in it. Raises
    CheckpointError if nothing fits."""
    ours: dict[str, Tensor] = {}
    left_over = []
    for name, value in authors.items():
        if (mine := our_name(name)) is None:
            left_over.append(name)
        else:
            ours[mine] = value
    if not ours:
        raise CheckpointError(
            f"no weight of a detector among {len(authors)} entries, the first of which is"
            f" {next(iter(authors), None)!r}."
        )
    return ours, left_over


def infer_config(state: Mapping[str, Tensor], short_side: int = 600) -> tuple[FasterRCNNConfig, int]:
    """Architecture and number of classes, background included, of a state dict under our names.

    short_side: not in the weights; 600 is the published detector's. Raises CheckpointError if the
    blocks are those of no ResNet known here.
    """
    try:
        base_width = len(state["backbone.conv1.weight"])
        anchors = len(state["rpn.score.weight"]) // 2
        rpn_width, classes = len(state["rpn.conv.weight"]), len(state["class_score.weight"])
    except KeyError as error:
        raise CheckpointError(
            f"the detector's weights lack {error.args[0]!r}; a whole Faster R-CNN is expected."
        ) from None
    except TypeError:  # of the length of a single number
        raise CheckpointError("one of the detector's weights is a single number; a table is expected.") from None
    blocks = tuple(
        len({name.split(".")[2] for name in state if name.startswith(f"backbone.layer{stage}.")})
        for stage in (1, 2, 3, 4)
    )
    bottleneck = any(name.endswith("0.conv3.weight") for name in state)
    depth = next((depth for depth, stages in STAGES.items() if stages == (blocks, bottleneck)), None)
    if depth is None:
        raise CheckpointError(
            f"the detector's backbone has {blocks} blocks; known are"
            f" {', '.join(f'ResNet-{d} {s[0]}' for d, s in STAGES.items())}."
        )
    if anchors != 4 * len(RATIOS):
        raise CheckpointError(
            f"the detector has {anchors} anchors per cell; {4 * len(RATIOS)} (4 scales, 3 ratios) are expected."
        )
    return FasterRCNNConfig(BackboneConfig(depth, base_width, short_side), rpn_width=rpn_width), classes


def read_authors(path: Path, content: Mapping[str, Any]) -> tuple[FasterRCNN, list[str]]:
    """The published Faster R-CNN from the content of its authors' file, and the entries of it that
    have no place in ours."""
    state = content.get("model", content)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state) or not is_detector(state):
        raise CheckpointError(
            f"{path} holds no detector: entries such as 'RCNN_base.0.weight' are expected, at the top or under 'model'."
            " Its first entries are"
            f" {', '.join(map(short, list(state)[:3])) if isinstance(state, Mapping) else type(state).__name__}."
        )
    check_weights(path, state)
    ours, left_over = detector_state({name.removeprefix(WRAPPER): value for name, value in state.items()})
    config, count = infer_config(ours)
    classes = SCHEMA.vocabulary.objects
    if count != len(classes):
        raise CheckpointError(
            f"{path}: the detector has {count} classes; Action Genome's {len(classes)} (with background) are expected."
        )
    with undrawn():
        detector = FasterRCNN(config, classes)
    fill(detector, ours, str(path))
    return detector, left_over


def check_weights(path: Path, state: Mapping[str, Any]) -> None:
    """Raises CheckpointError if a state dict holds anything but tensors."""
    try:
        as_type(state, dict[str, Tensor])
    except DataError as error:
        raise CheckpointError(f"{path}: {error}") from error
