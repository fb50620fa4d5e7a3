"""Errors that users can correct.

Each names the place, the value and the remedy. The command line prints it as one message and exits
with code 2. Bugs of our own are ordinary Python exceptions and show their traceback.
"""

from collections.abc import Mapping
from itertools import islice
from pathlib import PurePath
from typing import Any


class VidsggError(Exception):
    """An error that the user can correct; its text is the whole message."""


class ConfigError(VidsggError, ValueError):
    """An option, a value or a combination of options that does not work."""


class DataError(VidsggError, ValueError):
    """A file or an annotation that is missing, unreadable or inconsistent."""


class CheckpointError(VidsggError, ValueError):
    """A checkpoint that cannot be read or does not fit the model."""


class ProcessLost(VidsggError):
    """Another process of the run has ended, and this one cannot continue alone. That process reports
    the cause."""


class Stopped(KeyboardInterrupt):
    """A signal stopped the run, which has saved its state; the text says how to resume.

    Like KeyboardInterrupt, ``except Exception`` does not catch it. code: the program's exit code (130
    or 143).
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out. PyTorch has an error of its own for the memory of a
    GPU, and raises plain ones for that of the machine."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "DefaultCPUAllocator" in str(error)
    )


def counted(number: int, one: str, several: str = "") -> str:
    """``1 frame``, ``2,000 frames``. several: where it is not ``one`` with an s."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def short(value: Any, most: int = 60) -> str:
    """``value`` as a message quotes it: like repr, at most ``most`` characters.

    Costs next to nothing whatever the value is: a text of a gigabyte, a number of a million digits,
    lists that hold one another.
    """
    text = _shown(value, 3, most)
    return text if len(text) <= most else text[: most - 3] + "..."


def _shown(value: Any, depth: int, most: int) -> str:
    if isinstance(value, (str, bytes, bytearray)):
        return repr(value[: most + 1])
    # Python writes no more than 4,300 digits
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 256:
        return f"a whole number of about {round(value.bit_length() * 0.30103)} digits"
    if isinstance(value, (int, float, complex, PurePath)) or value is None:
        return repr(value)
    if isinstance(value, (Mapping, list, tuple, set, frozenset)):
        ends = "[]" if isinstance(value, list) else "()" if isinstance(value, tuple) else "{}"
        if depth == 0:
            return f"{ends[0]}...{ends[1]}"
        parts = [_shown(item, depth - 1, most) for item in islice(value, 4)]
        if isinstance(value, Mapping):
            parts = [
                f"{_shown(key, 0, most)}: {_shown(item, depth - 1, most)}" for key, item in islice(value.items(), 4)
            ]
        return ends[0] + ", ".join(parts + ["..."] * (len(value) > 4)) + ends[1]
    if isinstance(value, BaseException):
        return f"{type(value).__name__}({', '.join(_shown(part, 0, most) for part in value.args[:3])})"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple):  # an array or a tensor
        return f"{type(value).__name__} {value!r}" if shape == () else f"{type(value).__name__} of shape {tuple(shape)}"
    return f"a {type(value).__name__}"
