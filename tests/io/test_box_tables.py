"""Boxes of somebody's own detector: from a table and from a graph file, and what is wrong with them
by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.box_files import class_hint, read_boxes
from vidsgg.io.boxes import FrameBoxes
from vidsgg.io.graphs import write_graph
from vidsgg.structures.graph import GraphFrame, GraphNode, VideoGraph

OBJECTS = ("__background__", "person", "cup")
TABLE = """\ufeffvideo,frame,label,x1,y1,x2,y2,score,track
a.mp4,3,cup,1,2,3.5,4,0.5,7
a.mp4,1,person,0,0,10,20,0.9,1
a.mp4,3,person,0,0,11,20,,1
"b, c.mp4",1,cup,5,5,6,6,1,2
"""


def table(tmp_path: Path, text: str, labelled: bool = True) -> Mapping[str | None, Mapping[int, FrameBoxes]]:
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    return read_boxes(tmp_path / "boxes.csv", OBJECTS, labelled).by_video


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
        ("frame,label,x1,y1,x2,y2\n1,cup,0,0,5\n", "line 2: y2, a number, is missing"),
        ("frame,label,x1,y1,x2,y2\n1,cups,0,0,5,5\n", "line 2: unknown class 'cups'; did you mean 'cup'"),
        ("frame,label,x1,y1,x2,y2\n1,__background__,0,0,5,5\n", "line 2: unknown class '__background__'"),
        (
            "frame,label,x1,y1,x2,y2\n1,cup,5,0,4,5\n",
            r"line 2: the box is \[5\.0, 0\.0, 4\.0, 5\.0\], not x1, y1, x2, y2 .* columns x, y, w, h",
        ),
        ("frame,label,x1,y1,x2,y2\n1,cup,5,0,nan,5\n", r"line 2: the box is .*must be numbers of pixels"),
        (
            "frame,label,x1,y1,x2,y2\n1,cup,0.1,0,0.5,1\n",
            r"all coordinates lie between 0 and 1, .* multiply x by the width",
        ),
        (
            "frame,label,x1,y1,x2,y2\n0,cup,0,0,4,5\n",
            r"line 2: frame is 0; frames count from 1\. If yours count from 0, add 1",
        ),
        ("frame,label,x1,y1,x2,y2\n1,cup,0,0,4,5,6\n", r"line 2: has 7 values for 6 columns"),
        ("frame,label,x1,xmin,y1,x2,y2\n1,cup,0,0,4,5,6\n", r"two columns give 'x1'"),
        ("frame,label,x1,y1,w\n", r"column 'h' is missing; there must be frame and x1,y1,x2,y2 \(or x,y,w,h\)"),
        ("frame,label,id,x1,y1,w,h\n", r"unknown column 'id'"),
        (
            "1,7,5,5,10,10,0.9,-1,-1,-1\n",
            r"has no header and looks like a table of the MOT challenge, which names no classes; add a first line",
        ),
        ("frame,label,x1,y1,x2,y2,score\n1,cup,0,0,5,5,7\n", "line 2: score is 7.0"),
        ("frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,-1\n", "line 2: track is -1"),
        (
            "frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,1\n1,cup,0,0,5,5,\n",
            "line 3: has no track, but other boxes have",
        ),
        ("frame,label,x1,y1,x2,y2,track\n1,cup,0,0,5,5,1\n1,cup,0,0,6,5,1\n", "two boxes of frame 1 have one track"),
    ],
)
def test_what_is_wrong_with_a_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"boxes\.csv.*{message}"):
        table(tmp_path, text)


def test_a_table_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read"):
        read_boxes(tmp_path / "none.csv", OBJECTS, True)
    (tmp_path / "boxes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="text in UTF-16"):
        read_boxes(tmp_path / "boxes.csv", OBJECTS, True)


def test_a_graph_file_gives_the_boxes_of_its_nodes(tmp_path: Path) -> None:
    nodes = (GraphNode("person", 0.9, (0, 0, 10, 20), 4), GraphNode("cup", 0.5, (1, 2, 3, 4), 5))
    write_graph(tmp_path / "g.json", VideoGraph("a.mp4", "toy", (GraphFrame("k", 8, 0.1, 64, 48, nodes, ()),)))
    frame = read_boxes(tmp_path / "g.json", OBJECTS, True).by_video["a.mp4"][8]
    assert (frame.klass.tolist(), frame.track.tolist()) == ([1, 2], [4, 5])
    assert frame.box.tolist() == [[0, 0, 10, 20], [1, 2, 3, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "frame;label;xmin;ymin;xmax;ymax;conf;track_id\n2;cup;-3;4,5;10;20;0,5;7\n",
        "Frame\tClass\tX_Min\tY_Min\tX_Max\tY_Max\tConfidence\tTID\n2\tcup\t-3\t4.5\t10\t20\t0.5\t7.0\n",
        "frame, class_name, x, y, w, h, score, track\n2.0, cup, -3, 4.5, 13, 15.5, 0.5, 7\n",
        "frame_number,label,bb_left,bb_top,bb_width,bb_height,score,track\n2,cup,-3,4.5,13,15.5,0.5,7\n\n",
        "frame,width,height,label,xmin,ymin,xmax,ymax,score,track\n2,640,480,cup,-3,4.5,10,20,0.5,7\n",
    ],
    ids=["semicolons and decimal commas", "tabs", "x,y,w,h with blanks", "left, top", "size of the picture besides"],
)
def test_columns_of_other_tools(tmp_path: Path, text: str) -> None:
    frame = table(tmp_path, text)[None][2]
    assert (frame.box.tolist(), frame.klass.tolist()) == ([[-3, 4.5, 10, 20]], [2])
    assert (frame.score.tolist(), frame.track.tolist()) == ([0.5], [7])


def test_a_table_of_the_mot_challenge(tmp_path: Path) -> None:
    found = table(tmp_path, "1,7,5,5,10,20,0.9,-1,-1,-1\n3,8,5,6,10,20,-1,-1,-1,-1\n", labelled=False)[None]
    assert {number: (frame.box.tolist(), frame.track.tolist()) for number, frame in found.items()} == {
        1: ([[5, 5, 15, 25]], [7]), 3: ([[5, 6, 15, 26]], [8]),
    }  # fmt: skip
    assert found[3].score.tolist() == [1.0]


def coco(**changes: Any) -> dict[str, Any]:
    content: dict[str, Any] = {
        "videos": [{"id": 5, "name": "a.mp4"}],
        "images": [{"id": 10, "video_id": 5, "frame_id": 0}, {"id": 11, "video_id": 5, "frame_id": 4}],
        "categories": [{"id": 1, "name": "person"}, {"id": 9, "name": "cup"}],
        "annotations": [
            {"id": 1, "image_id": 11, "category_id": 9, "bbox": [1, 2, 3, 4], "score": 0.5, "track_id": 3},
            {"id": 2, "image_id": 10, "category_id": 1, "bbox": [0, 0, 9, 9], "track_id": 4},
        ],
    }
    return content | changes


def read_coco(tmp_path: Path, content: Any) -> Mapping[str | None, Mapping[int, FrameBoxes]]:
    (tmp_path / "coco.json").write_text(json.dumps(content), encoding="utf-8")
    return read_boxes(tmp_path / "coco.json", OBJECTS, True).by_video


def test_coco_files_with_frames_from_0_or_1_and_of_pictures(tmp_path: Path) -> None:
    found = read_coco(tmp_path, coco())["a.mp4"]
    assert sorted(found) == [1, 5]
    assert (found[5].box.tolist(), found[5].klass.tolist(), found[5].track.tolist()) == ([[1, 2, 4, 6]], [2], [3])
    images = [{"id": 10, "frame_id": 1}, {"id": 11, "frame_id": 5}]
    assert sorted(read_coco(tmp_path, coco(images=images, videos=[]))[None]) == [1, 5]
    images = [{"id": 10, "file_name": "walk/1.jpg"}, {"id": 11, "file_name": "walk/2.jpg"}]
    assert {name: list(frames) for name, frames in read_coco(tmp_path, coco(images=images)).items()} == {
        "walk/1.jpg": [1],
        "walk/2.jpg": [1],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            [{"image_id": 1}],
            "is a list, as COCO's results are, which say neither classes nor frames; give the whole file",
        ),
        ({"a": 1}, "neither a graph file of 'vidsgg predict' nor COCO's JSON: it has no list 'images'"),
        (
            coco(annotations=[{"image_id": [1], "category_id": 1}]),
            r"annotations\[0\]: image_id is \[1\], which 'images' does not have",
        ),
        (coco(annotations=[{"image_id": 10, "category_id": 2}]), "category_id is 2, which 'categories' does not have"),
        (
            coco(annotations=[{"image_id": 10, "category_id": 1, "bbox": [1, 2, 3]}]),
            r"bbox is \[1, 2, 3\], not x, y, width, height",
        ),
        (coco(annotations=[{"image_id": 10, "category_id": 1, "bbox": [1, 2, -3, 4]}]), "not x1, y1, x2, y2 with"),
        (coco(annotations=[{"image_id": 10, "category_id": 1, "bbox": [1, 2, 3, 4], "score": "x"}]), "score is 'x'"),
        (
            coco(categories=[{"id": 1, "name": "person"}, {"id": 9, "name": "mug"}]),
            "unknown class 'mug'; there are person, cup",
        ),
    ],
)
def test_what_is_wrong_with_a_coco_file_is_named(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(DataError, match=rf"coco\.json.*{message}"):
        read_coco(tmp_path, content)


@pytest.mark.parametrize(
    ("label", "hint"),
    [
        ("cup", "; did you mean 'cup/glass/bottle'?"),
        ("Glass", "; did you mean 'cup/glass/bottle'?"),
        ("botle", "; did you mean 'cup/glass/bottle' or 'table'?"),
        ("cell phone", "; did you mean 'phone/camera'?"),
        ("closet cabinet", "; did you mean 'closet/cabinet'?"),
        ("zebra", ""),
    ],
)
def test_a_near_class_is_suggested(label: str, hint: str) -> None:
    assert class_hint(label, SCHEMA.vocabulary.objects[1:]) == hint


def test_all_unknown_classes_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"line 2: unknown class 'dog'; there are person, cup\. Also unknown: 'cups'; did you mean 'cup'\? 'car'",
    ):
        table(tmp_path, "frame,label,x1,y1,x2,y2\n1,dog,0,0,5,5\n2,cups,0,0,5,5\n3,dog,0,0,5,5\n4,car,0,0,5,5\n")


def test_boxes_are_found_by_the_end_of_a_videos_path(tmp_path: Path) -> None:
    rows = [f"{name},1,cup,{i},0,9,9" for i, name in enumerate(("a/k.mp4", "k.mp4", "walk", "b\\\\k"))]
    (tmp_path / "b.csv").write_text(
        "video,frame,label,x1,y1,x2,y2\n" + "\n".join(rows).replace("\\\\", "\\"), encoding="utf-8"
    )
    found = read_boxes(tmp_path / "b.csv", OBJECTS, True)
    videos = [tmp_path / name for name in ("a/k.mp4", "c/k.mp4", "c/walk.avi", "b/k.mkv")]
    assert [int(found.of(video).frames[1].box[0, 0]) for video in videos] == [0, 1, 2, 3]
    found.check(videos)
    with pytest.raises(
        ConfigError, match=r"b\.csv has boxes of 'k\.mp4', and 2 of the videos are called so; put the folder in front"
    ):
        found.check([*videos, tmp_path / "d" / "k.mp4"])
    with pytest.raises(DataError, match=r"x\.mp4: .*b\.csv has no boxes of it; it has those of a/k\.mp4, k\.mp4, walk"):
        found.of(tmp_path / "x.mp4")


def test_boxes_that_name_no_video_are_those_of_one(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("frame,label,x1,y1,x2,y2\n1,cup,0,0,5,5\n", encoding="utf-8")
    found = read_boxes(tmp_path / "b.csv", OBJECTS, True)
    found.check([Path("a.mp4")])
    with pytest.raises(ConfigError, match=r"does not say which of 2 videos its boxes are of; add a column 'video'"):
        found.check([Path("a.mp4"), Path("b.mp4")])


def test_boxes_of_the_pictures_of_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "walk"
    folder.mkdir()
    for name in ("2.jpg", "10.jpg", "1.jpg"):
        (folder / name).touch()
    (tmp_path / "b.csv").write_text(
        "filename,class,xmin,ymin,xmax,ymax\nwalk/10.jpg,cup,0,0,5,5\n1.jpg,cup,1,0,5,5\n", encoding="utf-8"
    )
    assert sorted(read_boxes(tmp_path / "b.csv", OBJECTS, True).of(folder).frames) == [1, 3]
    (tmp_path / "b.csv").write_text("filename,class,xmin,ymin,xmax,ymax\nwalk.mp4,cup,0,0,5,5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2: frame, a whole number, is missing"):
        read_boxes(tmp_path / "b.csv", OBJECTS, True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("frame,label,x1,y1,x2,y2\n1,café,1,2,3,4\n".encode("latin1"), "is not text in UTF-8; save it as UTF-8"),
        ("frame,label,x1,y1,x2,y2\n1,cup,1,2,3,4\n".encode("utf-16"), "is text in UTF-16; save it as UTF-8"),
        (
            b'frame,label,x1,y1,x2,y2\n1,"' + b"a" * 200_000,
            "is no table in CSV; a quotation mark may lack its other half",
        ),
    ],
    ids=["latin1", "utf16", "quotation mark"],
)
def test_tables_that_are_no_text_or_no_table(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "b.csv").write_bytes(content)
    with pytest.raises(DataError, match=rf"b\.csv: {message}\.$"):
        read_boxes(tmp_path / "b.csv", OBJECTS, True)
