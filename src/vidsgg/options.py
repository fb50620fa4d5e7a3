"""Fields of option dataclasses, and hints for misspelt names. Shared by whoever declares options; imports nothing heavy."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from vidsgg.errors import ConfigError


def option(default: Any = dataclasses.MISSING, help: str = "", choices: Sequence[str] = (), low: float | None = None) -> Any:
    """A dataclass field with its help text, the words it takes, and its smallest sensible value."""
    return dataclasses.field(default=default, metadata={"help": help, "choices": tuple(choices), "low": low})


def check_bounds(config: Any) -> None:
    """Raises ConfigError if an option lies below its smallest sensible value, or is not a number at all (nan)."""
    for field in dataclasses.fields(config):
        low, value = field.metadata.get("low"), getattr(config, field.name)
        if low is not None and value is not None and not value >= low:
            raise ConfigError(f"option -{field.name}: {value} is too small; the least is {low}")


def closest(name: str, known: Sequence[str]) -> str:
    """A hint such as ``; did you mean 'mode' or 'model'?``, or nothing when no known name is near."""
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
