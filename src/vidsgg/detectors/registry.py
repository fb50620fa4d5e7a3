"""The detectors by architecture, as files name them, and by the names that ``-detector`` takes."""

from __future__ import annotations

from typing import Any

from vidsgg.detectors.base import BoxDetector
from vidsgg.errors import ConfigError, short
from vidsgg.plugins import Registry, names_code


def _wrong(name: str, thing: Any) -> str:
    if not isinstance(thing, type) or not issubclass(thing, BoxDetector):
        return f"it is {short(thing)}, not a class that extends BoxDetector or RegionDetector of vidsgg.extend"
    lacking = sorted(getattr(thing, "__abstractmethods__", ()))
    if lacking:
        return f"the class lacks {', '.join(lacking)}"
    stated = getattr(thing, "architecture", None)
    return (
        ""
        if names_code(name) or stated == name
        else f"the class states the architecture {short(stated)}; give both one name"
    )


ARCHITECTURES: Registry[type[BoxDetector]] = Registry(
    "detector",
    "vidsgg.detectors",
    {
        "faster-rcnn-c4": "vidsgg.detectors.faster_rcnn:FasterRCNN",
        "fasterrcnn_resnet50_fpn_v2": "vidsgg.detectors.torchvision_fpn:TorchvisionFPN",
        "torchvision": "vidsgg.detectors.torchvision_zoo:TorchvisionBoxes",
    },
    _wrong,
)


def detector_names() -> tuple[str, ...]:
    """What ``-detector`` may be besides a file: names of built-in and installed detectors, and of
    those that the user has named."""
    found = {name: None for kind in ARCHITECTURES.all().values() for name in kind.names()}
    return (*found, *(name for name in ARCHITECTURES.all() if names_code(name)))


def named_detector(name: str) -> tuple[type[BoxDetector], str] | None:
    """The class that a value of -detector stands for, as the user typed it, and what the class
    calls it; None if it is no name.

    Raises ConfigError if it names code that cannot be used.
    """
    if names_code(name):
        kind = ARCHITECTURES.admit(name)
        return kind, kind.names()[0]
    found = next(((kind, name) for kind in ARCHITECTURES.all().values() if name in kind.names()), None)
    if found is None and name in ARCHITECTURES.names() and name not in ARCHITECTURES.built_in:
        ARCHITECTURES.get(name)  # says what is wrong with the package
    return found


def architecture(name: str) -> type[BoxDetector]:
    """The class of the detector in a file, which states it by name. Raises ConfigError if there is
    none."""
    if name in ARCHITECTURES.names():
        return ARCHITECTURES.get(name)
    known = {kind.architecture: kind for kind in ARCHITECTURES.all().values()}
    if name not in known:
        raise ConfigError(f"it is a {short(name)}; known are {', '.join(known)}. Install the package that brings it.")
    return known[name]
