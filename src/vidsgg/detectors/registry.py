"""The detectors by architecture, as files name them, and by the names that ``-detector`` takes.
Imports nothing heavy before a detector is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vidsgg.detectors.names import C4, FPN, HUB, NAMES, ZOO
from vidsgg.errors import ConfigError, short
from vidsgg.options import closest
from vidsgg.plugins import Registry, names_code

if TYPE_CHECKING:
    from vidsgg.detectors.base import BoxDetector


def _wrong(name: str, thing: Any) -> str:
    from vidsgg.detectors.base import BoxDetector  # torch

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
        C4: "vidsgg.detectors.faster_rcnn:FasterRCNN",
        FPN: "vidsgg.detectors.torchvision_fpn:TorchvisionFPN",
        ZOO: "vidsgg.detectors.torchvision_zoo:TorchvisionBoxes",
    },
    _wrong,
)


def detector_names() -> tuple[str, ...]:
    """What ``-detector`` may be besides a file: names of built-in and installed detectors, and of
    those that the user has named."""
    others = _not_built_in()
    built_in = [name for names in NAMES.values() for name in names]
    found = dict.fromkeys([*built_in, *(name for kind in others.values() for name in kind.names())])
    return (*found, *(name for name in others if names_code(name)))


def _not_built_in() -> dict[str, type[BoxDetector]]:
    return ARCHITECTURES.all(besides=NAMES)


def named_detector(name: str) -> tuple[type[BoxDetector], str] | None:
    """The class that a value of -detector stands for, as the user typed it, and what the class
    calls it; None if it is no name.

    Raises ConfigError if it names code that cannot be used.
    """
    if names_code(name):
        kind = ARCHITECTURES.admit(name)
        return kind, kind.names()[0]
    for architecture_name, names in NAMES.items():
        if name in names:
            return ARCHITECTURES.get(architecture_name), name
    found = next(((kind, name) for kind in _not_built_in().values() if name in kind.names()), None)
    if found is None and name in ARCHITECTURES.names() and name not in ARCHITECTURES.built_in:
        ARCHITECTURES.get(name)  # says what is wrong with the package
    return found


def unknown_detector(name: str) -> ConfigError:
    """What to say of a value of -detector that is nothing at all."""
    names = detector_names()
    return ConfigError(
        f"option -detector: {name!r} is neither a file, nor {HUB}ORG/NAME, nor one of {', '.join(names)}{closest(name, names)}"
    )


def architecture(name: str) -> type[BoxDetector]:
    """The class of the detector in a file, which states it by name. Raises ConfigError if there is
    none."""
    if name in ARCHITECTURES.names():
        return ARCHITECTURES.get(name)
    known = {kind.architecture: kind for kind in ARCHITECTURES.all().values()}
    if name not in known:
        raise ConfigError(f"it is a {short(name)}; known are {', '.join(known)}. Install the package that brings it.")
    return known[name]
