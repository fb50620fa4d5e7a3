"""CSV: a row for every relation of every frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from vidsgg.structures.graph import GraphNode, VideoGraph

_END = ("", "_track", "_score", "_x1", "_y1", "_x2", "_y2")
COLUMNS = (
    "video", "frame", "time", *(f"subject{part}" for part in _END), "predicate", "group", *(f"object{part}" for part in _END),
    "score", "uncertain",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(graphs: Sequence[VideoGraph]) -> bytes:
    """``COLUMNS``, one relation a row; what is not known is empty. Things without relations are not
    in it.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # else a lone \r in a text would not be quoted
    writer.writerow(COLUMNS)
    for graph in graphs:
        for row in rows(graph):
            writer.writerow([_cell(value) for value in row])
    return text.getvalue().encode()


def rows(graph: VideoGraph) -> Iterator[tuple[object, ...]]:
    """The values under ``COLUMNS`` of every relation of every frame; None for what is not known."""
    for frame in graph.frames:
        for edge in frame.edges:
            subject, thing = _end(frame.nodes[edge.subject]), _end(frame.nodes[edge.object])
            middle = (edge.predicate, edge.group)
            yield (graph.video_id, frame.number, frame.time, *subject, *middle, *thing, edge.score, edge.uncertain)


def _end(node: GraphNode) -> tuple[object, ...]:
    return (node.label, node.track, node.score, *(node.box or (None,) * 4))


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return "" if value is None else value
