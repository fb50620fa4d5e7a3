"""The result for one video: a graph per frame, free of torch and numpy, the starting point of every exporter and of the viewer."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.errors import DataError


@dataclass(frozen=True)
class GraphNode:
    """A thing, or an action (EASG's verb), in one frame. box: xyxy in pixels, None for an action. score: 0..1. track: id over frames."""

    label: str
    score: float
    box: tuple[float, float, float, float] | None = None
    track: int | None = None


@dataclass(frozen=True)
class GraphEdge:
    """subject --predicate--> object, both positions in the frame's nodes, written in the direction in which the predicate reads."""

    subject: int
    object: int
    predicate: str
    group: str
    score: float


@dataclass(frozen=True)
class GraphFrame:
    """key: the data set's name of the frame. number: from 1, in the video. time: seconds from the start, None if unknown."""

    key: str
    number: int
    time: float | None
    width: float
    height: float
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]

    def __post_init__(self) -> None:
        for i, edge in enumerate(self.edges):
            for end in (edge.subject, edge.object):
                if not 0 <= end < len(self.nodes):
                    raise DataError(f"frame {self.key!r}: edge {i} points to node {end}, there are {len(self.nodes)} nodes.")


@dataclass(frozen=True)
class VideoGraph:
    """All annotated or sampled frames of one video, in order."""

    video_id: str
    dataset: str
    frames: tuple[GraphFrame, ...]
