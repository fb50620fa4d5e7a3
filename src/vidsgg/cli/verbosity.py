"""``-q`` and ``-v``, in front of a command's name or behind it."""

from __future__ import annotations

import logging
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from vidsgg.status import QUIET, VERBOSE, level, say, set_level

LEVELS = {"q": QUIET, "quiet": QUIET, "v": VERBOSE, "verbose": VERBOSE}
_TOLD = ("vidsgg", "torch", "torchvision", "numpy", "av")  # what bug reports need


def be(wanted: str) -> None:
    """Be quiet or verbose from now on. Verbose at once: the versions of what computes, and what libraries log."""
    if wanted == VERBOSE and level() != VERBOSE:
        set_level(wanted)
        logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
        say(f"Python {platform.python_version()}, {', '.join(filter(None, map(_version, _TOLD)))}, {sys.platform}")
    set_level(wanted)


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return ""
