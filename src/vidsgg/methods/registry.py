"""The methods by name."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from vidsgg.errors import ConfigError
from vidsgg.methods.method import Method
from vidsgg.options import closest

BUILT_IN = ("sttran", "tempura", "stket", "scenellm", "frequency")


@cache
def methods() -> dict[str, Method[Any]]:
    """All methods that there are, by name."""
    found = [import_module(f"vidsgg.methods.{name}").METHOD for name in BUILT_IN]
    return {method.name: method for method in found}


def find_method(name: str) -> Method[Any]:
    """Raises ConfigError naming the closest one if there is no such method."""
    known = methods()
    if name not in known:
        raise ConfigError(f"option -model: unknown model {name!r}; there are {', '.join(known)}{closest(name, list(known))}")
    return known[name]
