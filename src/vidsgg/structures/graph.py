"""The result for one video: a graph per frame, free of torch and numpy, the starting point of every
exporter and of the viewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsgg.errors import DataError, short
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vidsgg.io.locations import Location

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)  # there may be a million
class GraphNode:
    """A thing, or an action (EASG's verb), in one frame. box: xyxy in pixels, None for an action.
    score: 0..1. track: id over frames."""

    label: str
    score: float
    box: Box | None = None
    track: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:  # messages are made where they are needed: there may be a million nodes
            raise _no_score(f"node {short(self.label)}", self.score)
        if self.box is not None:
            x1, y1, x2, y2 = self.box
            # of numbers that are not finite one of these is false
            if not (-math.inf < x1 <= x2 < math.inf and -math.inf < y1 <= y2 < math.inf):
                raise DataError(
                    f"node {short(self.label)}: the box is {list(self.box)}, not x1, y1, x2, y2 with x1 <= x2 and y1"
                    " <= y2."
                )


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """subject --predicate--> object, both positions in the frame's nodes, written in the direction
    in which the predicate reads.

    uncertain: whether the model doubts the edge; None for models without uncertainty.
    """

    subject: int
    object: int
    predicate: str
    group: str
    score: float
    uncertain: bool | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise _no_score(f"edge {short(self.predicate)}", self.score)


@dataclass(frozen=True, slots=True)
class GraphFrame:
    """key: the data set's name of the frame. number: from 1, in the video. time: seconds from the
    start, None if unknown."""

    key: str
    number: int
    time: float | None
    width: float
    height: float
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]

    def __post_init__(self) -> None:
        if not all(0 < side < math.inf for side in (self.width, self.height)):
            raise DataError(f"frame {short(self.key)}: is {self.width} x {self.height} pixels; both must be positive.")
        if self.time is not None:
            _check_times(f"frame {short(self.key)}", self.time)
        count = len(self.nodes)
        for i, edge in enumerate(self.edges):
            if not (0 <= edge.subject < count and 0 <= edge.object < count):
                end = edge.object if 0 <= edge.subject < count else edge.subject
                raise DataError(f"frame {short(self.key)}: edge {i} points to node {end}, there are {count} nodes.")

    def only(self, kept: Sequence[int]) -> GraphFrame:
        """The frame with some of its nodes, in their order, and the edges between them."""
        place = {old: new for new, old in enumerate(kept)}
        edges = (
            replace(edge, subject=place[edge.subject], object=place[edge.object])
            for edge in self.edges
            if edge.subject in place and edge.object in place
        )
        return replace(self, nodes=tuple(self.nodes[i] for i in kept), edges=tuple(edges))


@dataclass(frozen=True, slots=True)
class RelationInterval:
    """A relation that holds for a while: subject --predicate--> object, in the direction in which
    the predicate reads.

    subject_track, object_track: ids of the nodes, and their classes. begin_frame, end_frame:
    numbers of the first and the last frame in which it holds; begin, end: their times in seconds,
    None if unknown. score: 0..1, the mean over the frames in between.
    """

    subject_track: int
    object_track: int
    subject: str
    object: str
    predicate: str
    group: str
    begin: float | None
    end: float | None
    begin_frame: int
    end_frame: int
    score: float

    def __post_init__(self) -> None:
        where = f"relation {short(self.subject)} {short(self.predicate)} {short(self.object)}"
        if not 0 <= self.score <= 1:
            raise _no_score(where, self.score)
        if self.end_frame < self.begin_frame:
            raise DataError(f"{where}: ends at frame {self.end_frame}, before its begin at frame {self.begin_frame}.")
        if (self.begin is None) != (self.end is None) or (
            self.begin is not None and self.end is not None and self.end < self.begin
        ):
            raise DataError(f"{where}: lasts from {self.begin} to {self.end} seconds; give both, in order, or neither.")
        _check_times(where, self.begin, self.end)


@dataclass(frozen=True)
class Origin:
    """What made a graph.

    model, mode: as in the training options. checkpoint: name of its file, with the run's folder.
    weights: SHA-256 of the model's weights and the detector's. detector: its architecture, None
    where nothing looked at pictures. fps: graphs a second that were asked for.
    settings: further options that decide what is in the graph. notes: what a reader should know,
    such as a part of the video that could
    not be read. tracker: what gave things their ids, None if they came with boxes. source: where
    the video is, seen from the graph file's folder; says nothing about how.
    """

    model: str
    mode: str
    checkpoint: str
    weights: str
    detector: str | None = None
    fps: float | None = None
    settings: tuple[tuple[str, float], ...] = ()
    notes: tuple[str, ...] = ()
    tracker: str | None = None
    source: str | None = None
    # Least score of the relations that are shown where nobody asks for others, by group. Empty: all
    # that the graph holds, chosen by a published protocol.
    shown_from: tuple[tuple[str, float], ...] = ()
    on_request: tuple[
        str, ...
    ] = ()  # predicates that are shown on request only: that nothing is known, or that nothing holds


@dataclass(frozen=True)
class VideoFile:
    """The video file, or the folder of pictures, that a graph was made from: what it is known by,
    wherever it lies."""

    size: int  # bytes, of all pictures together
    digest: str  # of the content, see io.identity.content_of
    frame_count: int  # frames of the video, in the graph or not
    fps: float | None = None  # frames a second on average, None if unknown

    def __post_init__(self) -> None:
        if self.size < 0 or self.frame_count < 1:
            raise DataError(
                f"the video has {self.size} bytes and {self.frame_count} frames; there must be one frame at least."
            )
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise DataError(
                f"the video has {self.fps} frames a second, not a positive number; None says that it is unknown."
            )


@dataclass(frozen=True)
class VideoGraph:
    """All annotated or sampled frames of one video, in order.

    Raises DataError where two values contradict each other.
    """

    video_id: str
    dataset: str  # the name of its schema
    frames: tuple[GraphFrame, ...]
    relations: tuple[RelationInterval, ...] = ()  # what holds over time between tracks of the nodes, by begin
    made_by: Origin | None = None  # None for annotations, and where it is not known
    schema: Schema | None = None  # classes, predicates and rules; None if not known
    video: VideoFile | None = None  # None for annotations, and in files of versions 1 and 2

    def __post_init__(self) -> None:
        if self.schema is not None and self.schema.name != self.dataset:
            raise DataError(
                f"video {short(self.video_id)}: the data set is {short(self.dataset)}, but the schema is that of"
                f" {short(self.schema.name)}; give both one name."
            )
        tracks = {(node.track, node.label) for frame in self.frames for node in frame.nodes}
        for i, relation in enumerate(self.relations):
            for end in ((relation.subject_track, relation.subject), (relation.object_track, relation.object)):
                if end not in tracks:
                    raise DataError(
                        f"video {short(self.video_id)}: relation {i} joins track {end[0]} ({short(end[1])}), which no"
                        " frame has."
                    )
        self._check_vocabulary()

    @property
    def vocabulary(self) -> Vocabulary | None:
        """All that could have been said; None if not known."""
        return None if self.schema is None else self.schema.vocabulary

    def _check_vocabulary(self) -> None:
        """Nothing is said that could not have been said: whoever reads a graph may look up its
        names in its vocabulary."""
        vocabulary = self.vocabulary
        if vocabulary is None:
            return
        labels = {*vocabulary.objects, *vocabulary.subjects}
        predicates = {(name, group.name) for group in vocabulary.groups for name in group.predicates}
        where = f"video {short(self.video_id)}"
        for frame in self.frames:
            for node in frame.nodes:
                if node.label not in labels:
                    raise DataError(
                        f"{where}, frame {short(frame.key)}: {short(node.label)} is no class of the graph's vocabulary."
                    )
        said = {(edge.predicate, edge.group) for frame in self.frames for edge in frame.edges}
        said |= {(relation.predicate, relation.group) for relation in self.relations}
        for name, group in sorted(said - predicates):
            raise DataError(
                f"{where}: {short(name)} of the group {short(group)} is no predicate of the graph's vocabulary."
            )

    def at(self, seconds: float) -> GraphFrame:
        """The graph of the frame that is nearest in time, the earlier of two that are equally near.

        seconds: from the start of the video. Raises DataError if there are no frames, or their
        times are not known.

        >>> frames = [GraphFrame(f"walk/{n}", n, (n - 1) / 2, 640, 480, (), ()) for n in (1, 2, 3)]
        >>> VideoGraph("walk.mp4", "own", tuple(frames)).at(0.6).number
        2
        """
        timed = [(abs(frame.time - seconds), i) for i, frame in enumerate(self.frames) if frame.time is not None]
        if not timed:
            why = (
                "has no frames"
                if not self.frames
                else "has frames of which no time is known; take one of .frames by its number"
            )
            raise DataError(f"video {short(self.video_id)}: {why}.")
        return self.frames[min(timed)[1]]

    def shown(self) -> VideoGraph:
        """The graph with the relations that are shown where nobody asks for others: without those
        below their group's least score, and without predicates that say that nothing holds. A graph
        that was made by a published protocol stays as it is."""
        if self.made_by is None or not self.made_by.shown_from:
            return self
        least, hidden = dict(self.made_by.shown_from), set(self.made_by.on_request)

        def seen(relation: GraphEdge | RelationInterval) -> bool:
            return relation.predicate not in hidden and relation.score >= least.get(relation.group, 0.0)

        frames = tuple(replace(frame, edges=tuple(filter(seen, frame.edges))) for frame in self.frames)
        return replace(self, frames=frames, relations=tuple(r for r in self.relations if r.predicate not in hidden))

    def save(self, path: str | Location) -> Location:
        """Write the graph as JSON, such as ``kitchen.graph.json`` or ``s3://bucket/kitchen.graph.json``;
        returns the path. Raises DataError if it cannot be written."""
        from vidsgg.io.graphs import moved_to, write_graph
        from vidsgg.io.locations import location

        file = location(path)
        write_graph(file, moved_to(self, file))
        return file

    def show(
        self, page: str | Path | None = None, *, video: str | Location | None = None, browser: bool = True
    ) -> Path:
        """Write a page with video, graph and timeline, and open it in the browser; returns the
        page's path.

        page: the file to write, by default one in a temporary folder. video: by default where the
        graph says that it is; without it the
        page has no pictures. browser: False only writes the page.
        Raises DataError if the page cannot be written, or if the video is another one.
        """
        from vidsgg.io.locations import location
        from vidsgg.recipes.view import show_graph

        return show_graph(
            self, None if page is None else Path(page), None if video is None else location(video), browser
        )

    def to_networkx(self) -> Any:
        """A ``networkx.MultiDiGraph`` with a node per thing and an edge per relation over time.
        Needs ``pip install networkx``.

        Raises ConfigError if networkx is not installed, DataError if the things have no ids.
        """
        from vidsgg.io.exporters.networkx_graph import to_networkx

        return to_networkx(self)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``, a row for every relation of every frame; its columns are those of
        ``vidsgg export -format csv``.

        Raises ConfigError if pandas is not installed (``pip install vidsgg[notebook]``).
        """
        from vidsgg.io.exporters.pandas_table import to_pandas

        return to_pandas(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: one frame's graph, and the relations over time."""
        from vidsgg.viewer.notebook import as_html

        return as_html(self)


def _no_score(where: str, score: float) -> DataError:
    return DataError(f"{where}: the score is {score}, not a number from 0 to 1.")


def _check_times(where: str, *times: float | None) -> None:
    for time in times:
        if time is not None and not math.isfinite(time):
            raise DataError(f"{where}: a time is {time} seconds, not a number; None says that it is unknown.")
