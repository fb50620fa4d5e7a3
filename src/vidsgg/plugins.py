"""Doors for other people's code: what is built in, what installed packages bring, and what a user
names as ``package.module:NAME``.

A ``Registry`` holds the things of one kind by name. Installed packages add theirs by entry points
of its group.

``package.module:NAME`` is accepted from where a user types it (the command line, the file of
-config, VIDSGG_OPTIONS, a call in Python), never from a checkpoint or from the ``config.yaml`` of a
run's folder, which may be somebody else's. An option that takes such a name says so where it is
declared, ``option(..., plugin=True)``, and values out of files pass ``withhold_code`` first. The
name of a model stays in its checkpoint, and its registry refuses it until the user has named it too
(``Registry.admit``).
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar

from vidsgg.errors import ConfigError, short
from vidsgg.options import closest

T = TypeVar("T")


def names_code(value: Any) -> bool:
    """Whether a value is of the form ``package.module:NAME``. Nothing else is ever imported."""
    if not isinstance(value, str):
        return False
    module, colon, name = value.partition(":")
    return bool(colon) and name.isidentifier() and all(part.isidentifier() for part in module.split("."))


def load_plugin(option: str, name: str) -> Any:
    """What ``package.module:NAME`` names. Raises ConfigError naming the option if it is not there
    or cannot be imported."""
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
    """Values that a file of somebody else's holds, without the options by which they name code; and
    those options."""
    named = {name: values[name] for name in sorted(plugin_options(kind)) if names_code(values.get(name))}
    return {name: value for name, value in values.items() if name not in named}, named


def require_said_again(file: Path, named: Mapping[str, str], given: Collection[str], kind: type) -> None:
    """Raises ConfigError if a file names code for an option that the user has not given. named: as
    ``withhold_code`` gives it."""
    for name in sorted(set(named) - set(given)):
        default = {field.name: field.default for field in dataclasses.fields(kind)}[name]
        raise ConfigError(
            f"option -{name}: {file} asks for {named[name]!r}, which is code, and a checkpoint does not choose"
            f" which code is run. If you trust it, give -{name} {named[name]} again; otherwise give -{name}"
            f" {default}."
        )


def to_say_again(values: Mapping[str, Any], kind: type) -> tuple[str, ...]:
    """The words of a command line that goes on with a run, for the options by which it names
    code."""
    named = withhold_code(values, kind)[1]
    return tuple(word for name, value in named.items() for word in (f"-{name}", value))


@dataclass(frozen=True)
class _Installed:
    """An entry point."""

    package: str
    value: str  # "package.module:NAME"


class Registry(Generic[T]):
    """The things of one kind by name. Modules are imported when a thing is asked for, not before.

    option: of the command line, by which one is named; messages begin with it. group: of entry
    points. built_in: ``package.module:NAME``
    by name. check: says what is wrong with a thing under a name, given as (name, thing), where
    nothing is wrong the empty text. A thing that a user names as ``package.module:NAME`` is checked
    under that.
    """

    def __init__(self, option: str, group: str, built_in: Mapping[str, str], check: Callable[[str, Any], str]) -> None:
        self.option, self.group, self.built_in, self._check = option, group, dict(built_in), check
        self._found: dict[str, T] = {}
        self._admitted: dict[str, T] = {}
        self._warned: set[str] = set()

    @cached_property
    def _installed(self) -> dict[str, list[_Installed]]:
        """What installed packages bring, by name; the same thing twice counts once."""
        found: dict[str, dict[str, _Installed]] = {}
        for entry in entry_points(group=self.group):
            package = entry.dist.name if entry.dist is not None else "an installed package"
            found.setdefault(entry.name, {}).setdefault(entry.value, _Installed(package, entry.value))
        return {name: list(found[name].values()) for name in sorted(found)}

    def names(self) -> tuple[str, ...]:
        """The names of built-in things, then of installed ones. Nothing is imported."""
        return tuple(dict.fromkeys([*self.built_in, *self._installed]))

    def get(self, name: str) -> T:
        """The thing of a name. ``package.module:NAME`` is only taken once it was admitted.

        Raises ConfigError: for an unknown name, naming the closest; if two things have the name,
        naming both; if an installed thing cannot be used, naming its package.
        """
        if name in self._admitted:
            return self._admitted[name]
        if names_code(name):
            raise ConfigError(
                f"option -{self.option}: {short(name)} is code, and no file chooses the code that is run. If you trust"
                f" it, name it yourself: -{self.option} {name[:200]}."
            )
        if name not in self._found:
            self._found[name] = self._load(name)
        return self._found[name]

    def admit(self, name: str) -> T:
        """As ``get``, for a name that the user has typed: ``package.module:NAME`` is loaded, and
        known from then on.

        Raises ConfigError also if there is no such thing, or if it is of another kind.
        """
        if names_code(name) and name not in self._admitted:
            thing = load_plugin(self.option, name)
            if wrong := self._check(name, thing):
                raise ConfigError(f"option -{self.option}: {name!r}: {wrong}.")
            self._admitted[name] = thing
        return self.get(name)

    def all(self, besides: Collection[str] = ()) -> dict[str, T]:
        """Everything by name, with what the user has named. An installed thing that cannot be used
        is left out, with a line on stderr. besides: names whose modules are not to be imported."""
        things = {}
        for name in self.names():
            if name in besides:
                continue
            try:
                things[name] = self.get(name)
            except ConfigError as error:
                if name in self.built_in and len(self._sources(name)) == 1:
                    raise
                if name not in self._warned:
                    self._warned.add(name)
                    print(f"warning: {' '.join(str(error).split())}", file=sys.stderr)
        return things | self._admitted

    def origin(self, name: str) -> str:
        """Where a thing comes from, for messages: the installed package, or "" if it is built in."""
        return "" if name in self.built_in else " and ".join(source.package for source in self._sources(name))

    def _sources(self, name: str) -> list[_Installed]:
        own = [_Installed("vidsgg", self.built_in[name])] if name in self.built_in else []
        return own + [entry for entry in self._installed.get(name, []) if entry not in own]

    def _load(self, name: str) -> T:
        sources, where = self._sources(name), f"option -{self.option}: "
        if not sources:
            known = self.names()
            raise ConfigError(
                f"{where}unknown {self.option} {short(name)}; there are {', '.join(known)}, and package.module:NAME"
                f" for your own{closest(name, known)}"
            )
        if len(sources) > 1:
            both = " and ".join(f"{source.package} ({source.value})" for source in sources)
            raise ConfigError(f"{where}{short(name)} is the name of several objects: of {both}. Uninstall one of them.")
        (source,) = sources
        if name in self.built_in:
            thing: T = load_plugin(self.option, source.value)
            return thing
        who = f"{where}{short(name)} of the installed package {source.package} ({source.value}) cannot be used: "
        try:
            thing = load_plugin(self.option, source.value)
        except ConfigError as error:
            raise ConfigError(f"{who}{str(error).removeprefix(where)}") from error
        except Exception as error:  # whatever goes wrong in it: it is the package's, and has to be named
            raise ConfigError(f"{who}{type(error).__name__}: {str(error)[:300]}.") from error
        if wrong := self._check(name, thing):
            raise ConfigError(f"{who}{wrong}.")
        return thing
