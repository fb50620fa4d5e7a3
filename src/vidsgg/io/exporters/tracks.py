"""What the formats that follow things over time have in common: the tracks of a video."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.errors import DataError
from vidsgg.structures.graph import Box, VideoGraph


@dataclass(frozen=True)
class Track:
    """A thing in a video. frames: positions in the graph's frames in which it is seen, increasing.
    boxes, scores: there."""

    ident: int
    label: str
    frames: tuple[int, ...]
    boxes: tuple[Box, ...]
    scores: tuple[float, ...]


def tracks_of(graph: VideoGraph) -> list[Track]:
    """All things of a video by id. Raises DataError if nodes with boxes have no tracks, or one has
    nodes of two classes."""
    seen: dict[int, list[tuple[int, str, Box, float]]] = {}
    for i, frame in enumerate(graph.frames):
        for node in frame.nodes:
            if node.box is None:
                continue
            if node.track is None:
                raise DataError(
                    f"video {graph.video_id!r}, frame {frame.key!r}: {node.label!r} has no track; 'vidsgg predict'"
                    " gives them."
                )
            seen.setdefault(node.track, []).append((i, node.label, node.box, node.score))
    found = []
    for ident, rows in sorted(seen.items()):
        if len({label for _, label, _, _ in rows}) > 1:
            raise DataError(
                f"video {graph.video_id!r}: track {ident} is {' and '.join(sorted({row[1] for row in rows}))}; a track"
                " has one class."
            )
        frames, labels, boxes, scores = zip(*rows, strict=True)
        found.append(Track(ident, labels[0], frames, boxes, scores))
    return found
