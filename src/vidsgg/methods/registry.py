"""The methods by name: of this package, of installed ones, and those that the user names as
``package.module:METHOD``."""

from __future__ import annotations

from typing import Any

from vidsgg.errors import short
from vidsgg.methods.method import Method
from vidsgg.methods.training_options import TrainOptions
from vidsgg.plugins import Registry, names_code


def _wrong(name: str, thing: Any) -> str:
    if not isinstance(thing, Method):
        return f"it is {short(thing)}, not an object of a class that extends vidsgg.extend.Method"
    lacking = [field for field in ("name", "summary", "source", "options", "network") if not hasattr(thing, field)]
    if lacking:
        return f"the method does not state its {', '.join(lacking)}"
    if not isinstance(thing.options, type) or not issubclass(thing.options, TrainOptions):
        return "its options are no class that extends TrainOptions or NeuralOptions of vidsgg.extend"
    return (
        ""
        if names_code(name) or thing.name == name
        else f"the method calls itself {short(thing.name)}; give both one name"
    )


METHODS: Registry[Method[Any]] = Registry(
    "model",
    "vidsgg.methods",
    {
        "sttran": "vidsgg.methods.sttran:METHOD",
        "tempura": "vidsgg.methods.tempura:METHOD",
        "stket": "vidsgg.methods.stket:METHOD",
        "dsgdetr": "vidsgg.methods.dsgdetr:METHOD",
        "oed": "vidsgg.methods.oed:METHOD",
        "scenellm": "vidsgg.methods.scenellm:METHOD",
        "easg_baseline": "vidsgg.methods.easg_baseline:METHOD",
        "frequency": "vidsgg.methods.frequency:METHOD",
        "geometry": "vidsgg.methods.geometry:METHOD",
    },
    _wrong,
)


def methods() -> dict[str, Method[Any]]:
    """All methods that there are, by name."""
    return METHODS.all()


def find_method(name: str) -> Method[Any]:
    """Raises ConfigError as ``Registry.get``: for an unknown name, and for code that the user has
    not named (``METHODS.admit``)."""
    return METHODS.get(name)


def built_in_models() -> tuple[str, ...]:
    """Names of the models that need no training, which stand for a checkpoint."""
    return tuple(name for name, method in methods().items() if method.ready_schema() is not None)
