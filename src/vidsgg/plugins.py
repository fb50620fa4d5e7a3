"""Code of the user's own, named as ``package.module:NAME``: which options take it, who may name it, and how it is loaded.

An option that takes such a name says so where it is declared: ``option(..., plugin=True)``. Its name is accepted from where a user
types it (the command line, the file of -config, VIDSGG_OPTIONS, a call in Python), never from a checkpoint or from the
``config.yaml`` of a run's folder, which may be somebody else's: values that come from there pass ``withhold_code`` first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from vidsgg.errors import ConfigError


def names_code(value: Any) -> bool:
    """Whether a value is of the form ``package.module:NAME``. Nothing else is ever imported."""
    if not isinstance(value, str):
        return False
    module, colon, name = value.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load_plugin(option: str, name: str) -> Any:
    """What ``package.module:NAME`` names. Raises ConfigError naming the option if it is not there or cannot be imported."""
    if not names_code(name):
        raise ConfigError(f"option -{option}: {name!r} is not of the form package.module:NAME.")
    module, _, attribute = name.partition(":")
    try:
        return getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"option -{option}: {name!r}: {error}. The module must be one that Python finds, with that name in it."
        ) from error


def plugin_options(kind: type) -> frozenset[str]:
    """The options of a configuration class that take ``package.module:NAME``."""
    return frozenset(field.name for field in dataclasses.fields(kind) if field.metadata.get("plugin"))


def withhold_code(values: Mapping[str, Any], kind: type) -> tuple[dict[str, Any], dict[str, str]]:
    """Values that a file of somebody else's holds, without the options by which they name code; and those options."""
    named = {name: values[name] for name in sorted(plugin_options(kind)) if names_code(values.get(name))}
    return {name: value for name, value in values.items() if name not in named}, named


def require_said_again(file: Path, named: Mapping[str, str], given: Collection[str], kind: type) -> None:
    """Raises ConfigError if a file names code for an option that the user has not given. named: as ``withhold_code`` gives it."""
    for name in sorted(set(named) - set(given)):
        default = {field.name: field.default for field in dataclasses.fields(kind)}[name]
        raise ConfigError(
            f"option -{name}: {file} asks for {named[name]!r}, which is code, and a checkpoint does not choose the code that is run."
            f" If you trust it, give -{name} {named[name]} again; otherwise give -{name} {default}."
        )


def to_say_again(values: Mapping[str, Any], kind: type) -> tuple[str, ...]:
    """The words of a command line that goes on with a run, for the options by which it names code."""
    named = withhold_code(values, kind)[1]
    return tuple(word for name, value in named.items() for word in (f"-{name}", value))
