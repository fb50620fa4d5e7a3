"""Video scene graph generation: from a video to a graph per frame.

Importing this package is cheap; torch is imported by the modules that compute with it, and so by
the first use of what they offer here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.lazy import lazy_names

if TYPE_CHECKING:
    from vidsgg.assembly.public import evaluate, load, open_dataset
    from vidsgg.assembly.trained_model import TrainedModel
    from vidsgg.engine.early_stopping import EarlyStopping
    from vidsgg.library.search import Library, open_library
    from vidsgg.methods.method import Method
    from vidsgg.recipes.graph_videos import open_graph as read_graph
    from vidsgg.recipes.train import train, train_model
    from vidsgg.structures.graph import VideoGraph
    from vidsgg.structures.schema import Schema

__version__ = "0.1.0"
__all__ = [
    "EarlyStopping",
    "Library",
    "Method",
    "Schema",
    "TrainedModel",
    "VideoGraph",
    "__version__",
    "evaluate",
    "load",
    "open_dataset",
    "open_library",
    "read_graph",
    "train",
    "train_model",
]

_HOMES = {
    "EarlyStopping": "vidsgg.engine.early_stopping",
    "Library": "vidsgg.library.search",
    "Method": "vidsgg.methods.method",
    "Schema": "vidsgg.structures.schema",
    "TrainedModel": "vidsgg.assembly.trained_model",
    "VideoGraph": "vidsgg.structures.graph",
    "evaluate": "vidsgg.assembly.public",
    "load": "vidsgg.assembly.public",
    "open_dataset": "vidsgg.assembly.public",
    "open_library": "vidsgg.library.search",
    "read_graph": "vidsgg.recipes.graph_videos:open_graph",
    "train": "vidsgg.recipes.train",
    "train_model": "vidsgg.recipes.train",
}
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
