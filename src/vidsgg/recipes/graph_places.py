"""Which file the graph of each video has in a folder, and what is there already: no graph takes the
place of another video's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.graphs import SUFFIX, from_path, read_graph
from vidsgg.io.identity import Content
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.names import folded
from vidsgg.recipes.distinct import distinct, names_of
from vidsgg.structures.graph import Origin, VideoGraph

REMEDY = "use another -o, or make it again with -overwrite True."


@dataclass(frozen=True)
class GraphPlace:
    """Where the graph of a video belongs."""

    video: Location
    file: Location
    done: bool = False  # the graph of this very video is there, made alike
    note: str | None = None  # why the file is not called as the video
    problem: str | None = None  # why the graph can neither be kept nor made
    in_library: bool = False  # whether ``file`` is a library, which the graph becomes a part of
    new: bool = False  # there was no such file: one that is there later is of another call


def graph_places(
    videos: Sequence[Location], folder: Location, origin: Origin, overwrite: bool, part: slice = slice(None)
) -> list[GraphPlace]:
    """The place of every video's graph, or of those of a part of the videos. Videos that are called alike get longer names, and so does
    one whose name another video's graph has.

    A graph file that does not say which video it was made from (versions 1 and 2) is taken for this
    one's if it says that it was made from
    this path. overwrite: nothing is kept, but the graph of another video. Raises ConfigError if a
    graph of these videos was made with other options, or if a graph file of that name cannot be
    read.
    """
    choices = [names_of(video) for video in videos]
    names = distinct(choices)
    claimed = set(map(folded, names))
    places = []
    for video, own, name in list(zip(videos, choices, names, strict=True))[part]:
        claimed.discard(folded(name))
        free = [choice for choice in own if folded(choice) not in claimed]
        try:
            place = _place(video, free, name, folder, origin, overwrite)
        except DataError as error:  # the video cannot be read
            place = GraphPlace(video, folder / (name + SUFFIX), problem=str(error))
        claimed.add(folded(place.file.name.removesuffix(SUFFIX)))
        places.append(place)
    return places


def _place(
    video: Location, names: Sequence[str], first: str, folder: Location, origin: Origin, overwrite: bool
) -> GraphPlace:
    """names: those that are free in this call. first: the one to take if no graph is there."""
    is_of = cache(lambda known: known.is_in(video))
    files = {name: folder / (name + SUFFIX) for name in names}
    there = {name: _Found(file, video, is_of, overwrite) for name, file in files.items() if file.exists()}
    for name, found in there.items():
        if found.whose == "this":
            check_alike(str(found.file), found.graph, origin, overwrite)
            return GraphPlace(video, found.file, not overwrite, _note(video, name, there))
        if found.whose == "unknown" and name == first:
            return GraphPlace(video, found.file, problem=None if overwrite else f"{found.file} {found.doubt}; {REMEDY}")
    free = [name for name in names[names.index(first) :] if name not in there]
    if not free:
        return GraphPlace(
            video,
            files[first],
            problem=f"{video}: {', '.join(map(str, files.values()))} are all of other videos; {REMEDY}",
        )
    return GraphPlace(video, files[free[0]], note=_note(video, free[0], there), new=True)


def _note(video: Location, name: str, there: dict[str, _Found]) -> str | None:
    short = names_of(video)[0]
    if name == short:
        return None
    if short in there and there[short].whose == "another":
        return f"its graph is called {name}{SUFFIX}: {there[short].file} is that of another video"
    return f"its graph is called {name}{SUFFIX}: another video is called {short!r} too"


class _Found:
    """A graph file that is there. whose: made from this video, from another one, or not known."""

    def __init__(self, file: Location, video: Location, is_of: Callable[[Content], bool], overwrite: bool) -> None:
        self.file, self.graph, self.doubt = file, _read(file, overwrite), ""
        self.whose = self._whose(video, is_of)

    def _whose(self, video: Location, is_of: Callable[[Content], bool]) -> str:
        graph = self.graph
        if graph is None:
            return "unknown"
        said = graph.made_by.source if graph.made_by else None
        source = None if said is None else from_path(said, self.file.parent).resolve()
        if graph.video is not None:
            if is_of(Content(graph.video.size, graph.video.digest)):
                return "this"
            self.doubt = f"was made from another content of {video}, which has been replaced since"
            return "unknown" if source == video.resolve() else "another"
        if source == video.resolve():
            return "this"
        self.doubt = f"does not say which video it was made from, and it need not be {video}"
        gone = source is None or isinstance(source, RemotePath) or not source.exists()
        return "unknown" if gone else "another"


def _read(file: Location, overwrite: bool) -> VideoGraph | None:
    try:
        return read_graph(file)
    except DataError as error:
        if overwrite:
            return None
        raise ConfigError(f"{error} Remove it, use another -o, or make it again with -overwrite True.") from error


def check_alike(place: str, graph: VideoGraph | None, origin: Origin, overwrite: bool) -> None:
    """Raises ConfigError if a graph was made with other options and is not to be replaced. place: what
    to call it."""
    before = graph.made_by if graph else None
    if before is not None:
        before = replace(before, notes=(), source=None)  # these tell of the video
    if before != origin and not overwrite:
        raise ConfigError(f"{place} was made differently ({_difference(before, origin)}); {REMEDY}")


def _difference(before: Origin | None, origin: Origin) -> str:
    if before is None:
        return "it does not say how"
    return "; ".join(_differences(before, origin))


def _differences(before: Origin, origin: Origin) -> Iterator[str]:
    for name in Origin.__dataclass_fields__:
        was, now = getattr(before, name), getattr(origin, name)
        if was != now and name == "settings":
            old, new = dict(was), dict(now)
            yield from (
                f"{key} {old.get(key, 'not given')}, now {new.get(key, 'not given')}"
                for key in {**old, **new}
                if old.get(key) != new.get(key)
            )
        elif was != now:
            yield f"{name} {was}, now {now}"
