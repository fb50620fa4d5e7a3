"""Detectors on disk: our own files, the published one as its authors wrote it, and torchvision's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import WRAPPER, detector_state, infer_config, is_detector
from vidsgg.detectors.base import Detector
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.pretrained import fill
from vidsgg.detectors.torchvision_fpn import CLASS_HEAD, TorchvisionFPN
from vidsgg.errors import CheckpointError
from vidsgg.io.tensors import load_tensors, save_tensors

KIND = "detector"
ARCHITECTURES: dict[str, type[Detector]] = {kind.architecture: kind for kind in (FasterRCNN, TorchvisionFPN)}


def save_detector(path: Path, detector: Detector, about: Mapping[str, Any] | None = None) -> None:
    """A detector with everything that it needs to be built again. about: plain values to keep beside it, such as how it was trained."""
    content = {
        "kind": KIND,
        "description": detector.describe(),
        "classes": list(detector.classes),
        "state_dict": detector.state_dict(),
        "about": dict(about or {}),
    }
    save_tensors(path, content)


def load_detector(path: Path, classes: Sequence[str] = SCHEMA.vocabulary.objects) -> Detector:
    """A detector from our own file, the authors' or torchvision's; frozen, in evaluation mode, on the CPU.

    classes: those of the data set. Only torchvision's file needs them: its labels, COCO's, are mapped on them. Ours knows its classes,
    and the authors' has Action Genome's. Raises CheckpointError if the file holds no detector, or one that does not fit its description.
    """
    content = load_tensors(path)
    if content.get("kind") == KIND:
        detector = _build(path, content["description"], content["classes"], content["state_dict"])
    elif CLASS_HEAD + "cls_score.weight" in content:
        detector = _of_torchvision(path, classes, content)
    else:
        detector = detector_of_authors(path, content)[0]
    return detector.requires_grad_(False).eval()


def detector_of_authors(path: Path, content: Mapping[str, Any]) -> tuple[FasterRCNN, list[str]]:
    """The published Faster R-CNN from the content of the authors' file, and the entries of it that have no place in ours."""
    state = content.get("model", content)
    if not isinstance(state, Mapping) or not is_detector(state):
        raise CheckpointError(
            f"{path} holds no detector: entries such as 'RCNN_base.0.weight' are expected, at the top or under 'model'."
            f" Its first entries are {', '.join(map(repr, list(state)[:3])) if isinstance(state, Mapping) else type(state).__name__}."
        )
    ours, left_over = detector_state({name.removeprefix(WRAPPER): value for name, value in state.items()})
    config, count = infer_config(ours)
    classes = SCHEMA.vocabulary.objects
    if count != len(classes):
        raise CheckpointError(f"{path}: the detector has {count} classes; Action Genome's {len(classes)} (with background) are expected.")
    detector = FasterRCNN(config, classes)
    fill(detector, ours, str(path))
    return detector, left_over


def _build(path: Path, description: Mapping[str, Any], classes: Sequence[str], state: Mapping[str, Tensor]) -> Detector:
    if description.get("detector") not in ARCHITECTURES:
        raise CheckpointError(f"{path} holds a detector {description.get('detector')!r}; known are {', '.join(ARCHITECTURES)}.")
    detector = ARCHITECTURES[description["detector"]].from_description(description, classes)
    fill(detector, state, str(path))
    return detector


def _of_torchvision(path: Path, classes: Sequence[str], state: Mapping[str, Tensor]) -> TorchvisionFPN:
    count = len(state[CLASS_HEAD + "cls_score.weight"])
    if count != len(COCO_LABELS):
        raise CheckpointError(
            f"{path}: the weights of torchvision's detector tell {count} classes apart, but not which; COCO's {len(COCO_LABELS)} are expected."
        )
    detector = TorchvisionFPN.with_coco_labels(classes)
    fill(detector.model, state, str(path))
    return detector
