"""Graphs straight into a library: which videos it has already, and how finished ones come in."""

from __future__ import annotations

import time
import zlib
from collections.abc import Generator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from vidsgg.errors import DataError
from vidsgg.io.footage import shown
from vidsgg.io.graphs import graph_from_json
from vidsgg.io.identity import Content
from vidsgg.io.locations import Location
from vidsgg.io.untrusted import parse_json
from vidsgg.library.build import add_graphs, compact
from vidsgg.library.folder import LibraryFolder
from vidsgg.recipes.graph_places import GraphPlace, check_alike
from vidsgg.structures.graph import Origin, VideoGraph

if TYPE_CHECKING:
    from vidsgg.recipes.predict_video import VideoDone

_EVERY, _MOST_BYTES = 30.0, 64 << 20  # seconds, compressed bytes of graphs, after which they are written
_PATIENCE = 600.0  # seconds to wait for others who write into the same library
_SMALL_ROWS, _MOST_SMALL = 100_000, 64  # parts of fewer rows become one when there are so many


def library_places(
    videos: Sequence[Location], library: LibraryFolder, origin: Origin, overwrite: bool
) -> list[GraphPlace]:
    """As ``graph_places``, for a library. A video is known by its content and its name.

    Raises ConfigError if the graph of one of them was made with other options, unless they are to
    be replaced.
    """
    there: dict[str, list[VideoGraph]] = {}
    for head in library.heads({shown(video.name) for video in videos}):
        there.setdefault(head.video_id, []).append(head)
    return [_place(video, there.get(shown(video.name), ()), library, origin, overwrite) for video in videos]


def _place(
    video: Location, heads: Iterable[VideoGraph], library: LibraryFolder, origin: Origin, overwrite: bool
) -> GraphPlace:
    place = GraphPlace(video, library.path, in_library=True)
    try:
        for head in heads:
            if head.video is not None and Content(head.video.size, head.video.digest).is_in(video):
                check_alike(f"{library.path}: the graph of {head.video_id}", head, origin, overwrite)
                return replace(place, done=not overwrite)
    except DataError as error:  # the video cannot be read
        return replace(place, problem=str(error))
    return place


def packed(file: Path) -> bytes:
    """The text of a graph file, to be sent to the process that writes the library."""
    return zlib.compress(file.read_bytes(), 1)


def into_library(library: LibraryFolder, results: Generator[VideoDone, None, None]) -> Generator[VideoDone]:
    """Add the graphs of finished videos, and hand on the results once they are in. What is finished
    is written every half minute, and when there is no more to come, for whatever reason."""
    waiting: list[VideoDone] = []
    written = 0.0  # the first video is written at once
    try:
        for done in results:
            waiting.append(done)
            size = sum(len(one.graph or b"") for one in waiting)
            if time.monotonic() - written >= _EVERY or size >= _MOST_BYTES:
                ready, waiting = waiting, []
                _add(library, ready)
                written = time.monotonic()
                yield from ready
    except BaseException:
        _add(library, waiting)
        raise
    _add(library, waiting)
    yield from waiting


def _add(library: LibraryFolder, results: Sequence[VideoDone]) -> None:
    graphs = [graph_from_json(parse_json(zlib.decompress(one.graph))) for one in results if one.graph is not None]
    if graphs:
        add_graphs(library, graphs, patience=_PATIENCE)
        small = [part for part in library.manifest.parts if sum(part.rows.values()) < _SMALL_ROWS]
        if len(small) > _MOST_SMALL:
            compact(library, patience=_PATIENCE)
