"""The contact sheet: frames in which something begins, from all parts of the video, with their own
pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numbered_video import HEIGHT, WIDTH, number_of, numbered, write
from PIL import Image

from vidsgg.errors import DataError
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, RelationInterval, VideoGraph
from vidsgg.viewer.sheet import telling_frames, write_sheet

NODES = (GraphNode("person", 1.0, (4, 40, 60, 90), 1), GraphNode("cup", 1.0, (80, 60, 120, 90), 2))


def graph_of(frames: int, begins: list[int], edges: Sequence[int] = ()) -> VideoGraph:
    """Frames 1, 3, 5, ...; relations that begin in some of them; edges in others."""
    relations = tuple(
        RelationInterval(1, 2, "person", "cup", f"p{i}", "g", None, None, number, 2 * frames - 1, 0.9)
        for i, number in enumerate(begins)
    )
    return VideoGraph(
        "v.mp4", "toy",
        tuple(
            GraphFrame(f"v.mp4/{n:06d}", n, None, WIDTH, HEIGHT, NODES, (GraphEdge(0, 1, "p", "g", 0.5),) if n in edges else ())
            for n in range(1, 2 * frames, 2)
        ),
        relations,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("frames", "begins", "edges", "most", "told"),
    [
        (3, [], [], 4, [1, 3, 5]),
        (8, [], [], 4, [1, 5, 9, 13]),  # nothing to choose by: the first of each part
        (8, [3, 7, 7, 5, 15], [], 4, [3, 7, 9, 15]),
        (8, [], [3, 15], 4, [3, 5, 9, 15]),
        (8, [1], [3], 4, [1, 5, 9, 13]),  # a begin tells more than an edge
        (10, [1, 3, 5], [], 3, [1, 7, 13]),
    ],
)
def test_of_every_part_the_frame_in_which_most_begins(
    frames: int, begins: list[int], edges: list[int], most: int, told: list[int]
) -> None:
    assert [frame.number for frame in telling_frames(graph_of(frames, begins, edges), most)] == told


def tiles(path: Path, columns: int) -> list[int]:
    """Numbers that the pictures of a sheet carry."""
    sheet, found = np.asarray(Image.open(path)), []
    for column in range(columns):
        x = 10 + column * 430
        found.append(number_of(np.asarray(Image.fromarray(sheet[10 : 10 + 315, x : x + 420]).resize((WIDTH, HEIGHT)))))
    return found


def test_frames_have_their_own_pictures_of_videos_and_of_folders(tmp_path: Path) -> None:
    graph = graph_of(20, [7, 33], [])
    write_sheet(tmp_path / "new" / "video.png", graph, write(tmp_path / "v.mp4"), most=3, columns=3)
    folder = tmp_path / "walk"
    folder.mkdir()
    for i in range(1, 41):
        Image.fromarray(numbered(i)).save(folder / f"{i:06d}.png")
    write_sheet(tmp_path / "folder.png", graph, folder, most=3, columns=3)
    (folder / "000013.png").write_bytes(b"broken")
    write_sheet(tmp_path / "broken.png", graph, folder, most=3, columns=3)
    assert tiles(tmp_path / "new" / "video.png", 3) == tiles(tmp_path / "folder.png", 3) == [7, 13, 33]
    assert tiles(tmp_path / "broken.png", 3) == [7, 255, 33]  # an empty ground


def test_a_folder_that_lacks_a_frame_never_shows_another_one(tmp_path: Path) -> None:
    """Dumps of annotated frames only are such, as PNG or JPEG whatever the keys say."""
    graph, folder = graph_of(20, [7, 33], []), tmp_path / "walk"
    folder.mkdir()
    for i in (7, 13, 33, *range(34, 60)):
        Image.fromarray(numbered(i)).save(folder / f"{i:06d}.{'jpg' if i == 13 else 'png'}", quality=95)
    write_sheet(tmp_path / "sparse.png", graph, folder, most=3, columns=3)
    assert tiles(tmp_path / "sparse.png", 3) == [7, 13, 33]
    (folder / "000013.jpg").unlink()
    with pytest.raises(DataError, match="has no picture of frame"):
        write_sheet(tmp_path / "gone.png", graph, folder, most=3, columns=3)


def test_without_the_video_boxes_stand_on_an_empty_ground(tmp_path: Path) -> None:
    write_sheet(tmp_path / "s.png", graph_of(2, []), None)
    assert Image.open(tmp_path / "s.png").size[0] == 2 * 430 + 10


def test_another_video_is_refused_and_nothing_written(tmp_path: Path) -> None:
    video = write(tmp_path / "v.mp4", frames=30)
    with pytest.raises(DataError, match=r"frame 31 was asked for, there are frames 1\.\.30"):
        write_sheet(tmp_path / "s.png", graph_of(20, [39]), video)
    with pytest.raises(DataError, match="no frame to draw"):
        write_sheet(tmp_path / "s.png", VideoGraph("v", "toy", ()), None)
    assert [file.name for file in tmp_path.iterdir()] == ["v.mp4"]
