"""CSV: a row for every relation of every frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

from vidsgg.structures.graph import GraphNode, VideoGraph

_END = ("", "_track", "_score", "_x1", "_y1", "_x2", "_y2")
COLUMNS = (
    "video", "frame", "time", *(f"subject{part}" for part in _END), "predicate", "group", *(f"object{part}" for part in _END),
    "score", "uncertain",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(graphs: Sequence[VideoGraph]) -> bytes:
    """``COLUMNS``, one relation a row; what is not known is empty. Things without relations are not in it.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")  # else a lone \r in a text would not be quoted
    writer.writerow(COLUMNS)
    for graph in graphs:
        for frame in graph.frames:
            for edge in frame.edges:
                subject, thing = frame.nodes[edge.subject], frame.nodes[edge.object]
                about = ("" if edge.uncertain is None else str(edge.uncertain).lower(),)
                middle = (_safe(edge.predicate), _safe(edge.group))
                writer.writerow(
                    (_safe(graph.video_id), frame.number, _plain(frame.time), *_end(subject), *middle, *_end(thing), edge.score, *about)
                )
    return text.getvalue().encode()


def _end(node: GraphNode) -> tuple[object, ...]:
    return (_safe(node.label), _plain(node.track), node.score, *(node.box or ("",) * 4))


def _plain(value: float | None) -> object:
    return "" if value is None else value


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
