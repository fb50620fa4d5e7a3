"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module

from vidsgg.structures.graph import VideoGraph

VIDOR_GROUP = "0000"  # VidOR's videos and annotations lie in folders of four digits


@dataclass(frozen=True)
class Format:
    """A format of files."""

    name: str
    summary: str
    suffix: str
    joint: bool  # whether one file holds several videos
    tracked: bool  # whether it needs things with ids
    module: str
    function: str = ""  # of the module; by default of its name
    by_id: bool = False  # whether readers find a video's file by its id, see vidvrd.short_id
    folder: str = "."  # below the one that is asked for, where readers look for files

    def called(self, graph: VideoGraph) -> str:
        """What a video is called in the file."""
        if not self.by_id:
            return graph.video_id
        from vidsgg.io.exporters.vidvrd import short_id  # PyAV, which only some formats need

        return short_id(graph)

    def content(self, graphs: Sequence[VideoGraph]) -> bytes:
        """A whole file, of one graph if the format is not joint. Raises DataError if a graph lacks what the format needs."""
        function: Callable[..., bytes] = getattr(import_module(f"vidsgg.io.exporters.{self.module}"), self.function or self.module)
        return function(graphs) if self.joint else function(*graphs)


FORMATS = {
    format.name: format
    for format in (
        Format("csv", "a table, a row per relation and frame", ".csv", True, False, "table"),
        Format("coco", "COCO's JSON with videos, tracks and relations", ".json", True, False, "coco"),
        Format("vidvrd", "trajectories and relation instances, for VidVRD's loader", ".json", False, True, "vidvrd", by_id=True),
        Format("vidor", "the same for VidOR's loader", ".json", False, True, "vidvrd", "vidor", by_id=True, folder=VIDOR_GROUP),
        Format("graphml", "things and relations over time, for Gephi, yEd, networkx", ".graphml", False, True, "graphml"),
        Format("cypher", "statements for Neo4j and other graph databases", ".cypher", True, True, "cypher"),
        Format("predictions", "tensors for the evaluators of STTran and its successors", ".pt", False, False, "predictions"),
    )
}
