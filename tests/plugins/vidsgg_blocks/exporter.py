"""Graphs as sentences: a line for every relation that lasts."""

from __future__ import annotations

from vidsgg.extend import ExportFormat, RelationInterval, VideoGraph


def sentences(graph: VideoGraph) -> bytes:
    """``robot 1 near cube 3, frames 1 to 4``, by beginning."""
    return "".join(f"{_sentence(relation)}\n" for relation in graph.relations).encode()


def _sentence(relation: RelationInterval) -> str:
    who = f"{relation.subject} {relation.subject_track} {relation.predicate} {relation.object} {relation.object_track}"
    return f"{who}, frames {relation.begin_frame} to {relation.end_frame}"


SENTENCES = ExportFormat(
    "sentences", "a line for every relation that lasts", ".txt", joint=False, tracked=True, writer=sentences
)
