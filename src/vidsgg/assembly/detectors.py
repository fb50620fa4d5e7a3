"""The detector of a run, by name or from a file."""

from __future__ import annotations

from pathlib import Path

import torch

from vidsgg.detectors.base import Detector
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN
from vidsgg.detectors.files import load_detector
from vidsgg.detectors.torchvision_fpn import TorchvisionFPN
from vidsgg.errors import ConfigError
from vidsgg.options import closest
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

# What ``-detector auto`` looks for in the data set's folder: a trained one of ours, then the published one under its authors' name.
IN_DATA_FOLDER = ("detector.pth", "faster_rcnn_ag.pth")
NAMES = (*DETECTORS, TorchvisionFPN.architecture)


def find_detector(name: str, root: Path) -> str:
    """``auto`` becomes the trained detector in the data set's folder, else ``c4-small``; anything else stays what it is."""
    if name != "auto":
        return name
    return next((str(root / file) for file in IN_DATA_FOLDER if (root / file).is_file()), "c4-small")


def widths_of(name: str) -> FeatureWidths | None:
    """Widths of the features of a detector that has a name, without its weights; None of a file."""
    if name == TorchvisionFPN.architecture:
        return FeatureWidths(node=TorchvisionFPN.node_width, union=TorchvisionFPN.union_channels)
    if name in DETECTORS:
        union, node = DETECTORS[name].backbone.channels
        return FeatureWidths(node=node, union=union)
    return None


def build_detector(name: str, schema: Schema, device: torch.device, *, reference_compat: bool = False) -> tuple[Detector, str]:
    """The frozen detector that ``name`` (as ``find_detector`` gives it) stands for, and one line that says what it is.

    Raises ConfigError for a name that is none, CheckpointError for a file that does not fit, or whose classes are not the data set's.
    """
    classes = schema.vocabulary.objects
    detector: Detector
    if name in DETECTORS:
        config = DETECTORS[name]
        detector = FasterRCNN(config, classes)
        line = (
            f"{name} with untrained weights (seed {config.backbone.seed}): its features tell things apart, but it finds nothing;"
            " train one with 'vidsgg train-detector' and name its file with -detector"
        )
    elif name == TorchvisionFPN.architecture:
        detector = TorchvisionFPN.from_coco(classes)
        line = f"{name} with torchvision's COCO weights"
    else:
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"option -detector: {name!r} is neither a file nor one of {', '.join(NAMES)}{closest(name, list(NAMES))}")
        detector = load_detector(path, classes)
        if detector.classes != classes:
            differing = next((pair for pair in zip(detector.classes, classes, strict=False) if pair[0] != pair[1]), None)
            what = f"{differing[0]!r} stands where the data set has {differing[1]!r}" if differing else "the numbers of classes differ"
            raise ConfigError(f"option -detector: {path} was trained on other classes than {schema.name!r} has: {what}.")
        line = f"{detector.architecture} with the weights of {path}"
    if isinstance(detector, FasterRCNN):
        detector.reference_compat = reference_compat
    if isinstance(detector, TorchvisionFPN) and detector.unseen:
        line += f"; COCO does not know, so it never finds: {', '.join(detector.unseen)}"
    return detector.requires_grad_(False).eval().to(device), line
