"""Lines about the work under way. They go to standard error, so that standard output holds results
alone. Imports nothing heavy."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# In the environment, so that the processes that a command starts are as quiet as it is.
_VARIABLE = "VIDSGG_STATUS"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tabulators and ends of lines
QUIET, NORMAL, VERBOSE = "quiet", "normal", "verbose"


def level() -> str:
    """``quiet`` after -q, ``verbose`` after -v, else ``normal``."""
    return os.environ.get(_VARIABLE, NORMAL)


def set_level(wanted: str) -> None:
    """For this process and those that it starts."""
    os.environ[_VARIABLE] = wanted


@contextmanager
def level_of_one_command() -> Iterator[None]:
    """Restores the level at its end, for programs that call several commands."""
    before = os.environ.get(_VARIABLE)
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_VARIABLE, None)
        else:
            os.environ[_VARIABLE] = before


def visible(text: str) -> str:
    """Text for a terminal: control characters, which a name in a file may contain, as ``\\x1b``."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def say(text: str) -> None:
    """A line, or several, about the work under way; nothing after -q. Stays above progress bars."""
    if level() == QUIET or not text:
        return
    text = visible(text)
    bars = sys.modules.get("tqdm")  # no bar is shown where nobody has imported it
    if bars is None:
        print(text, file=sys.stderr, flush=True)
    else:
        bars.tqdm.write(text, file=sys.stderr)
        sys.stderr.flush()


def say_loading() -> None:
    """At a terminal: that PyTorch is imported now, which takes seconds without a word."""
    if "torch" not in sys.modules and sys.stderr.isatty() and process_number() == 0:
        say("loading PyTorch")


def own_bars() -> None:
    """For a process that may be killed: progress bars get a lock of this process alone. tqdm's own is
    shared with other processes and would be left behind, of which Python warns at its end."""
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())


def hides_bars(hidden: bool = False) -> bool | None:
    """tqdm's ``disable``: None shows a bar if there is a terminal. hidden: whatever -q says."""
    return True if hidden or level() == QUIET else None


def process_number() -> int:
    """Number of this process among several that torchrun has started, from 0; the first one prints results."""
    return int(os.environ.get("RANK", 0))
