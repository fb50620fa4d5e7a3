"""Video scene graph generation: from a video to a graph per frame.

Importing this package is cheap; torch is imported by the modules that compute with it, and so by
the first use of what they offer here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidsgg.assembly.public import evaluate, load, open_dataset
    from vidsgg.assembly.trained_model import TrainedModel
    from vidsgg.engine.early_stopping import EarlyStopping
    from vidsgg.methods.method import Method
    from vidsgg.recipes.graph_videos import open_graph as read_graph
    from vidsgg.recipes.train import train, train_model
    from vidsgg.structures.graph import VideoGraph
    from vidsgg.structures.schema import Schema

__version__ = "0.1.0"
__all__ = [
    "EarlyStopping",
    "Method",
    "Schema",
    "TrainedModel",
    "VideoGraph",
    "__version__",
    "evaluate",
    "load",
    "open_dataset",
    "read_graph",
    "train",
    "train_model",
]

_HOMES = {
    "EarlyStopping": "vidsgg.engine.early_stopping:EarlyStopping",
    "Method": "vidsgg.methods.method:Method",
    "Schema": "vidsgg.structures.schema:Schema",
    "TrainedModel": "vidsgg.assembly.trained_model:TrainedModel",
    "VideoGraph": "vidsgg.structures.graph:VideoGraph",
    "evaluate": "vidsgg.assembly.public:evaluate",
    "load": "vidsgg.assembly.public:load",
    "open_dataset": "vidsgg.assembly.public:open_dataset",
    "read_graph": "vidsgg.recipes.graph_videos:open_graph",
    "train": "vidsgg.recipes.train:train",
    "train_model": "vidsgg.recipes.train:train_model",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
