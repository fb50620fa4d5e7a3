"""CSV: a row for every relation of every frame."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO

from vidsgg.structures.graph import GraphNode, VideoGraph

_END = ("", "_track", "_score", "_x1", "_y1", "_x2", "_y2")
COLUMNS = (
    "video", "frame", "time", *(f"subject{part}" for part in _END), "predicate", "group", *(f"object{part}" for part in _END),
    "score", "uncertain",
)  # fmt: skip
_LINE_END = "\r\n"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def table(graphs: Sequence[VideoGraph]) -> bytes:
    """``COLUMNS``, one relation a row; what is not known is empty. Things without relations are not
    in it.

    Texts that a spreadsheet would take for a formula get an apostrophe in front.
    """
    file, cell = BytesIO(), _Cells()
    file.write(",".join(COLUMNS).encode() + _LINE_END.encode())
    for graph in graphs:
        video = cell.text(graph.video_id)
        for frame in graph.frames:
            # A thing has relations to many others, so its cells are made once.
            ends = [_joined((cell.text(node.label), *_end(node)[1:])) for node in frame.nodes] if frame.edges else ()
            begin = _joined((video, frame.number, frame.time))
            lines = [
                f"{begin},{ends[edge.subject]},{cell.text(edge.predicate)},{cell.text(edge.group)},{ends[edge.object]},"
                f"{_joined((edge.score, edge.uncertain))}{_LINE_END}"
                for edge in frame.edges
            ]
            file.write("".join(lines).encode())
    return file.getvalue()


class _Cells:
    """Texts as cells. A graph has few of them, many times."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def text(self, text: str) -> str:
        """With quotation marks where CSV needs them, and an apostrophe against formulas."""
        if text not in self._known:
            line = io.StringIO(newline="")
            # A second cell: an empty text that is alone would be quoted. And with this end of a line a lone \r is quoted.
            writer = csv.writer(line, lineterminator=_LINE_END)
            writer.writerow([f"'{text}" if text.startswith(_FORMULA) else text, ""])
            self._known[text] = line.getvalue().removesuffix(f",{_LINE_END}")
        return self._known[text]


def _joined(values: Iterable[object]) -> str:
    """Numbers, truth values and cells that are ready, with commas between them; nothing for None."""
    return ",".join(
        "" if value is None else str(value).lower() if isinstance(value, bool) else str(value) for value in values
    )


def rows(graph: VideoGraph) -> Iterator[tuple[object, ...]]:
    """The values under ``COLUMNS`` of every relation of every frame; None for what is not known."""
    for frame in graph.frames:
        for edge in frame.edges:
            subject, thing = _end(frame.nodes[edge.subject]), _end(frame.nodes[edge.object])
            middle = (edge.predicate, edge.group)
            yield (graph.video_id, frame.number, frame.time, *subject, *middle, *thing, edge.score, edge.uncertain)


def _end(node: GraphNode) -> tuple[object, ...]:
    return (node.label, node.track, node.score, *(node.box or (None,) * 4))
