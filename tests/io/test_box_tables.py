"""Boxes of somebody's own detector: from a table and from a graph file, and what is wrong with them by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vidsgg.errors import DataError
from vidsgg.io.boxes import FrameBoxes, read_boxes
from vidsgg.io.graphs import write_graph
from vidsgg.structures.graph import GraphFrame, GraphNode, VideoGraph

OBJECTS = ("__background__", "person", "cup")
TABLE = """\ufeffvideo,frame,label,x1,y1,x2,y2,score,track
a.mp4,3,cup,1,2,3.5,4,0.5,7
a.mp4,1,person,0,0,10,20,0.9,1
a.mp4,3,person,0,0,11,20,,1
"b, c.mp4",1,cup,5,5,6,6,1,2
"""


def table(tmp_path: Path, text: str, labelled: bool = True) -> dict[str | None, dict[int, FrameBoxes]]:
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    return read_boxes(tmp_path / "boxes.csv", OBJECTS, labelled)


def test_a_table_is_read_by_video_and_frame(tmp_path: Path) -> None:
    found = table(tmp_path, TABLE)
    assert {video: sorted(frames) for video, frames in found.items()} == {"a.mp4": [1, 3], "b, c.mp4": [1]}
    third = found["a.mp4"][3]
    assert third.box.tolist() == [[1, 2, 3.5, 4], [0, 0, 11, 20]]
    assert (third.klass.tolist(), third.track.tolist(), third.score.tolist()) == ([2, 1], [7, 1], [0.5, 1.0])
    assert third.box.dtype == np.float32


def test_videos_labels_scores_and_tracks_may_be_missing(tmp_path: Path) -> None:
    (frame,) = table(tmp_path, "frame,x1,y1,x2,y2\n2,0,0,5,5\n", labelled=False)[None].values()
    assert (frame.klass.tolist(), frame.track.tolist(), frame.score.tolist()) == ([0], [-1], [1.0])
    with pytest.raises(DataError, match=r"line 2: unknown class ''; there are person, cup"):
        table(tmp_path, "frame,x1,y1,x2,y2\n2,0,0,5,5\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 'frame' is missing"),
        ("frame,x1,y1,x2\n", "column 'y2' is missing"),
        ("frame,x1,y1,x2,y2\n", "holds no box"),
        ("frame,x1,y1,x2,y2,scor\n", "unknown column 'scor'; did you mean 'score'"),
        ("frame,label,x1,y1,x2,y2\n1,cup,0,0,5,x\n", "line 2: y2 is 'x', not a number"),
        ("frame,label,x1,y1,x2,y2\n1.5,cup,0,0,5,5\n", "line 2: frame is '1.5', not a whole number"),
        ("frame,label,x1,y1,x2,y2\n1,cup,0,0,5\n", "line 2: y2 is None, not a number"),
        ("frame,label,x1,y1,x2,y2\n1,cups,0,0,5,5\n", "line 2: unknown class 'cups'; did you mean 'cup'"),
        ("frame,label,x1,y1,x2,y2\n1,__background__,0,0,5,5\n", "line 2: unknown class '__background__'"),
        ("frame,label,x1,y1,x2,y2\n1,cup,5,0,5,5\n", r"line 2: box\[0\] of 1 is \[5\.0, 0\.0, 5\.0, 5\.0\], not x1 < x2"),
        ("frame,label,x1,y1,x2,y2,score\n1,cup,0,0,5,5,7\n", "line 2: score is 7.0"),
        ("frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,-1\n", "line 2: track is -1"),
        ("frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,1\n1,cup,0,0,5,5,\n", "line 3: has no track, but other boxes have"),
        ("frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,1\n1,cup,0,0,6,5,1\n", "two boxes of frame 1 have one track"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"boxes\.csv.*{message}"):
        table(tmp_path, text)


def test_a_table_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*none\.csv"):
        read_boxes(tmp_path / "none.csv", OBJECTS, True)
    (tmp_path / "boxes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="no table in CSV"):
        read_boxes(tmp_path / "boxes.csv", OBJECTS, True)


def test_a_graph_file_gives_the_boxes_of_its_nodes(tmp_path: Path) -> None:
    nodes = (GraphNode("person", 0.9, (0, 0, 10, 20), 4), GraphNode("cup", 0.5, (1, 2, 3, 4), 5))
    write_graph(tmp_path / "g.json", VideoGraph("a.mp4", "toy", (GraphFrame("k", 8, 0.1, 64, 48, nodes, ()),)))
    frame = read_boxes(tmp_path / "g.json", OBJECTS, True)["a.mp4"][8]
    assert (frame.klass.tolist(), frame.track.tolist()) == ([1, 2], [4, 5])
    assert frame.box.tolist() == [[0, 0, 10, 20], [1, 2, 3, 4]]


def test_boxes_are_cut_at_the_edge_but_not_moved_into_the_picture() -> None:
    box = np.array([[-0.5, 0, 10.8, 5]], np.float32)
    frame = FrameBoxes("boxes.csv, line 2", box, np.array([1]), np.ones(1, np.float32), np.array([-1]))
    assert frame.within(10, 6).box.tolist() == [[0, 0, 10, 5]]
    with pytest.raises(DataError, match=r"line 2: box .* lies outside of the picture of 9 x 6 pixels"):
        frame.within(9, 6)
