"""Detectors on disk: our own files, the published one as its authors wrote it, and
torchvision's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from torch import Tensor

from vidsgg.detectors.authors import check_weights, read_authors
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.coco_classes import COCO_LABELS
from vidsgg.detectors.pretrained import COCO_HEAD, fill
from vidsgg.detectors.record import DetectorRecord
from vidsgg.detectors.registry import ARCHITECTURES, architecture
from vidsgg.errors import CheckpointError, ConfigError, DataError, short
from vidsgg.io.records import Record, read_shared, write_record
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.io.untrusted import as_type
from vidsgg.ops.undrawn import undrawn
from vidsgg.structures.widths import FeatureWidths

KIND = "detector"
SHARED_SUFFIX = ".safetensors"  # of what ``share_detector`` writes


def save_detector(path: Path, detector: RegionDetector, about: Mapping[str, Any] | None = None) -> None:
    """A detector with everything that it needs to be built again. about: plain values to keep
    beside it, such as how it was trained."""
    content = {
        "kind": KIND,
        "description": detector.describe(),
        "classes": list(detector.classes),
        "known": _known(detector),
        "state_dict": detector.state_dict(),
        "about": dict(about or {}),
    }
    save_tensors(path, content)


def share_detector(path: Path, detector: RegionDetector) -> None:
    """A detector for others, as ``load_detector`` reads it; how it was trained is left out. Raises OSError."""
    about = {
        "kind": KIND,
        "description": detector.describe(),
        "classes": list(detector.classes),
        "known": _known(detector),
    }
    write_record(path, detector.state_dict(), about)


def _known(detector: RegionDetector) -> dict[str, Any]:
    """What could otherwise be known of a detector only by building it."""
    return {
        "weights": detector.digest(),
        "node_width": detector.node_width,
        "union_channels": detector.union_channels,
        "remarks": list(detector.remarks),
    }


@dataclass(frozen=True)
class KnownDetector:
    """What a file says of its detector."""

    record: DetectorRecord
    classes: tuple[str, ...]  # by index, the background first
    widths: FeatureWidths  # of its features
    remarks: tuple[str, ...]  # as ``RegionDetector.remarks``


def known_detector(path: Path) -> KnownDetector | None:
    """What ``save_detector`` or ``share_detector`` wrote of the detector; its weights are not read, nor
    compared with what is said of them. None for any other file, and for those of earlier versions.

    Raises CheckpointError if the file is damaged, or what it says is.
    """
    content: Mapping[str, Any]
    if path.suffix == SHARED_SUFFIX:
        try:
            content = Record(path).about
        except DataError:
            return None  # ``load_detector`` says what is wrong
    else:
        content = load_tensors(path, without=("state_dict",))
    if content.get("kind") != KIND or "known" not in content:
        return None
    try:
        file = as_type(content, _Known)
        _architecture_in(file.description)
        json.dumps(file.description)  # it is compared with what stands in JSON
    except (DataError, CheckpointError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} holds no detector that can be built: {error}") from error
    known = file.known
    return KnownDetector(
        DetectorRecord(file.description, known.weights),
        file.classes,
        FeatureWidths(node=known.node_width, union=known.union_channels),
        known.remarks,
    )


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


_Classes = Annotated[tuple[str, ...], msgspec.Meta(min_length=2, max_length=100_000)]
_Width = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]


class _File(msgspec.Struct):
    """What ``save_detector`` writes."""

    kind: str
    description: dict[str, Any]
    classes: _Classes
    state_dict: dict[str, Tensor]
    about: dict[str, Any] = {}


class _Facts(msgspec.Struct):
    """What ``_known`` gives."""

    weights: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    node_width: _Width
    union_channels: _Width
    remarks: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=1_000_000)], ...], msgspec.Meta(max_length=100)]


class _Known(msgspec.Struct):
    """What of it ``known_detector`` reads."""

    description: dict[str, Any]
    classes: _Classes
    known: _Facts


def _architecture_in(description: Mapping[str, Any]) -> str:
    name = description.get("detector")
    if not isinstance(name, str):
        raise CheckpointError(f"'detector' in its description is {short(name)}; expected the name of one.")
    return name


def _build(path: Path, content: Mapping[str, Any]) -> RegionDetector:
    try:
        file = as_type(content, _File)
        name = _architecture_in(file.description)
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
