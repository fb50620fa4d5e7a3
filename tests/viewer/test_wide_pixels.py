"""Videos whose pixels are not square: graphs of what is shown, and graphs in the pixels of the
file, each lie on their own pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numbered_video import HEIGHT, WIDTH, mark_turned, write
from PIL import Image

from vidsgg.errors import DataError
from vidsgg.io.video import VideoReader
from vidsgg.structures.graph import GraphFrame, GraphNode, VideoGraph
from vidsgg.viewer.media import media_of
from vidsgg.viewer.overlay import write_overlay
from vidsgg.viewer.pictures import pictures_of
from vidsgg.viewer.sheet import write_sheet

ASPECT = Fraction(16, 11)
WIDE = round(WIDTH * ASPECT)


def graph_of(width: int, height: int) -> VideoGraph:
    """A box around the third white or black square of the top row."""
    box = (width * 2 / 8, 0.0, width * 3 / 8, height / 3)
    node = GraphNode("chair", 0.9, box, 1)
    frames = tuple(GraphFrame(f"v.mp4/{n:06d}", n, (n - 1) / 25, width, height, (node,), ()) for n in (1, 26))
    return VideoGraph("v.mp4", "action_genome", frames)


@pytest.mark.parametrize(("width", "turned"), [(WIDE, False), (WIDTH, False), (WIDE, True), (WIDTH, True)])
def test_page_overlay_and_sheet_follow_the_graph(tmp_path: Path, width: int, turned: bool) -> None:
    video, size = write(tmp_path / "v.mp4", frames=30, aspect=ASPECT), (width, HEIGHT)
    if turned:
        mark_turned(video, 0, 1, -1, 0)
        size = (HEIGHT, width)
    graph = graph_of(*size)
    first = next(iter(pictures_of(graph.frames, video)))
    assert first is not None and first.shape == (size[1], size[0], 3)
    media = media_of(graph, [0.0, 1.0], video, 640)
    (tmp_path / "page.mp4").write_bytes(media.video or b"")
    height_shown, width_shown = VideoReader(tmp_path / "page.mp4").read([1])[0].shape[:2]
    assert width_shown / height_shown == pytest.approx(size[0] / size[1], rel=0.02)
    write_overlay(tmp_path / "o.mp4", graph, video)
    drawn = VideoReader(tmp_path / "o.mp4").read([1])[0].astype(int)
    height, wide = drawn.shape[0], round(drawn.shape[0] * size[0] / size[1])
    if not turned:  # 1 is 100000 in squares: only the first is white
        assert drawn[height // 16, wide // 16].min() > 200 and drawn[height // 8, wide * 3 // 16].max() < 60
        row = drawn[height // 4, :wide]
        colourful = np.flatnonzero(row.max(1) - row.min(1) > 60)
        assert colourful.min() == pytest.approx(wide * 2 / 8, abs=6) and colourful.max() == pytest.approx(
            wide * 3 / 8, abs=6
        )
    write_sheet(tmp_path / "s.png", graph, video)
    assert Image.open(tmp_path / "s.png").size[0] == 2 * 430 + 10


def test_a_graph_of_neither_size_is_of_another_video(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", frames=30, aspect=ASPECT)
    with pytest.raises(DataError, match=f"is {WIDE}x{HEIGHT} pixels"):
        media_of(graph_of(300, 300), [0.0, 1.0], video, 640)
