"""Options of commands that only some methods have: those of 'vidsgg evaluate' and 'vidsgg
import-checkpoint'."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal, TypeVar

from vidsgg.errors import ConfigError
from vidsgg.methods.method import Method
from vidsgg.methods.registry import methods

T = TypeVar("T")
Part = Literal["evaluation", "importing"]  # a field of Method


def with_methods(base: type[T], part: Part) -> type[T]:
    """A command's options together with those of all methods, for its command line."""
    parts = dict.fromkeys(kind for method in methods().values() if not issubclass(base, kind := getattr(method, part)))
    return dataclass(frozen=True, kw_only=True)(type(base.__name__, (*reversed(parts), base), {}))


def asked_of(method: Method[Any], part: Part, options: Any, what: str) -> dict[str, Any]:
    """What is given of a method's own options. what: a sentence that says whose file it is, for
    messages.

    Raises ConfigError if an option of another method is given.
    """
    mine = {field.name for field in fields(getattr(method, part))}
    for other in methods().values():
        for name in (field.name for field in fields(getattr(other, part))):
            if name not in mine and getattr(options, name, None) is not None:
                raise ConfigError(f"option -{name}: {what}, which has no such option; leave it out.")
    return {name: value for name in sorted(mine) if (value := getattr(options, name, None)) is not None}
