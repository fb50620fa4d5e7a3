"""Video scene graph generation: from a video to a graph per frame.

Importing this package is cheap; torch is imported by the modules that compute with it, and so by the first use of what they offer here.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["EarlyStopping", "__version__", "train_model"]

_HOMES = {"EarlyStopping": "vidsgg.engine.early_stopping", "train_model": "vidsgg.recipes.train"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
