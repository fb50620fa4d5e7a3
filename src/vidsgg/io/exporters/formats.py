"""The formats by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from vidsgg.errors import DataError, short
from vidsgg.plugins import Registry, load_plugin, names_code
from vidsgg.structures.graph import VideoGraph

VIDOR_GROUP = "0000"  # VidOR's videos and annotations lie in folders of four digits


@dataclass(frozen=True)
class ExportFormat:
    """A file format for ``vidsgg export``."""

    name: str  #: as in ``-format``
    summary: str  #: one line, for ``vidsgg export -h``
    suffix: str  #: of its files, such as ``.csv``
    joint: bool  #: whether one file holds several videos
    tracked: bool  #: whether objects need ids
    #: Returns the bytes of a file; called with a list of graphs if the format is joint, else with one
    #: graph. Or ``package.module:function``, which is imported when it is needed.
    writer: str | Callable[..., bytes]
    by_id: bool = False  #: whether readers find a video's file by the video's id, see vidvrd.short_id
    folder: str = "."  #: folder below the output folder in which readers look for files

    def called(self, graph: VideoGraph) -> str:
        """The name of a video in the file."""
        if not self.by_id:
            return graph.video_id
        from vidsgg.io.exporters.vidvrd import short_id  # PyAV, which only some formats need

        return short_id(graph)

    def content(self, graphs: Sequence[VideoGraph]) -> bytes:
        """A whole file, of one graph if the format is not joint. Raises DataError if a graph lacks
        what the format needs."""
        writer: Callable[..., bytes] = (
            load_plugin("format", self.writer) if isinstance(self.writer, str) else self.writer
        )
        content = writer(graphs) if self.joint else writer(*graphs)
        if not isinstance(content, bytes):
            raise DataError(f"format {self.name}: its writer gave {short(content)}, not bytes.")
        return content


def _wrong(name: str, thing: Any) -> str:
    if not isinstance(thing, ExportFormat):
        return f"it is {short(thing)}, not a vidsgg.extend.ExportFormat"
    if not thing.suffix.startswith(".") or "/" in thing.suffix:
        return f"its suffix is {short(thing.suffix)}, not of the form '.csv'"
    return (
        ""
        if names_code(name) or thing.name == name
        else f"the format calls itself {short(thing.name)}; give both one name"
    )


CSV = ExportFormat(
    "csv", "a table, a row per relation and frame", ".csv", True, False, "vidsgg.io.exporters.table:table"
)
COCO = ExportFormat(
    "coco", "COCO's JSON with videos, tracks and relations", ".json", True, False, "vidsgg.io.exporters.coco:coco"
)
VIDVRD = ExportFormat(
    "vidvrd", "trajectories and relation instances, for VidVRD's loader", ".json", False, True, "vidsgg.io.exporters.vidvrd:vidvrd",
    by_id=True,
)  # fmt: skip
VIDOR = ExportFormat(
    "vidor",
    "the same for VidOR's loader",
    ".json",
    False,
    True,
    "vidsgg.io.exporters.vidvrd:vidor",
    by_id=True,
    folder=VIDOR_GROUP,
)
VIDVRD_RESULTS = ExportFormat(
    "vidvrd_results", "predictions for the official evaluator of VidVRD and VidOR", ".json", True, True,
    "vidsgg.io.exporters.vidvrd:vidvrd_results",
)  # fmt: skip
GRAPHML = ExportFormat(
    "graphml",
    "things and relations over time, for Gephi, yEd, networkx",
    ".graphml",
    False,
    True,
    "vidsgg.io.exporters.graphml:graphml",
)
CYPHER = ExportFormat(
    "cypher",
    "statements for Neo4j and other graph databases",
    ".cypher",
    True,
    True,
    "vidsgg.io.exporters.cypher:cypher",
)
PREDICTIONS = ExportFormat(
    "predictions", "tensors for the evaluators of STTran and its successors", ".pt", False, False,
    "vidsgg.io.exporters.predictions:predictions",
)  # fmt: skip

_HERE = "vidsgg.io.exporters.formats"
FORMATS: Registry[ExportFormat] = Registry(
    "format",
    "vidsgg.exporters",
    {
        "csv": f"{_HERE}:CSV",
        "coco": f"{_HERE}:COCO",
        "vidvrd": f"{_HERE}:VIDVRD",
        "vidor": f"{_HERE}:VIDOR",
        "vidvrd_results": f"{_HERE}:VIDVRD_RESULTS",
        "graphml": f"{_HERE}:GRAPHML",
        "cypher": f"{_HERE}:CYPHER",
        "predictions": f"{_HERE}:PREDICTIONS",
    },
    _wrong,
)
