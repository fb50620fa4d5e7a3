"""Detectors on disk: our own files, the published one as its authors wrote it, and torchvision's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import WRAPPER, detector_state, infer_config, is_detector
from vidsgg.detectors.base import Detector
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.pretrained import fill
from vidsgg.detectors.torchvision_fpn import CLASS_HEAD, TorchvisionFPN
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.io.untrusted import as_type

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
        detector = _build(path, content)
    elif CLASS_HEAD + "cls_score.weight" in content:
        detector = _of_torchvision(path, classes, content)
    else:
        detector = detector_of_authors(path, content)[0]
    return detector.requires_grad_(False).eval()


def detector_of_authors(path: Path, content: Mapping[str, Any]) -> tuple[FasterRCNN, list[str]]:
    """The published Faster R-CNN from the content of the authors' file, and the entries of it that have no place in ours."""
    state = content.get("model", content)
    if not isinstance(state, Mapping) or not all(isinstance(name, str) for name in state) or not is_detector(state):
        raise CheckpointError(
            f"{path} holds no detector: entries such as 'RCNN_base.0.weight' are expected, at the top or under 'model'."
            f" Its first entries are {', '.join(map(short, list(state)[:3])) if isinstance(state, Mapping) else type(state).__name__}."
        )
    _check_weights(path, state)
    ours, left_over = detector_state({name.removeprefix(WRAPPER): value for name, value in state.items()})
    config, count = infer_config(ours)
    classes = SCHEMA.vocabulary.objects
    if count != len(classes):
        raise CheckpointError(f"{path}: the detector has {count} classes; Action Genome's {len(classes)} (with background) are expected.")
    detector = FasterRCNN(config, classes)
    fill(detector, ours, str(path))
    return detector, left_over


class _File(msgspec.Struct):
    """What ``save_detector`` writes."""

    kind: str
    description: dict[str, Any]
    classes: Annotated[tuple[str, ...], msgspec.Meta(min_length=2, max_length=100_000)]
    state_dict: dict[str, Tensor]
    about: dict[str, Any] = {}


def _build(path: Path, content: Mapping[str, Any]) -> Detector:
    try:
        file = as_type(content, _File)
        name = file.description.get("detector")
        if not isinstance(name, str) or name not in ARCHITECTURES:
            raise CheckpointError(f"it is a {short(name)}; known are {', '.join(ARCHITECTURES)}.")
        detector = ARCHITECTURES[name].from_description(file.description, file.classes)
    except (DataError, CheckpointError) as error:
        raise CheckpointError(f"{path} holds no detector that can be built: {error}") from error
    fill(detector, file.state_dict, str(path))
    return detector


def _check_weights(path: Path, state: Mapping[str, Any]) -> None:
    """Raises CheckpointError if a state dict holds anything but tensors."""
    try:
        as_type(state, dict[str, Tensor])
    except DataError as error:
        raise CheckpointError(f"{path}: {error}") from error


def _of_torchvision(path: Path, classes: Sequence[str], state: Mapping[str, Tensor]) -> TorchvisionFPN:
    _check_weights(path, state)
    count = (state[CLASS_HEAD + "cls_score.weight"].shape or (0,))[0]
    if count != len(COCO_LABELS):
        raise CheckpointError(
            f"{path}: the weights of torchvision's detector tell {count} classes apart, but not which; COCO's {len(COCO_LABELS)} are expected."
        )
    detector = TorchvisionFPN.with_coco_labels(classes)
    fill(detector.model, state, str(path))
    return detector
