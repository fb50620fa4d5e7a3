"""Fields of option dataclasses, their values from text, and hints for misspelt names. Shared by whoever declares or reads options;
imports nothing heavy."""

import dataclasses
import difflib
import os
import sys
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from vidsgg.errors import ConfigError


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    choices: Sequence[str] = (),
    low: float | None = None,
    aliases: Sequence[str] = (),
    plugin: bool = False,
    takes_stream: bool = False,
) -> Any:
    """A dataclass field with its help text, the words it takes, its smallest sensible value, and other names that it answers to.

    plugin: it also takes ``package.module:NAME``, code of the user's own; see ``vidsgg/plugins.py`` for who may name it.
    takes_stream: whether ``-`` stands for standard output.
    """
    metadata = {"help": help, "choices": tuple(choices), "low": low, "aliases": tuple(aliases), "plugin": plugin}
    metadata["takes_stream"] = takes_stream
    return dataclasses.field(default=default, metadata=metadata)


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


def kind_of(annotation: Any) -> tuple[Any, bool, tuple[str, ...]]:
    """(basic type, may be none, allowed words) of a field annotation."""
    optional = False
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        inner = [a for a in typing.get_args(annotation) if a is not type(None)]
        annotation, optional = inner[0], len(inner) < len(typing.get_args(annotation))
    if typing.get_origin(annotation) is Literal:
        return str, optional, tuple(typing.get_args(annotation))
    return annotation, optional, ()


def convert(name: str, value: Any, annotation: Any, choices: Sequence[str] = ()) -> Any:
    """``value`` (text from the command line, or a YAML scalar) as the field's type. Raises ConfigError naming the option."""
    kind, optional, words = kind_of(annotation)
    words = words or tuple(choices)
    if value is None or (optional and isinstance(value, str) and value.lower() in ("none", "null", "")):
        if optional:
            return None
        raise ConfigError(f"option {name}: a value is needed")
    if kind is bool:
        if isinstance(value, bool):
            return value
        lowered = str(value).lower()
        if lowered in ("true", "1", "yes"):
            return True
        if lowered in ("false", "0", "no"):
            return False
        raise ConfigError(f"option {name}: expected True or False, got {value!r}")
    if kind in (int, float):
        if not isinstance(value, bool):
            try:
                number = float(value)
                if kind is float:
                    return number
                if number == int(number):
                    return int(number)
            except (TypeError, ValueError, OverflowError):
                pass
        raise ConfigError(f"option {name}: expected {'a whole number' if kind is int else 'a number'}, got {value!r}")
    if isinstance(value, (dict, list)):
        raise ConfigError(f"option {name}: expected one value, got {value!r}")
    if kind is Path:
        return Path(str(value))
    text = str(value)
    if words and text not in words:
        raise ConfigError(f"option {name}: unknown value {text!r}; choose from {', '.join(words)}{closest(text, words)}")
    return text


def fields_of(config: type) -> dict[str, tuple[Any, dataclasses.Field[Any]]]:
    """Every option of a configuration class: name -> (type, field)."""
    hints = typing.get_type_hints(config)
    return {f.name: (hints[f.name], f) for f in dataclasses.fields(config)}


def options_from_environment(known: Mapping[str, tuple[Any, dataclasses.Field[Any]]], who: str) -> dict[str, Any]:
    """Options of ``VIDSGG_OPTIONS="epochs=1 batch_size=2"``, which are told to the user as ``who``'s. Names that are not known here are
    meant for other commands. Raises ConfigError for a value that does not fit.
    """
    values = {}
    for word in os.environ.get("VIDSGG_OPTIONS", "").split():
        name, equals, text = word.partition("=")
        if not equals:
            raise ConfigError(f"VIDSGG_OPTIONS: {word!r} is no option; write name=value, several with spaces between them.")
        if name in known:
            annotation, field = known[name]
            try:
                values[name] = convert(name, text, annotation, field.metadata.get("choices", ()))
            except ConfigError as error:
                raise ConfigError(f"VIDSGG_OPTIONS: {error}") from error
    if values:
        print(f"{who}: by VIDSGG_OPTIONS {', '.join(f'{name} {value}' for name, value in values.items())}", file=sys.stderr)
    return values


def aliases_of(config: type) -> dict[str, str]:
    """The other names of options of a configuration class, and what they stand for."""
    return {alias: field.name for field in dataclasses.fields(config) for alias in field.metadata.get("aliases", ())}
