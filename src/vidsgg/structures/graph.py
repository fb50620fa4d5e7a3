"""The result for one video: a graph per frame, free of torch and numpy, the starting point of every
exporter and of the viewer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidsgg.errors import DataError, counted, short
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import Vocabulary

if TYPE_CHECKING:
    from vidsgg.io.locations import Location

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)  # there may be a million
class GraphNode:
    """An object, or an action (EASG's verb), in one frame."""

    label: str  #: name of the class
    score: float  #: 0..1
    box: Box | None = None  #: x1, y1, x2, y2 in pixels of the frame; None for an action
    track: int | None = None  #: id, the same in all frames; None if not tracked

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
    """A relation in one frame: subject --predicate--> object, in the direction in which the
    predicate reads."""

    subject: int  #: position in the frame's nodes
    object: int  #: position in the frame's nodes
    predicate: str  #: name of the predicate
    group: str  #: name of the predicate's group
    score: float  #: 0..1
    uncertain: bool | None = None  #: whether the model is uncertain; None if it does not estimate this

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 1:
            raise _no_score(f"edge {short(self.predicate)}", self.score)


@dataclass(frozen=True, slots=True)
class GraphFrame:
    """The graph of one frame. Raises DataError if two values contradict each other."""

    key: str  #: the data set's name of the frame
    number: int  #: position in the video, from 1
    time: float | None  #: seconds from the start of the video; None if unknown
    width: float  #: pixels
    height: float  #: pixels
    nodes: tuple[GraphNode, ...]  #: objects and actions
    edges: tuple[GraphEdge, ...]  #: relations between the nodes

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
    """A relation over time: subject --predicate--> object, in the direction in which the predicate
    reads."""

    subject_track: int  #: id of the subject
    object_track: int  #: id of the object
    subject: str  #: class of the subject
    object: str  #: class of the object
    predicate: str  #: name of the predicate
    group: str  #: name of the predicate's group
    begin: float | None  #: seconds, of the first frame in which it holds; None if unknown
    end: float | None  #: seconds, of the last frame in which it holds; None if unknown
    begin_frame: int  #: number of the first frame in which it holds
    end_frame: int  #: number of the last frame in which it holds
    score: float  #: 0..1, the mean over the frames in between

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
    """What made a graph."""

    model: str  #: name of the method
    mode: str  #: ``predcls``, ``sgcls`` or ``sgdet``
    checkpoint: str  #: name of the checkpoint, with the run's folder
    weights: str  #: SHA-256 of the weights of model and detector
    detector: str | None = None  #: architecture of the detector; None if none was used
    fps: float | None = None  #: requested graphs per second
    settings: tuple[tuple[str, float], ...] = ()  #: further options that affect the content
    notes: tuple[str, ...] = ()  #: remarks for readers, for example about an unreadable part of the video
    tracker: str | None = None  #: the tracker that assigned ids; None if they came with the boxes
    source: str | None = None  #: path of the video, relative to the graph file's folder
    #: Least score of the relations that are shown by default, by group. Empty: all relations of the
    #: graph, which a published protocol chose.
    shown_from: tuple[tuple[str, float], ...] = ()
    #: Predicates that are shown only on request, because they say that nothing holds or is known.
    on_request: tuple[str, ...] = ()


@dataclass(frozen=True)
class VideoFile:
    """Identifies the video file, or the folder of pictures, that a graph was made from."""

    size: int  #: bytes, of all pictures together
    digest: str  #: digest of the content, see io.identity.content_of
    frame_count: int  #: frames of the whole video
    fps: float | None = None  #: frames per second on average; None if unknown

    def __post_init__(self) -> None:
        if self.size < 0 or self.frame_count < 1:
            raise DataError(
                f"the video has {self.size} bytes and {self.frame_count} frames; there must be one frame at least."
            )
        if self.fps is not None and not 0 < self.fps < math.inf:
            raise DataError(
                f"the video has {self.fps} frames a second, not a positive number; None says that it is unknown."
            )


@dataclass(frozen=True, repr=False)
class VideoGraph:
    """The graphs of one video: its annotated or sampled frames, and its relations over time.

    Raises DataError if two values contradict each other.
    """

    video_id: str  #: name of the video
    dataset: str  #: name of the schema
    frames: tuple[GraphFrame, ...]  #: in the order of time
    relations: tuple[RelationInterval, ...] = ()  #: relations over time, ordered by begin
    made_by: Origin | None = None  #: what made the graph; None for annotations, and if unknown
    schema: Schema | None = None  #: classes, predicates and rules; None if unknown
    video: VideoFile | None = None  #: the video file; None for annotations, and in files of versions 1 and 2

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

    def __repr__(self) -> str:
        """One line: all values of a film would be megabytes of text."""
        sizes = f"{counted(len(self.frames), 'frame')}, {counted(len(self.relations), 'relation')} over time"
        by = f", by {self.made_by.model}" if self.made_by else ""
        return f"VideoGraph({short(self.video_id)}, {self.dataset}: {sizes}{by})"

    @property
    def vocabulary(self) -> Vocabulary | None:
        """All classes and predicates that the graph can use; None if unknown."""
        return None if self.schema is None else self.schema.vocabulary

    @property
    def notes(self) -> tuple[str, ...]:
        """What everybody who looks at the graph should know, such as that no model saw the
        pictures. Whatever shows the graph shows its notes."""
        return self.made_by.notes if self.made_by else ()

    def _check_vocabulary(self) -> None:
        """All names of the graph are in its vocabulary, so that readers can look them up."""
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
        """Return the frame that is nearest in time, the earlier of two that are equally near.

        Args:
            seconds: time from the start of the video.

        Raises:
            DataError: there are no frames, or their times are unknown.

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
        """Return the graph with only those relations that pages show by default.

        Edges below their group's least score are left out, and predicates that say that nothing
        holds, such as ``not_contacting``. Graphs made by a published protocol are returned
        unchanged.
        """
        if self.made_by is None or not self.made_by.shown_from:
            return self
        least, hidden = dict(self.made_by.shown_from), set(self.made_by.on_request)

        def seen(relation: GraphEdge | RelationInterval) -> bool:
            return relation.predicate not in hidden and relation.score >= least.get(relation.group, 0.0)

        frames = tuple(replace(frame, edges=tuple(filter(seen, frame.edges))) for frame in self.frames)
        return replace(self, frames=frames, relations=tuple(r for r in self.relations if r.predicate not in hidden))

    def save(self, path: str | Location) -> Location:
        """Write the graph as JSON.

        Args:
            path: the file, such as ``kitchen.graph.json`` or ``s3://bucket/kitchen.graph.json``.

        Returns:
            The path.

        Raises:
            DataError: the file cannot be written.
        """
        from vidsgg.io.graphs import moved_to, write_graph
        from vidsgg.io.locations import location

        file = location(path)
        write_graph(file, moved_to(self, file))
        return file

    def show(
        self, page: str | Path | None = None, *, video: str | Location | None = None, browser: bool = True
    ) -> Path:
        """Write a page with video, graph and timeline, and open it in the browser.

        Args:
            page: the file to write; by default one in a temporary folder.
            video: the video; by default the graph's own path is used. Without a video the page has
                no pictures.
            browser: False only writes the page.

        Returns:
            The path of the page.

        Raises:
            DataError: the page cannot be written, or the video is a different one.
        """
        from vidsgg.io.locations import location
        from vidsgg.recipes.view import show_graph

        return show_graph(
            self, None if page is None else Path(page), None if video is None else location(video), browser
        )

    def to_networkx(self) -> Any:
        """Return a ``networkx.MultiDiGraph``: a node per object, an edge per relation over time.

        Raises:
            ConfigError: networkx is not installed (``pip install networkx``).
            DataError: the objects have no ids.
        """
        from vidsgg.io.exporters.networkx_graph import to_networkx

        return to_networkx(self)

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with a row for every relation of every frame.

        Its columns are those of ``vidsgg export -format csv``.

        Raises:
            ConfigError: pandas is not installed (``pip install vidsgg[notebook]``).
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
