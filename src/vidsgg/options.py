"""Fields of option dataclasses, their values from text, and hints for misspelt names. Shared by
whoever declares or reads options; imports nothing heavy."""

import contextlib
import dataclasses
import difflib
import functools
import math
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from vidsgg.errors import ConfigError, short

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")

# An existing file or folder; a file, a folder, or either of them that is to be written.
Place = Literal["input", "new file", "new folder", "new"]
# Where the value of an option does not count: a run that goes on may have another; so may the
# processes that share a search; a list of runs does not show it; kept scores of a checkpoint stay
# true (what it names is compared by content).
Free = Literal["run", "study", "list", "scores"]
_LONGEST = 4096  # letters of an option's value
COMMON = "common options"  # the group that '-h' shows where a command has one; '-help-all' shows the others too


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    choices: Sequence[str] = (),
    low: float | None = None,
    high: float | None = None,
    aliases: Sequence[str] = (),
    place: Place | None = None,
    remote: bool = False,
    hub: bool = False,
    plugin: bool = False,
    takes_stream: bool = False,
    free: Sequence[Free] = (),
    group: str = "",
    fixed: Sequence[str] = (),
) -> Any:
    """A dataclass field that is an option of a command.

    Args:
        default: its default.
        help: its help text.
        choices: the words that it accepts.
        low: its least value.
        high: its greatest value; infinity if the option accepts that too.
        aliases: other names of the option.
        place: what kind of path it is, so that it can be checked before any work.
        remote: whether the path may be in object storage; see ``vidsgg/io/locations.py``.
        hub: whether it also accepts ``hf://ORG/NAME``, a model on the hub.
        plugin: whether it also accepts ``package.module:NAME``, the user's own code; see
            ``vidsgg/plugins.py`` for who may name it.
        takes_stream: whether ``-`` stands for standard output or input.
        free: where its value may change; everywhere else it must stay the same.
        group: its heading in the command's help.
        fixed: values that may not change even there.
    """
    metadata = {
        "help": help,
        "choices": tuple(choices),
        "low": low,
        "high": high,
        "aliases": tuple(aliases),
        "place": place,
        "remote": remote,
        "hub": hub,
    }
    metadata |= {"plugin": plugin, "takes_stream": takes_stream, "free": tuple(free), "fixed": tuple(fixed)}
    metadata["group"] = group
    return dataclasses.field(default=default, metadata=metadata)


def check_bounds(config: Any) -> None:
    """Raises ConfigError if an option lies outside of its bounds, or is not a number at all
    (nan)."""
    for field in dataclasses.fields(config):
        check_bound(f"option -{field.name}: ", getattr(config, field.name), field)


def check_bound(where: str, value: Any, field: dataclasses.Field[Any]) -> None:
    """Raises ConfigError if a number lies outside of the bounds of its option. Infinity does unless
    it is a bound itself."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return
    low, high = field.metadata.get("low"), field.metadata.get("high")
    if math.isnan(value):
        raise ConfigError(f"{where}{value} is not a number")
    if (low is not None and value < low) or (value == -math.inf and low != -math.inf):
        raise ConfigError(f"{where}{short(value)} is too small; the least is {low}")
    if (high is not None and value > high) or (value == math.inf and high != math.inf):
        raise ConfigError(
            f"{where}{short(value)} is too large; "
            + (f"the most is {high}" if high is not None else "give a finite number")
        )


def closest(name: str, known: Sequence[str]) -> str:
    """A hint such as ``; did you mean 'mode' or 'model'?``, or nothing when no known name is
    near."""
    # takes time by the square of its length
    near = difflib.get_close_matches(name, known, n=2, cutoff=0.6) if len(name) <= 100 else ()
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def kind_of(annotation: Any) -> tuple[Any, bool, tuple[str, ...]]:
    """(basic type, may be none, allowed words) of a field annotation."""
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        annotation, optional = inner[0], len(inner) < len(typing.get_args(annotation))
    if typing.get_origin(annotation) is Literal:
        return str, optional, tuple(typing.get_args(annotation))
    return annotation, optional, ()


def takes_several(annotation: Any) -> bool:
    """Whether a field takes any number of words (``tuple[str, ...]``)."""
    origin: object = typing.get_origin(annotation)
    return origin is tuple


def convert(name: str, value: Any, annotation: Any, choices: Sequence[str] = ()) -> Any:
    """``value`` (text from the command line, or a YAML scalar) as the field's type. Raises
    ConfigError naming the option."""
    kind, optional, words = kind_of(annotation)
    words = words or tuple(choices)
    if value is None or (optional and isinstance(value, str) and value.lower() in ("none", "null")):
        if optional:
            return None
        raise ConfigError(f"option {name}: a value is needed")
    if optional and kind in (int, float) and value in words:
        return None
    if isinstance(value, str) and not value.strip():
        raise ConfigError(f"option {name}: the value is empty; leave the option out, or give a value")
    if kind is bool:
        if isinstance(value, bool):
            return value
        lowered = str(value).lower() if isinstance(value, (str, int)) and len(short(value)) < 10 else ""
        if lowered in ("true", "1", "yes"):
            return True
        if lowered in ("false", "0", "no"):
            return False
        raise ConfigError(f"option {name}: expected True or False, got {short(value)}")
    if kind in (int, float):
        number = _number(value, kind)
        if number is None:
            raise ConfigError(
                f"option {name}: expected {' or '.join(('a whole number' if kind is int else 'a number', *words))}, got"
                f" {short(value)}"
            )
        return number
    if not isinstance(value, (str, int, float, Path)):
        raise ConfigError(f"option {name}: expected one value, got {short(value)}")
    text = str(value) if isinstance(value, (str, Path)) else short(value)
    check_text(name, text)
    if kind is Path:
        return Path(text)
    if words and text not in words:
        raise ConfigError(
            f"option {name}: unknown value {short(text)}; choose from {', '.join(words)}{closest(text, words)}"
        )
    return text


def check_text(name: str, text: str) -> None:
    """Raises ConfigError for a text that no file name, and nothing else that options take, can be:
    empty, endless or not Unicode."""
    if not text.strip():
        raise ConfigError(f"option {name}: the value is empty; leave the option out, or give a value")
    if len(text) > _LONGEST:
        raise ConfigError(
            f"option {name}: the value {short(text)} has {len(text):,} letters; at most {_LONGEST:,} are read"
        )
    if "\0" in text:
        raise ConfigError(f"option {name}: the value {short(text)} has a NUL character in it")
    try:
        os.fsencode(text)  # takes the bytes of names that are not Unicode, as Python passes them
    except UnicodeEncodeError:
        raise ConfigError(f"option {name}: the value {short(text)} has half a surrogate pair in it") from None


def _number(value: Any, kind: type) -> Any:
    """``value`` as an int or float; None if it is none. Whole numbers are exact, and may be written
    as ``1e3`` too."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    if kind is int:
        with contextlib.suppress(ValueError):
            if not isinstance(value, float):
                return int(value)
    try:
        number = float(value)
        return number if kind is float else int(number) if number == int(number) else None
    except (ValueError, OverflowError):
        return None


def part_of(options: Any, config: type[T], **changes: Any) -> T:
    """Make a configuration from options that contain its fields.

    Args:
        options: the options.
        config: the dataclass of the configuration.
        changes: fields that get other values.
    """
    return config(
        **{
            field.name: getattr(options, field.name)
            for field in dataclasses.fields(config)
            if field.name not in changes
        },
        **changes,
    )


def fields_of(config: type) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    """Every option of a configuration class: name -> (type, field)."""
    hints = _types_of(config)
    return {f.name: (hints[f.name], f) for f in dataclasses.fields(config)}


@functools.lru_cache(maxsize=256)
def _types_of(config: type) -> dict[str, Any]:
    """The types of its fields. Kept: texts of types are evaluated for it, and a command line asks for
    those of every method."""
    return typing.get_type_hints(config)


def free_options(config: type, where: Free, *values: Mapping[str, Any]) -> frozenset[str]:
    """Options of a configuration class whose values do not count in one of the places that ``Free``
    names. values: of the configurations that are compared; an option that has a ``fixed`` value in
    any of them counts."""
    return frozenset(
        field.name
        for field in dataclasses.fields(config)
        if where in field.metadata.get("free", ())
        and not any(given.get(field.name) in field.metadata["fixed"] for given in values)
    )


def options_from_environment(known: Mapping[str, tuple[Any, dataclasses.Field[Any]]], who: str) -> dict[str, Any]:
    """Options of ``VIDSGG_OPTIONS="epochs=1 batch_size=2"``, with a line on stderr that names
    ``who``. Names that are not known here are meant for other commands. Raises ConfigError for a
    value that does not fit.
    """
    values = {}
    for word in os.environ.get("VIDSGG_OPTIONS", "").split():
        name, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(
                f"VIDSGG_OPTIONS: {short(word)} is no option; write name=value, several with spaces between them."
            )
        if name in known:
            annotation, field = known[name]
            try:
                values[name] = convert(name, text, annotation, field.metadata.get("choices", ()))
            except ConfigError as error:
                raise ConfigError(f"VIDSGG_OPTIONS: {error}") from error
    if values:
        print(
            f"{who}: by VIDSGG_OPTIONS {', '.join(f'{name} {value}' for name, value in values.items())}",
            file=sys.stderr,
        )
    return values


def aliases_of(config: type) -> dict[str, str]:
    """The other names of options of a configuration class, and what they stand for."""
    return {alias: field.name for field in dataclasses.fields(config) for alias in field.metadata.get("aliases", ())}
