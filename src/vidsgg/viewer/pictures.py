"""The pictures that belong to the frames of a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Literal

from vidsgg.errors import DataError
from vidsgg.io.footage import PICTURES, Footage, open_footage, picture_files
from vidsgg.io.images import read_image
from vidsgg.io.locations import Location
from vidsgg.io.video import picture_sizes
from vidsgg.structures.graph import GraphFrame
from vidsgg.viewer.graphs import Picture


def is_video_file(path: Location) -> bool:
    """Whether it is no picture and no folder of pictures."""
    return path.is_file() and path.suffix.lower() not in PICTURES


def graph_footage(frames: Sequence[GraphFrame], video: Location, wanted: Collection[int] | Literal["all"]) -> Footage:
    """The frames of a video file whose numbers are ``wanted``, with the pixels that the graph's
    boxes count.

    Boxes of data sets, and of graphs that version 0.1.0 made, count the pixels of the file also
    where these are not square. Such videos are
    shown as they are stored. frames: of the graph. Raises DataError as ``open_footage`` does.
    """
    stored, square = map(sorted, picture_sizes(video))
    sizes = [sorted((frame.width, frame.height)) for frame in frames]
    return open_footage(video, 1.0, wanted, as_stored=stored in sizes and square not in sizes)


def pictures_of(frames: Sequence[GraphFrame], video: Location) -> Iterator[Picture | None]:
    """For every frame its picture out of a video file or a folder of pictures, one at a time; None
    for what cannot be decoded.

    frames: by increasing numbers. In folders the names of the frames' keys are looked for, whatever
    their suffixes; if there is none of them, numbers count. Raises DataError naming the file if it
    has no such frame.
    """
    yield from _of_video(frames, video) if is_video_file(video) else _of_folder(frames, video)


def _of_video(frames: Sequence[GraphFrame], video: Location) -> Iterator[Picture | None]:
    decoded = graph_footage(frames, video, [frame.number for frame in frames]).frames()
    coming = next(decoded)
    for frame in frames:
        if coming.number != frame.number:
            yield None
        else:
            yield coming.image
            coming = next(decoded, coming)


def _of_folder(frames: Sequence[GraphFrame], folder: Location) -> Iterator[Picture | None]:
    files = picture_files(folder) if folder.is_dir() else [folder]
    by_name = {name: file for file in files for name in (file.stem, file.name)}
    names = [PurePosixPath(frame.key) for frame in frames]
    found = [by_name.get(name.name) or by_name.get(name.stem) for name in names]
    if not any(found):  # a folder that numbers its pictures in its own way
        found = [files[frame.number - 1] if frame.number <= len(files) else None for frame in frames]
    for frame, file in zip(frames, found, strict=True):
        if file is None:
            raise DataError(f"{folder}: has no picture of frame {frame.key!r}, number {frame.number}.")
        try:
            yield read_image(file)
        except DataError:
            yield None
