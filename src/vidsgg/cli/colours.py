"""Bold and red on terminals that show them; NO_COLOR (no-color.org) turns them off."""

from __future__ import annotations

import os
from typing import TextIO


def shows_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colours, and nobody has turned them off."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        return stream.isatty()
    except (AttributeError, ValueError):  # replaced by something else, or closed
        return False


def bold(text: str, stream: TextIO) -> str:
    return f"\033[1m{text}\033[0m" if shows_colours(stream) else text


def red(text: str, stream: TextIO) -> str:
    return f"\033[1;31m{text}\033[0m" if shows_colours(stream) else text
