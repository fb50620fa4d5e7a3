"""A detector that is going to be trained: its architecture, and the weights it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from vidsgg.assembly.detectors import NAMES
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN
from vidsgg.detectors.files import load_detector
from vidsgg.detectors.imagenet import DIFFERENCES, is_imagenet
from vidsgg.detectors.torchvision_fpn import CLASS_HEAD, DEFAULTS, TorchvisionFPN
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.options import closest
from vidsgg.recipes.options import TrainDetectorOptions

Trainable = FasterRCNN | TorchvisionFPN
DEFAULT = "c4-small"
ORIGINS = ("imagenet", "coco", "none", "auto")


def new_detector(options: TrainDetectorOptions, classes: tuple[str, ...]) -> tuple[Trainable, bool, str]:
    """The detector, whether its weights are pretrained, and one line that says what they are.

    Raises ConfigError for names and combinations that there are not, and if weights that were asked for cannot be had; CheckpointError
    if those of a file do not fit.
    """
    origin = options.pretrained
    if origin not in ORIGINS:
        return _from_file(Path(origin), options, classes)
    detector = _untrained(options, classes)
    if origin == "none" or (origin == "auto" and not detector.origins):
        return detector, False, f"weights: random (seed {options.seed})"
    if origin != "auto" and origin not in detector.origins:
        offers = f"{options.detector or DEFAULT} starts from {' or '.join((*detector.origins, 'none'))}"
        raise ConfigError(f"option -pretrained: there are no {origin} weights for this architecture; {offers}.")
    chosen = detector.origins[0] if origin == "auto" else origin
    try:
        return detector, True, _start(detector, chosen)
    except ConfigError as error:
        if origin != "auto":
            raise ConfigError(f"option -pretrained {origin}: {error} Or train from random weights with -pretrained none.") from error
        return detector, False, f"weights: random (seed {options.seed}), since {error}"


def _untrained(options: TrainDetectorOptions, classes: tuple[str, ...]) -> Trainable:
    name = options.detector or DEFAULT
    shape = {key: getattr(options, key) for key in ("depth", "base_width", "short_side") if getattr(options, key) is not None}
    if name in DETECTORS:
        config = DETECTORS[name]
        return FasterRCNN(replace(config, backbone=replace(config.backbone, **shape, seed=options.seed)), classes)
    if name != TorchvisionFPN.architecture:
        raise ConfigError(f"option -detector: unknown architecture {name!r}; choose from {', '.join(NAMES)}{closest(name, list(NAMES))}")
    if {"depth", "base_width"} & set(shape):
        raise ConfigError(f"option -depth, -base_width: {name} has one size; these are for c4 detectors.")
    return TorchvisionFPN(replace(DEFAULTS, min_size=shape.get("short_side", DEFAULTS.min_size), seed=options.seed), classes)


def _from_file(path: Path, options: TrainDetectorOptions, classes: tuple[str, ...]) -> tuple[Trainable, bool, str]:
    if not path.is_file():
        raise ConfigError(
            f"option -pretrained: {str(path)!r} is neither a file nor one of {', '.join(ORIGINS)}{closest(str(path), ORIGINS)}"
        )
    content = load_tensors(path)
    if is_imagenet(content) or CLASS_HEAD + "cls_score.weight" in content:  # torchvision's, which do not say what they belong to
        detector, origin = _untrained(options, classes), "imagenet" if is_imagenet(content) else "coco"
        if origin not in detector.origins:
            raise ConfigError(f"option -pretrained: {path} holds {origin} weights, which {options.detector or DEFAULT} cannot start from.")
        return detector, True, _start(detector, origin, content)
    given = [name for name in ("detector", "depth", "base_width", "short_side") if getattr(options, name) is not None]
    if given:
        raise ConfigError(f"option {', '.join('-' + name for name in given)}: the file of -pretrained decides; leave it out.")
    detector = load_detector(path, classes).requires_grad_(True)
    assert isinstance(detector, Trainable)
    if detector.classes != classes:
        raise ConfigError(f"option -pretrained: {path} was trained on other classes than the data set has.")
    detector.settle()
    return detector, True, f"weights: {detector.architecture} of {path}"


def _start(detector: Trainable, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
    detector.start_from(origin, weights)
    line = f"weights: torchvision's, trained on {origin.replace('imagenet', 'ImageNet').replace('coco', 'COCO')}"
    return f"{line}, which had been learnt with other {DIFFERENCES}" if isinstance(detector, FasterRCNN) else line
