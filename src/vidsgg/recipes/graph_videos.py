"""The video of a graph: where it is, and whether what lies there is the one that the graph was made
from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import cast

from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.io.footage import VIDEOS, open_footage, picture_files
from vidsgg.io.graphs import from_path, read_graph, stem_of, whole_path_to
from vidsgg.io.identity import Content
from vidsgg.io.locations import Location, RemotePath, location
from vidsgg.structures.graph import VideoFile, VideoGraph


def open_graph(path: str | Location) -> VideoGraph:
    """Read a graph file that ``VideoGraph.save`` or ``vidsgg predict`` wrote.

    The path of its video becomes absolute, so that the working folder does not matter.

    Args:
        path: the file, on this machine or in object storage.

    Raises:
        DataError: the file cannot be read or is invalid; the message names the place and the value.
    """
    file = location(path)
    graph = read_graph(file)
    if graph.made_by is None or graph.made_by.source is None:
        return graph
    return replace(graph, made_by=replace(graph.made_by, source=whole_path_to(graph.made_by.source, file.parent)))


def own_video(graph: VideoGraph, file: Location, notes: list[str]) -> Location | None:
    """The video where the graph in ``file`` says that it is. None where it is not there, or has
    been replaced; then ``notes`` says so."""
    said = graph.made_by.source if graph.made_by else None
    if said is None:
        notes.append(
            "The graph does not say where its video is, so the page has no pictures; name the video with -video."
        )
        return None
    path = from_path(said, file.parent)
    if isinstance(path, RemotePath) and not (isinstance(file, RemotePath) and file.bucket == path.bucket):
        notes.append(
            f"The video is {path}. A page opens no address that only a file names, so it has no pictures; name the video"
            " with -video."
        )
        return None
    if not _is_there(path):
        notes.append(f"The video {said} is not there any more, so the page has no pictures; name it with -video.")
        return None
    if graph.video is not None and _differs(graph.video, path):
        notes.append(
            f"The video {said} has been replaced since the graph was made, so the page has no pictures; name the one it"
            " was made from with -video."
        )
        return None
    return path


def _is_there(path: Location) -> bool:
    """Whether there is a file or a folder. The path comes out of a graph file, so it can be
    anything, a pipe that nobody writes to as well."""
    try:
        return path.is_file() or path.is_dir()
    except (OSError, ValueError):  # too long, or where nobody may look
        return False


def check_video(known: VideoFile | None, graph: str, video: Location) -> list[str]:
    """What a reader should know of a video that was named for a graph: that it is another file than
    the graph's, which is ``known``.

    graph: what to call it in messages. Raises DataError if it is another video by its number of
    frames.
    """
    if known is None or not _differs(known, video):
        return []
    count = open_footage(video, 1.0, "all").count
    if count != known.frame_count:
        raise DataError(
            f"{video}: is not the video that {graph} was made from: it has {counted(count, 'frame')}, that one"
            f" {known.frame_count}."
        )
    return [
        f"{video.name} is another file than the graph was made from, with as many frames; if it shows something else,"
        " boxes are wrong"
    ]


def check_truth(graph: VideoGraph, truth: VideoGraph) -> None:
    """Raises DataError if the ground truth says that it is of another video."""
    if graph.video and truth.video and graph.video.digest != truth.video.digest:
        raise DataError(f"video {graph.video_id!r}: the ground truth is that of another video, {truth.video_id!r}.")


def named_video(given: Location, file: Location) -> Location:
    """The video that ``-video`` gives for the graph in ``file``: itself, or out of a folder the one
    that the graph is of or is called like.

    Raises ConfigError if there is none.
    """
    if not given.exists():
        raise ConfigError(f"option -video: {given} does not exist.")
    if given.is_file():
        return given
    graph, stem = read_graph(file), stem_of(file)
    inside = cast(Iterator[Location], given.iterdir())
    videos = sorted(path for path in inside if path.suffix.lower() in VIDEOS or path.is_dir())
    found = [path for path in videos if graph.video_id == path.name] + [
        path for path in videos if stem in (path.name, path.stem)
    ]
    found = found or ([given] if picture_files(given) else [])
    if not found:
        raise ConfigError(f"option -video: {given} holds nothing named {stem!r}, for {file}.")
    return _likeliest(graph, list(dict.fromkeys(found)))


def _likeliest(graph: VideoGraph, found: Sequence[Location]) -> Location:
    own = (path for path in found if graph.video is not None and not _differs(graph.video, path))
    return found[0] if len(found) == 1 else next(own, found[0])


def _differs(known: VideoFile, path: Location) -> bool:
    return not Content(known.size, known.digest).is_in(path)
