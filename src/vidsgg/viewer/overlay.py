"""The video with its graphs drawn into it, as a film that plays everywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vidsgg.errors import DataError, counted
from vidsgg.inference.graphs import tracked
from vidsgg.io.encoding import Encoding, check_encoder, write_video
from vidsgg.io.footage import Footage, FramesDone
from vidsgg.io.images import Image
from vidsgg.io.locations import Location
from vidsgg.structures.graph import GraphEdge, GraphFrame, VideoGraph
from vidsgg.viewer.between import Moments
from vidsgg.viewer.content import FRAMES_A_SECOND, Stretch, stretches_of
from vidsgg.viewer.drawing import FilmLayout
from vidsgg.viewer.graphs import colours, subjects_of, thing_names
from vidsgg.viewer.matching import Track
from vidsgg.viewer.pictures import graph_footage, is_video_file, pictures_of

SUFFIX = ".overlay.mp4"


def write_overlay(
    path: Path, graph: VideoGraph, video: Location, *, width: int = 1280, watch: FramesDone | None = None
) -> None:
    """The whole video at its own rate, beside it what the graph says, below it the graph's notes.

    Boxes move between graphs as on the page (``viewer/between.py``), dashed where graphs in between
    did not see the thing. A relation is shown from its begin to its end. Of a folder of pictures,
    those of the graph are shown for as long as they are apart. width: pixels to which wider
    pictures are reduced. watch: called with the number of pictures done and of all. No more than a
    few pictures are held at a time.

    Raises DataError naming what does not fit if the video is not the graph's or cannot be read,
    ConfigError if the installed PyAV cannot write H.264.
    """
    check_encoder()
    if not graph.frames:
        raise DataError(f"video {graph.video_id!r}: its graph has no frame to draw.")
    film = _Film.of(graph, video, width)
    watched = film.frames() if watch is None else _watched(film.frames(), film.count, watch)
    write_video(path, watched, Encoding(quality=21), last=film.last)


def _watched(frames: Iterator[tuple[float, Image]], count: int, watch: FramesDone) -> Iterator[tuple[float, Image]]:
    for done, frame in enumerate(frames, 1):
        yield frame
        watch(done, count)


@dataclass(frozen=True, eq=False)
class _Film:
    """pictures: number in the video, seconds and RGB of everything that is shown. count: of them.
    last: seconds that the last one is shown."""

    moments: Moments
    stretches: list[Stretch]
    groups: list[str]
    layout: FilmLayout
    pictures: Callable[[], Iterator[tuple[int, float, Image]]]
    count: int
    last: float

    @staticmethod
    def of(graph: VideoGraph, video: Location, width: int) -> _Film:
        graph = tracked(graph)
        frame, subjects = graph.frames[0], subjects_of(graph)
        layout = FilmLayout.of(
            frame.width,
            frame.height,
            colours([graph], subjects),
            subjects,
            width,
            thing_names(graph.frames),
            graph.notes,
        )
        stretches = sorted(stretches_of(graph), key=lambda stretch: stretch[4])
        known = [group.name for group in graph.vocabulary.groups] if graph.vocabulary else []
        groups = list(dict.fromkeys([*known, *(stretch[3] for stretch in stretches)]))
        if not is_video_file(video):
            rate = (graph.made_by.fps if graph.made_by else None) or FRAMES_A_SECOND
            times = [i / rate for i in range(len(graph.frames))]

            def kept() -> Iterator[tuple[int, float, Image]]:
                for own, time, image in zip(graph.frames, times, pictures_of(graph.frames, video), strict=True):
                    if image is not None:
                        yield own.number, time, image

            return _Film(Moments(graph.frames, times), stretches, groups, layout, kept, len(times), 1 / rate)
        footage = graph_footage(graph.frames, video, "all")
        count, wanted = len(footage.numbers), graph.frames[-1].number
        if wanted > count:
            raise DataError(
                f"{video}: has {counted(count, 'frame')}, the graph of {graph.video_id!r} has one with number {wanted}."
            )
        times = [footage.time_of(frame.number) for frame in graph.frames]
        last = footage.time_of(count) - footage.time_of(count - 1) if count > 1 else 1 / FRAMES_A_SECOND
        return _Film(Moments(graph.frames, times), stretches, groups, layout, lambda: _decoded(footage), count, last)

    def frames(self) -> Iterator[tuple[float, Image]]:
        coming, held = iter([*self.stretches, None]), list[Stretch]()
        first = next(coming)
        for number, time, image in self.pictures():
            now = self.moments.frame_at(time)
            while first is not None and first[4] <= now:
                held.append(first)
                first = next(coming)
            held = [stretch for stretch in held if stretch[5] >= now]
            frame, guessed = self._frame(f"{_clock(time)}   frame {number}", time, now, held)
            if image.shape[0] * frame.width != image.shape[1] * frame.height:
                size = f"{image.shape[1]} x {image.shape[0]}"
                raise DataError(
                    f"frame {number} has {size} pixels, that of the graph {frame.width:g} x {frame.height:g}: another"
                    " video?"
                )
            yield time, self.layout.draw(image, frame, guessed)

    def _frame(self, key: str, time: float, now: int, held: list[Stretch]) -> tuple[GraphFrame, list[int]]:
        """The graph of a moment, and its nodes whose boxes are guessed."""
        things = self.moments.things_at(time)
        place: dict[Track, int] = {(thing.node.track or 0, thing.node.label): i for i, thing in enumerate(things)}
        edges = [
            GraphEdge(place[subject], place[other], predicate, group, score)
            for subject, other, predicate, group, _, _, score in held
            if subject in place and other in place
        ]
        edges.sort(key=lambda edge: (self.groups.index(edge.group), -edge.score, edge.predicate))
        own = self.moments.frames[max(0, now)]
        nodes = tuple(thing.node for thing in things)
        return GraphFrame(key, own.number, time, own.width, own.height, nodes, tuple(edges)), [
            i for i, t in enumerate(things) if t.bridged
        ]


def _decoded(footage: Footage) -> Iterator[tuple[int, float, Image]]:
    for frame in footage.frames():
        assert frame.time is not None
        yield frame.number, frame.time, frame.image


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds * 10), 600)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest / 10:04.1f}" if hours else f"{minutes}:{rest / 10:04.1f}"
