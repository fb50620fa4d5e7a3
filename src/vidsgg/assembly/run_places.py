"""Where the files and folders lie now that a run names: its data set, detector, features, word
vectors, language model.

Options that may name what is read are declared with ``option(..., place="input")``. Runs record
such places as absolute paths, and beside them the folder in which they were started. So a
checkpoint works from any folder, and after its tree was moved or copied. An address in object storage
stays as it is, and is contacted only where the user names it too.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from vidsgg.errors import ConfigError
from vidsgg.io.locations import Location, is_storage, location

T = TypeVar("T")
# values that stand for something else, whatever files are called so
_WORDS = ("auto", "off", "layout", "none", "synthetic", "last")


def place_options(kind: type) -> tuple[str, ...]:
    """The options of a configuration class that may name a file or a folder."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.metadata.get("place") == "input")


def absolute_places(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Options to be recorded: files and folders that are there by their absolute paths."""
    names = place_options(kind)
    return {name: _absolute(value) if name in names else value for name, value in values.items()}


def is_found(value: str) -> bool:
    """Whether a file or folder that a run names is where it was. Addresses are not looked at."""
    return is_storage(value) or os.path.exists(value)


def check_not_recorded(option: str, value: object, file: Path) -> None:
    """Raises ConfigError if the value of an option that only a file gives is an address."""
    if isinstance(value, str) and is_storage(value):
        raise ConfigError(
            f"option -{option}: {file} names {value}. An address that only a file names is not contacted; if it is"
            f" yours, add -{option} {value}."
        )


def possible_places(value: str, folder: Path, started_in: object = None) -> Sequence[Location]:
    """Where a file or folder may lie now that a run names, the likeliest first.

    folder: where the run, or its checkpoint, lies now. started_in: the folder in which the run was
    started, if its checkpoint says so; version 0.1.0 did not, and recorded paths as they were
    typed.
    """
    if is_storage(value):
        return [location(value)]
    given, here = Path(value), Path(os.path.abspath(folder))
    found, within = [Path(os.path.abspath(given))], given
    if given.is_absolute():
        if not isinstance(started_in, str) or not given.is_relative_to(started_in):
            return found
        within = given.relative_to(started_in)  # the tree of files in which both lie may have been moved or copied
    found += [parent / within for parent in (here, *here.parents, Path.cwd())]
    return list(dict.fromkeys(found))


def find_places(options: T, folder: Path, started_in: object = None) -> T:
    """Options of a run with the places that are no longer where they were, but are found elsewhere,
    by where they are now."""
    changes = {}
    for name in place_options(type(options)):
        value = getattr(options, name)
        if isinstance(value, str) and value not in _WORDS and not is_found(value):
            there = next((place for place in possible_places(value, folder, started_in) if is_found(str(place))), None)
            if there is not None:
                changes[name] = str(there)
    return dataclasses.replace(options, **changes) if changes else options  # type: ignore[type-var]


def _absolute(value: Any) -> Any:
    if isinstance(value, str) and value not in _WORDS and os.path.exists(value):
        return os.path.abspath(value)
    return value
