"""A graph as a notebook shows it: HTML and SVG that need no script and nothing from outside."""

from __future__ import annotations

import math
from html import escape

from vidsgg.errors import counted
from vidsgg.structures.graph import GraphFrame, RelationInterval, VideoGraph
from vidsgg.viewer.graphs import Names, colours, node_names, subjects_of, surest, thing_names, words

_WIDTH, _ROW, _NAMES = 760, 18, 260  # pixels
_MOST_RELATIONS = 20
_INK = "#222"
_HALO = ' stroke="#fff" stroke-width="4" paint-order="stroke"'  # so that lines do not cross letters


def as_html(graph: VideoGraph) -> str:
    """The frame with the most relations as a picture of its graph, and the longest relations over
    time, as far as they are shown by default."""
    graph = graph.shown()
    parts = [
        f"<b>{escape(graph.video_id)}</b>: {counted(len(graph.frames), 'frame')}, {counted(len(graph.relations), 'relation')} over time"
    ]
    shown, names = surest(graph), thing_names(graph.frames)
    if shown.frames:
        parts.append(_frame(max(shown.frames, key=lambda frame: len(frame.edges)), shown, names))
    if graph.relations:
        parts.append(_timeline(graph, names))
    parts += [f"<small>{escape(note)}</small>" for note in graph.notes]
    return f'<div style="font-family:sans-serif">{"".join(f"<div>{part}</div>" for part in parts)}</div>'


def _svg(height: float, content: list[str]) -> str:
    style = "max-width:100%;font:12px sans-serif;background:#fff"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:g}" width="{_WIDTH}"'
        f' style="{style}">{"".join(content)}</svg>'
    )


def _text(x: float, y: float, text: str, anchor: str = "middle", fill: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{_HALO if fill == _INK else ""}>{escape(text)}</text>'


def _arrow_head(x: float, y: float, angle: float) -> str:
    """A triangle with its tip at (x, y). angle: where it points, in radians from the x axis, y down."""
    sides = ((0.0, 0), (10, angle + math.pi - 0.4), (10, angle + math.pi + 0.4))
    corners = " ".join(f"{x + far * math.cos(turn):.1f},{y + far * math.sin(turn):.1f}" for far, turn in sides)
    return f'<polygon points="{corners}" fill="#999"/>'


def _frame(frame: GraphFrame, graph: VideoGraph, names: Names) -> str:
    """Nodes on an ellipse; the predicates of a pair, those of one direction, stand on its arrow."""
    colour = colours([graph], subjects_of(graph))
    count, height = max(len(frame.nodes), 1), 300.0
    place = [
        (_WIDTH / 2 + 270 * math.cos(2 * math.pi * i / count), height / 2 + 110 * math.sin(2 * math.pi * i / count))
        for i in range(len(frame.nodes))
    ]
    pairs: dict[tuple[int, int], list[str]] = {}
    for edge in frame.edges:
        pairs.setdefault((edge.subject, edge.object), []).append(edge.predicate)
    lines, texts = [], []
    for (subject, thing), predicates in pairs.items():
        (x1, y1), (x2, y2) = place[subject], place[thing]
        lines.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#999"/>')
        lines.append(_arrow_head(x1 + 0.85 * (x2 - x1), y1 + 0.85 * (y2 - y1), math.atan2(y2 - y1, x2 - x1)))
        texts.append(_text(x1 + 0.6 * (x2 - x1), y1 + 0.6 * (y2 - y1) + 4, ", ".join(map(words, predicates))))
    for (x, y), node, name in zip(place, frame.nodes, node_names(frame, names), strict=True):
        red, green, blue = colour.get(node.label, (90, 90, 90))
        half = 8 + 3.6 * len(name)
        texts.append(
            f'<rect x="{x - half:.1f}" y="{y - 12:.1f}" width="{2 * half:.1f}" height="22" rx="6"'
            f' fill="rgb({red},{green},{blue})"/>'
        )
        texts.append(_text(x, y + 4, name, fill="#fff"))
    when = f"frame {frame.number}" if frame.time is None else f"{frame.time:g} s"
    return _svg(height, [*lines, *texts, _text(6, 16, when, "start")])


def _timeline(graph: VideoGraph, names: Names) -> str:
    """The longest relations as bars, by begin; time is that of frames where seconds are not
    known."""
    timed = all(relation.begin is not None for relation in graph.relations)

    def span(relation: RelationInterval) -> tuple[float, float]:
        if timed and relation.begin is not None and relation.end is not None:
            return relation.begin, relation.end
        return relation.begin_frame, relation.end_frame

    kept = sorted(graph.relations, key=lambda relation: span(relation)[0] - span(relation)[1])[:_MOST_RELATIONS]
    kept.sort(key=span)
    first = min(span(relation)[0] for relation in kept)
    scale = (_WIDTH - _NAMES - 60) / max(max(span(relation)[1] for relation in kept) - first, 1e-9)
    content = []
    for i, relation in enumerate(kept):
        begin, end = span(relation)
        y, x, width = _ROW * i, _NAMES + (begin - first) * scale, max((end - begin) * scale, 2.0)
        ends = (relation.subject_track, relation.subject), (relation.object_track, relation.object)
        subject, other = (names.get(end, words(end[1])) for end in ends)
        name = f"{subject} {words(relation.predicate)} {other}"
        content.append(_text(_NAMES - 6, y + 13, name, "end"))
        content.append(f'<rect x="{x:.1f}" y="{y + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="#2a6f97"/>')
        content.append(_text(x + width + 4, y + 13, f"{begin:g}\u2013{end:g}{' s' if timed else ''}", "start"))
    return _svg(_ROW * len(kept) + 4, content)
