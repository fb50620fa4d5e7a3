"""Public modules whose names are imported when they are first used. Imports nothing heavy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazy_names(module: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a module that offers names of other modules.

    homes: the module that defines each name, with ``:name`` where it has another name there. The
    type checker needs the same imports under TYPE_CHECKING.
    """

    def get(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        home, _, there = homes[name].partition(":")
        return getattr(import_module(home), there or name)

    def names() -> list[str]:
        return sorted({*vars(sys.modules[module]), *homes})

    return get, names
