"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from vidsgg.structures.graph import VideoGraph


@dataclass(frozen=True)
class Format:
    """suffix: of its files. joint: whether one file holds several videos. tracked: whether it needs things with ids."""

    name: str
    summary: str
    suffix: str
    joint: bool
    tracked: bool
    module: str

    def content(self, graphs: Sequence[VideoGraph]) -> bytes:
        """A whole file, of one graph if the format is not joint. Raises DataError if a graph lacks what the format needs."""
        function: Callable[..., bytes] = getattr(import_module(f"vidsgg.io.exporters.{self.module}"), self.module)
        return function(graphs) if self.joint else function(*graphs)


FORMATS = {
    format.name: format
    for format in (
        Format("csv", "a table, a row per relation and frame", ".csv", True, False, "table"),
        Format("coco", "COCO's JSON with videos, tracks and relations", ".json", True, False, "coco"),
        Format("vidvrd", "trajectories and relation instances of VidVRD and VidOR", ".json", False, True, "vidvrd"),
        Format("graphml", "things and relations over time, for Gephi, yEd, networkx", ".graphml", False, True, "graphml"),
        Format("cypher", "statements for Neo4j and other graph databases", ".cypher", True, True, "cypher"),
        Format("predictions", "tensors for the evaluators of STTran and its successors", ".pt", False, False, "predictions"),
    )
}
