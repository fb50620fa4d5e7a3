"""Cypher, for graph databases: a statement a line, which makes videos, things and relations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from vidsgg.io.exporters.tracks import tracks_of
from vidsgg.structures.graph import VideoGraph

_ESCAPED = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


def cypher(graphs: Sequence[VideoGraph]) -> bytes:
    """(:Video) -[:SHOWS]-> (:Thing) -[:RELATES {predicate, ...}]-> (:Thing). Raises DataError if
    nodes have no tracks."""
    return "".join(f"{statement};\n" for graph in graphs for statement in _statements(graph)).encode()


def _statements(graph: VideoGraph) -> Iterator[str]:
    video = _map(id=graph.video_id)
    about = _map(
        id=graph.video_id, dataset=graph.dataset, frames=len(graph.frames), notes=" ".join(graph.notes) or None
    )
    yield f"CREATE (:Video {about})"
    for track in tracks_of(graph):
        numbers = [graph.frames[i].number for i in track.frames]
        thing = _map(
            video=graph.video_id, track=track.ident, label=track.label, begin_frame=numbers[0], end_frame=numbers[-1]
        )
        yield f"MATCH (v:Video {video}) CREATE (v)-[:SHOWS]->(:Thing {thing})"
    for r in graph.relations:
        ends = (_map(video=graph.video_id, track=track) for track in (r.subject_track, r.object_track))
        about = _map(
            predicate=r.predicate,
            group=r.group,
            begin=r.begin,
            end=r.end,
            begin_frame=r.begin_frame,
            end_frame=r.end_frame,
            score=r.score,
        )
        yield "MATCH (s:Thing {}), (o:Thing {}) CREATE (s)-[:RELATES {}]->(o)".format(*ends, about)


def _map(**values: str | float | None) -> str:
    return "{" + ", ".join(f"{name}: {_literal(value)}" for name, value in values.items() if value is not None) + "}"


def _literal(value: str | float) -> str:
    if not isinstance(value, str):
        return repr(value)
    return (
        "'"
        + "".join(_ESCAPED.get(letter, letter if letter.isprintable() else _unicode(letter)) for letter in value)
        + "'"
    )


def _unicode(letter: str) -> str:
    """As UTF-16 code units, which is what Cypher's \\u means."""
    units = letter.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
