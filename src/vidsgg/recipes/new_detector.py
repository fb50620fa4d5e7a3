"""A detector that is going to be trained: its architecture, and the weights it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from vidsgg.assembly.detectors import best_of_run
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.files import load_detector
from vidsgg.detectors.pretrained import trained_on
from vidsgg.detectors.registry import detector_names, named_detector
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.options import closest
from vidsgg.recipes.command_options import TrainDetectorOptions

DEFAULT = "c4-small"
ORIGINS = ("imagenet", "coco", "none", "auto")


def new_detector(options: TrainDetectorOptions, classes: tuple[str, ...]) -> tuple[RegionDetector, bool, str]:
    """The detector, whether its weights are pretrained, and one line that says what they are.

    Raises ConfigError for names and combinations that there are not, and if weights that were asked
    for cannot be had; CheckpointError if those of a file do not fit.
    """
    origin = options.pretrained
    if origin not in ORIGINS:
        return _from_file(Path(best_of_run(origin)), options, classes)
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
            raise ConfigError(
                f"option -pretrained {origin}: {error} Or train from random weights with -pretrained none."
            ) from error
        return detector, False, f"weights: random (seed {options.seed}), since {error}"


def _untrained(options: TrainDetectorOptions, classes: tuple[str, ...]) -> RegionDetector:
    name = options.detector or DEFAULT
    named = named_detector(name)
    if named is None:
        names = detector_names()
        raise ConfigError(
            f"option -detector: unknown architecture {name!r}; choose from {', '.join(names)}{closest(name, names)}"
        )
    kind, own_name = named
    if not issubclass(kind, RegionDetector):
        raise ConfigError(f"option -detector: {name} cannot be trained with vidsgg.")
    shape = {
        key: getattr(options, key) for key in ("depth", "base_width", "short_side") if getattr(options, key) is not None
    }
    return kind.untrained(own_name, classes, options.seed, shape)


def _from_file(path: Path, options: TrainDetectorOptions, classes: tuple[str, ...]) -> tuple[RegionDetector, bool, str]:
    if not path.is_file():
        raise ConfigError(
            f"option -pretrained: {str(path)!r} is neither a file nor one of"
            f" {', '.join(ORIGINS)}{closest(str(path), ORIGINS)}"
        )
    content = load_tensors(path)
    if origin := trained_on(content):  # torchvision's, which do not say what they belong to
        detector = _untrained(options, classes)
        if origin not in detector.origins:
            raise ConfigError(
                f"option -pretrained: {path} holds {origin} weights, which {options.detector or DEFAULT} cannot start"
                " from."
            )
        return detector, True, _start(detector, origin, content)
    given = [name for name in ("detector", "depth", "base_width", "short_side") if getattr(options, name) is not None]
    if given:
        raise ConfigError(
            f"option {', '.join('-' + name for name in given)}: the file of -pretrained decides; leave it out."
        )
    detector = load_detector(path, classes).requires_grad_(True)
    if detector.classes != classes:
        raise ConfigError(f"option -pretrained: {path} was trained on other classes than the data set has.")
    detector.settle()
    return detector, True, f"weights: {detector.architecture} of {path}"


def _start(detector: RegionDetector, origin: str, weights: Mapping[str, Tensor] | None = None) -> str:
    more = detector.start_from(origin, weights)
    return f"weights: torchvision's, trained on {origin.replace('imagenet', 'ImageNet').replace('coco', 'COCO')}{more}"
