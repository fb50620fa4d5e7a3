"""The detector of a run, by name or from a file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import torch

from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.backends.parts import choose_backend
from vidsgg.detectors.base import BoxDetector, RegionDetector
from vidsgg.detectors.files import KnownDetector, known_detector, load_detector
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.onnx_detector import SUFFIX, OnnxDetector
from vidsgg.detectors.registry import detector_names, named_detector, unknown_detector
from vidsgg.detectors.transformers_detector import TransformersDetector, is_transformers_detector
from vidsgg.errors import ConfigError
from vidsgg.io.locations import Location, RemotePath
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

# What ``-detector auto`` looks for in the data set's folder: a trained one of ours, then the
# published one under its authors' name.
IN_DATA_FOLDER = ("detector.pth", "faster_rcnn_ag.pth")
SHARED_DETECTOR = "detector.safetensors"  # beside a model that 'vidsgg push' has written
BEST = "detector_best.pth"  # in the folder of a run of ``vidsgg train-detector``


def find_detector(name: str, root: Location) -> str:
    """``auto`` becomes the trained detector in the data set's folder, else ``c4-small``; a run's
    folder its best detector; anything else stays what it is."""
    if name != "auto":
        return best_of_run(name)
    return in_data_folder(root) or "c4-small"


def in_data_folder(root: Location) -> str | None:
    """The trained detector in the data set's folder, if there is one. Raises ConfigError if it is in
    object storage."""
    file = next((root / name for name in IN_DATA_FOLDER if (root / name).is_file()), None)
    if isinstance(file, RemotePath):
        raise ConfigError(
            f"the data set has a detector in object storage, {file}; copy it to this machine and name it with"
            " -detector, or name another."
        )
    return None if file is None else str(file)


def best_of_run(name: str) -> str:
    """The best detector in the folder of a run; anything else stays what it is."""
    best = Path(name) / BEST
    try:
        return str(best) if not is_detector_name(name) and best.is_file() else name
    except (OSError, ValueError):  # out of a checkpoint: too long for a path, or none
        return name


# What finds boxes where no detector is named: the first whose weights are on this machine, else the
# first, which is downloaded once. In the order of what their authors report (COCO box mAP 32.8, 22.8, 21.3).
WITHOUT_A_NAME = (
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "ssdlite320_mobilenet_v3_large",
)


def default_detector() -> tuple[str, bool]:
    """The detector that finds boxes where none is named, and whether its weights are on this machine."""
    from vidsgg.detectors.torchvision_zoo import TorchvisionBoxes  # torchvision's networks

    there = [name for name in WITHOUT_A_NAME if TorchvisionBoxes.download(name).is_file()]
    return (there or WITHOUT_A_NAME)[0], bool(there)


def build_default_detector(
    schema: Schema, device: torch.device, inference: Inference = TORCH
) -> tuple[BoxDetector, str]:
    """As ``build_box_detector`` for ``default_detector``. Raises ConfigError that says how to get a detector."""
    name, _ = default_detector()
    try:
        return build_box_detector(name, schema, device, inference=inference)
    except ConfigError as error:
        raise ConfigError(
            f"no detector is named with -detector, and the default one, {name}, cannot be used: {error} Or export any"
            " detector to ONNX, install vidsgg[onnx] and pass -detector FILE.onnx; or find the boxes with another"
            " program and pass -boxes FILE."
        ) from error


def is_detector_name(name: str) -> bool:
    """Whether a value of -detector is a name and no file."""
    return name in detector_names()


def widths_of(name: str) -> FeatureWidths | None:
    """Widths of the features of a detector that has a name, without its weights; None of a file,
    and of one that does not tell."""
    named = named_detector(name)
    return None if named is None or not issubclass(named[0], RegionDetector) else named[0].widths(named[1])


def build_detector(
    name: str,
    schema: Schema,
    device: torch.device,
    *,
    reference_compat: bool = False,
    inference: Inference = TORCH,
) -> tuple[RegionDetector, str]:
    """``open_detector``, on a device."""
    detector, line = open_detector(name, schema, device, reference_compat=reference_compat, inference=inference)
    return detector.on_device(device), line


def open_detector(
    name: str,
    schema: Schema,
    device: torch.device,
    *,
    reference_compat: bool = False,
    inference: Inference = TORCH,
) -> tuple[RegionDetector, str]:
    """The detector of boxes and features that ``name`` (as ``find_detector`` gives it, and only from
    the user where it is code) stands for, still on the CPU, and one line that says what it is.

    device: where it is going to work. inference: what computes it; its package need not be installed
    before it looks at pictures. Raises ConfigError for a name that is none, or of a detector that
    gives boxes only, or that cannot be computed so; CheckpointError for a file that does not fit, or
    whose classes are not the data set's.
    """
    detector, line = _opened(name, schema, NO_LABELS)
    if not isinstance(detector, RegionDetector):
        raise ConfigError(
            f"option -detector: {name} finds boxes but computes no features. Name a detector that does"
            " (docs/detectors.md lists them), or train with -features layout: then a model reads boxes and"
            " classes alone."
        )
    detector.reference_compat = reference_compat
    return detector, _described(detector, line, choose_backend(detector, inference, device))


def known_by_file(name: str, schema: Schema) -> tuple[KnownDetector, str] | None:
    """What the file of a detector says of it, and the line that ``open_detector`` gives, without
    building it; None if ``name`` is no file that says so.

    Raises CheckpointError for a damaged file, ConfigError if its classes are not the data set's.
    """
    path = Path(best_of_run(name))
    if (
        named_detector(name) is not None
        or is_transformers_detector(name)
        or path.suffix.lower() == SUFFIX
        or not os.path.isfile(path)
    ):
        return None
    known = known_detector(path)
    if known is None:
        return None
    _check_classes(str(path), known.classes, schema)
    return known, "; ".join((_line_of_file(known.record.architecture, path), *known.remarks))


def build_describer(
    name: str, schema: Schema, device: torch.device, inference: Inference = TORCH
) -> tuple[RegionDetector, str]:
    """The frozen detector of features that ``name`` stands for, whatever its classes are, and one
    line that says what it is: for features of given boxes, which need no class.

    Raises ConfigError for a name that is none, or of a detector that gives boxes only;
    CheckpointError for a file that does not fit.
    """
    if named_detector(name) is not None or not Path(name).is_file():
        return build_detector(name, schema, device, inference=inference)
    detector = load_detector(Path(name), schema.vocabulary.objects)
    return _at_work(detector, f"{detector.architecture} with the weights of {Path(name).name}", device, inference)


def build_box_detector(
    name: str, schema: Schema, device: torch.device, labels: LabelFiles = NO_LABELS, inference: Inference = TORCH
) -> tuple[BoxDetector, str]:
    """Any detector, for what reads boxes only, and one line that says what it is.

    name: as for ``build_detector``. labels: what the user says of its labels. Raises as
    ``build_detector``, and ConfigError or DataError for labels that do not fit.
    """
    detector, line = _opened(name, schema, labels)
    inference.check_installed()
    return _at_work(detector, line, device, inference)


_Detector = TypeVar("_Detector", bound=BoxDetector)


def _at_work(detector: _Detector, line: str, device: torch.device, inference: Inference) -> tuple[_Detector, str]:
    """The detector on its device, computed as is asked for, and what is to be said of it."""
    said = choose_backend(detector, inference, device)
    detector = detector.on_device(device)
    return detector, _described(detector, line, said)


def _described(detector: BoxDetector, line: str, said: str) -> str:
    return "; ".join(filter(None, (line, *detector.remarks, said)))


def _line_of_file(architecture: str, path: Path) -> str:
    return f"{architecture} with the weights of {path}"


def _opened(name: str, schema: Schema, labels: LabelFiles) -> tuple[BoxDetector, str]:
    """On the CPU. Raises as ``build_box_detector``."""
    classes, named = schema.vocabulary.objects, named_detector(name)
    detector: BoxDetector
    if named is not None:
        kind, own_name = named
        detector, line = kind.ready(own_name, classes, labels)
        where = name
    elif is_transformers_detector(name):
        detector, line = TransformersDetector.ready(name, classes, labels)
        where = name
    else:
        path = Path(best_of_run(name))
        if path.is_dir():
            raise ConfigError(
                f"option -detector: {path} is a folder without {BEST}, as 'vidsgg train-detector' writes it; name its"
                " run's folder, or a file of weights."
            )
        if not os.path.isfile(path):
            raise unknown_detector(name)
        where = str(path)
        if path.suffix.lower() == SUFFIX:
            detector, line = OnnxDetector.ready(name, classes, labels)
        else:
            labels.refuse(name, "tells the classes that it was trained on, not labels of its own")
            detector = load_detector(path, classes)
            line = _line_of_file(detector.architecture, path)
    _check_classes(where, detector.classes, schema)
    return detector, line


def _check_classes(where: str, own: Sequence[str], schema: Schema) -> None:
    """Raises ConfigError if a detector has other classes than the data set."""
    classes = schema.vocabulary.objects
    if tuple(own) != classes:
        differing = next((pair for pair in zip(own, classes, strict=False) if pair[0] != pair[1]), None)
        what = (
            f"{differing[0]!r} stands where the data set has {differing[1]!r}"
            if differing
            else "the numbers of classes differ"
        )
        raise ConfigError(f"option -detector: {where} was trained on other classes than {schema.name!r} has: {what}.")
