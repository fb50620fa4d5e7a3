"""A few representative frames of a video side by side, with their boxes and relations, as one
picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from PIL import Image

from vidsgg.errors import DataError
from vidsgg.io.atomic import whole_file
from vidsgg.io.locations import Location
from vidsgg.structures.graph import GraphFrame, VideoGraph
from vidsgg.viewer.drawing import draw_sheet
from vidsgg.viewer.graphs import subjects_of, thing_names
from vidsgg.viewer.pictures import pictures_of

SUFFIX = ".sheet.png"


def write_sheet(path: Path, graph: VideoGraph, video: Location | None, *, most: int = 12, columns: int = 4) -> None:
    """A PNG of at most ``most`` frames, see ``telling_frames``. video: the file or folder that the
    graph was made from; without it boxes stand on an empty ground. Raises DataError naming what
    does not fit if it is another video or cannot be read or written.
    """
    if not graph.frames:
        raise DataError(f"video {graph.video_id!r}: its graph has no frame to draw.")
    frames = tuple(telling_frames(graph, most))
    images = None if video is None else pictures_of(frames, video)
    sheet = draw_sheet(
        images,
        replace(graph, frames=frames, relations=()),
        columns,
        subjects=subjects_of(graph),
        names=thing_names(graph.frames),
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            Image.fromarray(sheet).save(file, "PNG", optimize=True)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error


def telling_frames(graph: VideoGraph, most: int) -> list[GraphFrame]:
    """All frames of a short video; of a longer one ``most``: of as many equal parts of it each the
    frame in which most relations begin, of those the one with most edges, of those the first. So
    something new happens in each, and no part of the video is missing.
    """
    frames = graph.frames
    if len(frames) <= most:
        return list(frames)
    begins = Counter(relation.begin_frame for relation in graph.relations)
    bounds = [len(frames) * part // most for part in range(most + 1)]
    parts: list[Sequence[GraphFrame]] = [frames[a:b] for a, b in pairwise(bounds)]
    return [max(part, key=lambda frame: (begins[frame.number], len(frame.edges))) for part in parts]
