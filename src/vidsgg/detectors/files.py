"""Detectors on disk: our own files, the published one as its authors wrote it, and
torchvision's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from vidsgg.detectors.authors import check_weights, read_authors
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.pretrained import COCO_HEAD, fill
from vidsgg.detectors.registry import ARCHITECTURES, architecture
from vidsgg.errors import CheckpointError, ConfigError, DataError, short
from vidsgg.io.records import read_shared, write_record
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.io.untrusted import as_type
from vidsgg.ops.undrawn import undrawn

KIND = "detector"
SHARED_SUFFIX = ".safetensors"  # of what ``share_detector`` writes


def save_detector(path: Path, detector: RegionDetector, about: Mapping[str, Any] | None = None) -> None:
    """A detector with everything that it needs to be built again. about: plain values to keep
    beside it, such as how it was trained."""
    content = {
        "kind": KIND,
        "description": detector.describe(),
        "classes": list(detector.classes),
        "state_dict": detector.state_dict(),
        "about": dict(about or {}),
    }
    save_tensors(path, content)


def share_detector(path: Path, detector: RegionDetector) -> None:
    """A detector for others, as ``load_detector`` reads it; how it was trained is left out. Raises OSError."""
    about = {"kind": KIND, "description": detector.describe(), "classes": list(detector.classes)}
    write_record(path, detector.state_dict(), about)


def load_detector(path: Path, classes: Sequence[str] | None = None) -> RegionDetector:
    """A detector from our own file, the authors' or torchvision's; frozen, in evaluation mode, on
    the CPU.

    classes: those of the data set. Only torchvision's file needs them: its labels, COCO's, are
    mapped on them. The other files tell or imply theirs. Raises CheckpointError if the file holds
    no detector, or one that does not fit its description.
    """
    if path.suffix == SHARED_SUFFIX:
        weights, about = read_shared(path, "detector of vidsgg")
        content = {**about, "state_dict": weights}
    else:
        content = load_tensors(path)
    if content.get("kind") == KIND:
        detector = _build(path, content)
    elif COCO_HEAD in content:
        detector = _of_torchvision(path, classes, content)
    else:
        detector = read_authors(path, content)[0]
    return detector.requires_grad_(False).eval()


class _File(msgspec.Struct):
    """What ``save_detector`` writes."""

    kind: str
    description: dict[str, Any]
    classes: Annotated[tuple[str, ...], msgspec.Meta(min_length=2, max_length=100_000)]
    state_dict: dict[str, Tensor]
    about: dict[str, Any] = {}


def _build(path: Path, content: Mapping[str, Any]) -> RegionDetector:
    try:
        file = as_type(content, _File)
        name = file.description.get("detector")
        if not isinstance(name, str):
            raise CheckpointError(f"its description names no detector but {short(name)}.")
        kind = architecture(name)
        if not issubclass(kind, RegionDetector):
            raise CheckpointError(f"a {short(name)} detector is not kept in files of this kind.")
        with undrawn(when=kind.architecture in ARCHITECTURES.built_in):
            detector = kind.from_description(file.description, file.classes)
    except (DataError, CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path} holds no detector that can be built: {error}") from error
    fill(detector, file.state_dict, str(path))
    return detector


def _of_torchvision(path: Path, classes: Sequence[str] | None, state: Mapping[str, Tensor]) -> RegionDetector:
    if classes is None:
        raise CheckpointError(
            f"{path}: torchvision's weights have COCO's labels; a data set is needed to know which classes these are."
        )
    check_weights(path, state)
    count = (state[COCO_HEAD].shape or (0,))[0]
    if count != len(COCO_LABELS):
        raise CheckpointError(
            f"{path}: the weights of torchvision's detector have {count} classes without names; COCO's"
            f" {len(COCO_LABELS)} are expected."
        )
    from vidsgg.detectors.torchvision_fpn import TorchvisionFPN  # torchvision's networks

    detector = TorchvisionFPN.with_coco_labels(classes)
    fill(detector.model, state, str(path))
    return detector
