"""Every format, read again: by its own reader where there is one, else by a strict parser; with
names that mean mischief."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import networkx
import pytest
import supervision
import torch
from clips import ENTITY
from faster_coco_eval import COCO

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.exporters.coco import coco
from vidsgg.io.exporters.cypher import cypher
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.io.exporters.graphml import graphml
from vidsgg.io.exporters.networkx_graph import to_networkx
from vidsgg.io.exporters.predictions import prediction_tensors
from vidsgg.io.exporters.supervision_boxes import to_supervision
from vidsgg.io.exporters.table import COLUMNS, rows, table
from vidsgg.io.exporters.vidvrd import vidor, vidvrd
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoFile, VideoGraph

EVIL = """=1+1','"); DROP <b a="x">&amp;\\ `x`
\t\u2028\x07é \U0001f600"""


def graph(video: str = "v.mp4", cup: str = "cup") -> VideoGraph:
    """Three sampled frames of a video of 30 a second; the cup is not seen in the second."""
    person = [GraphNode("person", 0.9, (10.0 + t, 5, 30.0 + t, 45), 1) for t in range(3)]
    thing = GraphNode(cup, 0.8, (20, 20, 26.5, 30), 2)
    holds, front = GraphEdge(0, 1, "holding", "contacting", 0.75, True), GraphEdge(1, 0, "above", "spatial", 0.5)
    frames = (
        GraphFrame(f"{video}/000001", 1, 0.0, 64, 48, (person[0], thing), (holds, front)),
        GraphFrame(f"{video}/000016", 16, 0.5, 64, 48, (person[1],), ()),
        GraphFrame(f"{video}/000031", 31, 1.0, 64, 48, (person[2], replace(thing, box=(50, 20, 56.5, 30))), (holds,)),
    )
    relation = RelationInterval(1, 2, "person", cup, "holding", "contacting", 0.0, 1.0, 1, 31, 0.75)
    return VideoGraph(
        video, ENTITY.name, frames, (relation,), None, ENTITY if cup in ENTITY.vocabulary.objects else None
    )


def test_a_table_is_what_the_csv_module_writes() -> None:
    texts = ["", "a,b", 'a"b', "a\rb", "a\nb", " a ", "-a", "é", EVIL]
    nodes = [GraphNode(text, 1, None if i % 2 else (1e-7, 2, 0.1, 1e22), i or None) for i, text in enumerate(texts)]
    edges = [GraphEdge(0, i, text, text, 0.5, (None, True, False)[i % 3]) for i, text in enumerate(texts)]
    frame = GraphFrame("v/1", 1, None, 64, 48, tuple(nodes), tuple(edges))
    made = VideoGraph("=v", "toy", (frame, GraphFrame("v/2", 2, 0.5, 64, 48, (), ())))
    wanted = io.StringIO(newline="")
    writer = csv.writer(wanted, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows(made):
        cells = [str(cell).lower() if isinstance(cell, bool) else "" if cell is None else cell for cell in row]
        formulas = ("=", "+", "-", "@", "\t", "\r")
        writer.writerow([f"'{c}" if isinstance(c, str) and c.startswith(formulas) else c for c in cells])
    assert table([made]).decode() == wanted.getvalue()


def renamed() -> VideoGraph:
    made = graph(EVIL, EVIL)
    return replace(made, schema=None, relations=(replace(made.relations[0], predicate=EVIL, group=EVIL),))


def test_a_table_has_a_row_for_every_relation_of_every_frame() -> None:
    found = list(csv.DictReader(io.StringIO(table([graph("a"), graph("b")]).decode(), newline="")))
    assert tuple(found[0]) == COLUMNS
    assert [(row["video"], row["frame"], row["predicate"]) for row in found[:3]] == [
        ("a", "1", "holding"),
        ("a", "1", "above"),
        ("a", "31", "holding"),
    ]
    assert len(found) == 6
    assert (found[0]["subject"], found[0]["object"], found[1]["subject"]) == ("person", "cup", "cup")
    assert [float(found[2][f"object_{side}"]) for side in ("x1", "y1", "x2", "y2")] == [50, 20, 56.5, 30]
    assert (found[0]["time"], found[2]["time"], found[0]["subject_track"], found[0]["score"]) == (
        "0.0",
        "1.0",
        "1",
        "0.75",
    )
    assert (found[0]["uncertain"], found[1]["uncertain"]) == ("true", "")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_of_a_table_is_a_formula(start: str) -> None:
    row, *_ = csv.DictReader(io.StringIO(table([graph(start + "v", start + "cup")]).decode(), newline=""))
    assert (row["video"], row["object"]) == (f"'{start}v", f"'{start}cup")
    text = table([renamed()]).decode()
    assert [row["video"] for row in csv.DictReader(io.StringIO(text, newline=""))] == ["'" + EVIL] * 3


def test_coco_reads_images_boxes_and_relations(tmp_path) -> None:
    (tmp_path / "g.json").write_bytes(coco([graph("a"), graph("b")]))
    read = COCO(str(tmp_path / "g.json"))
    assert len(read.getImgIds()) == 6
    assert {c["id"]: c["name"] for c in read.loadCats(read.getCatIds())} == dict(
        enumerate(ENTITY.vocabulary.objects[1:], 1)
    )
    image = read.loadImgs([3])[0]
    assert (image["file_name"], image["width"], image["frame_id"], image["video_id"]) == ("a/000031", 64, 31, 1)
    found = read.loadAnns(read.getAnnIds(imgIds=[3]))
    assert [(a["bbox"], a["track_id"], a["area"]) for a in found] == [
        ([12, 5, 20, 40], 1, 800),
        ([50, 20, 6.5, 10], 2, 65),
    ]
    document = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
    predicates = {p["id"]: (p["group"], p["name"]) for p in document["predicates"]}
    relations = [r for r in document["relations"] if r.get("image_id") == 4]
    ends = {a["id"]: a["category_id"] for a in document["annotations"]}
    assert [(predicates[r["predicate_id"]], ends[r["subject_id"]], ends[r["object_id"]], r["score"]) for r in relations] == [
        (("contacting", "holding"), 1, 2, 0.75), (("spatial", "above"), 1, 2, 0.5),
    ]  # fmt: skip
    assert {v["id"]: v["name"] for v in document["videos"]} == {1: "a", 2: "b"}


def test_coco_without_a_vocabulary_numbers_what_occurs() -> None:
    document = json.loads(coco([renamed()]))
    assert [c["name"] for c in document["categories"]] == sorted(["person", EVIL])
    with pytest.raises(DataError, match="'cut' is an action without a box"):
        coco([VideoGraph("v", "d", (GraphFrame("k", 1, None, 5, 5, (GraphNode("cut", 1.0),), ()),))])


def test_vidvrd_has_relation_instances_and_a_box_of_their_things_in_every_frame() -> None:
    document = json.loads(vidvrd(graph()))
    assert (document["video_id"], document["frame_count"], document["fps"]) == ("v", 31, 30.0)
    assert (document["width"], document["height"]) == (64, 48)
    assert document["subject/objects"] == [{"tid": 1, "category": "person"}, {"tid": 2, "category": "cup"}]
    (instance,) = document["relation_instances"]
    assert (instance["begin_fid"], instance["end_fid"], instance["predicate"]) == (0, 31, "holding")
    assert len(document["trajectories"]) == 31
    for fid in range(instance["begin_fid"], instance["end_fid"]):
        boxes = {box["tid"]: box for box in document["trajectories"][fid]}
        assert {instance["subject_tid"], instance["object_tid"]} <= boxes.keys()
        assert set(boxes[1]["bbox"]) == {"xmin", "ymin", "xmax", "ymax"}
        assert [boxes[tid]["generated"] for tid in (1, 2)] == [int(fid not in (0, 15, 30)), int(fid not in (0, 30))]
    # half of the way
    assert document["trajectories"][15][1]["bbox"] == {"xmin": 35, "ymin": 20, "xmax": 42, "ymax": 30}


def test_vidvrd_and_vidor_have_the_entries_that_their_loaders_ask_for() -> None:
    """VidVRD's refuses ``version``; VidOR's needs it, and finds the file again by ``video_path``
    (xdshang/VidVRD-helper, dataset/)."""
    known = replace(graph("Film 1.avi"), video=VideoFile(1, "sha256:0", 45, 29.97))
    first, second = json.loads(vidvrd(known)), json.loads(vidor(known))
    assert "version" not in first and "video_path" not in first
    assert (second.pop("version"), second.pop("video_path")) == ("VERSION 1.0", "0000/Film 1.mp4")
    assert {entry["tracker"] for frame in second["trajectories"] for entry in frame if entry["generated"]} == {"linear"}
    assert {entry.pop("tracker") for frame in second["trajectories"] for entry in frame} == {"none", "linear"}
    assert first == second
    assert (first["video_id"], first["frame_count"], first["fps"]) == ("Film 1", 45, 29.97)
    assert len(first["trajectories"]) == 45 and first["trajectories"][31:] == [[]] * 14


def test_vidvrd_has_boxes_inside_the_picture_and_relations_where_both_things_have_one() -> None:
    made = graph()
    outside = tuple(
        replace(frame, nodes=tuple(replace(node, box=(-3.0, -0.6, 64.2, 99.0)) for node in frame.nodes))
        for frame in made.frames
    )
    longer = replace(made.relations[0], end_frame=46, end=1.5)
    late = replace(made.frames[0], number=46, time=1.5, nodes=made.frames[0].nodes[:1], edges=())
    document = json.loads(vidvrd(replace(made, frames=(*outside, late), relations=(longer,))))
    boxes = [entry["bbox"] for frame in document["trajectories"][:31] for entry in frame]
    assert boxes and all(box == {"xmin": 0, "ymin": 0, "xmax": 63, "ymax": 47} for box in boxes)
    assert [(r["begin_fid"], r["end_fid"]) for r in document["relation_instances"]] == [(0, 31)]


def test_networkx_reads_graphml() -> None:
    for made in (graph(), renamed()):
        read = networkx.parse_graphml(graphml(made).decode(), force_multigraph=True)
        label, predicate = (made.frames[0].nodes[1].label, made.relations[0].predicate)
        readable = [text.replace("\x07", "\ufffd") for text in (label, predicate)]
        assert read.nodes["t1"] == {
            "label": "person",
            "track": 1,
            "begin_frame": 1,
            "end_frame": 31,
            "frames": 3,
            "score": 0.9,
        }
        assert read.nodes["t2"]["label"] == readable[0]
        ((source, target, about),) = read.edges(data=True)
        assert (source, target, about["predicate"], about["begin"], about["end_frame"], about["score"]) == (
            "t1",
            "t2",
            readable[1],
            0.0,
            31,
            0.75,
        )
        assert read.is_directed()


def literals(text: str) -> list[Any]:
    """The literals of a Cypher statement, after what stands around them has been checked letter by
    letter."""
    shape = (
        r"CREATE \(:Video §\)|MATCH \(v:Video §\) CREATE \(v\)-\[:SHOWS\]->\(:Thing §\)"
        r"|MATCH \(s:Thing §\), \(o:Thing §\) CREATE \(s\)-\[:RELATES §\]->\(o\)"
    )
    string, number = r"'(?:[^'\\\n\r]|\\[\\'nrtbf]|\\u[0-9a-f]{4})*'", r"-?\d+(?:\.\d+)?(?:e-?\d+)?"
    mapping = rf"\{{\w+: (?:{string}|{number})(?:, \w+: (?:{string}|{number}))*\}}"
    assert re.fullmatch(shape.replace("§", mapping), text), text
    return [_value(token) for token in re.findall(rf": ({string}|{number})(?=[,}}])", text)]


def _value(token: str) -> Any:
    if not token.startswith("'"):
        return float(token)
    known = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
    units = re.sub(
        r"\\(u[0-9a-f]{4}|.)",
        lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "u" else known.get(m[1], m[1]),
        token[1:-1],
    )
    return units.encode("utf-16", "surrogatepass").decode("utf-16")


def test_cypher_statements_hold_every_name_as_a_literal() -> None:
    for made in (graph(), renamed()):
        text = cypher([made]).decode()
        statements = text.split(";\n")
        assert statements.pop() == ""
        assert len(statements) == 1 + 2 + 1
        video, first, second, relation = map(literals, statements)
        assert video == [made.video_id, "toy_frames", 3]
        assert first == [made.video_id, made.video_id, 1, "person", 1, 31]
        assert second[3] == made.frames[0].nodes[1].label
        assert relation == [
            made.video_id,
            1,
            made.video_id,
            2,
            made.relations[0].predicate,
            made.relations[0].group,
            0,
            1,
            1,
            31,
            0.75,
        ]


def test_the_evaluators_tensors_are_read_without_running_code() -> None:
    read = torch.load(io.BytesIO(FORMATS.get("predictions").content([graph()])), weights_only=True)
    assert read["boxes"].tolist()[:2] == [[0, 10, 5, 30, 45], [0, 20, 20, 26.5, 30]]
    assert read["boxes"][:, 0].tolist() == [0, 0, 1, 2, 2]
    assert read["labels"].tolist() == read["pred_labels"].tolist() == [1, 2, 1, 1, 2]
    # the subject first, whichever way it reads
    assert (read["pair_idx"].tolist(), read["im_idx"].tolist()) == ([[0, 1], [3, 4]], [0, 2])
    assert read["contacting_distribution"].tolist() == [[0.75, 0, 0, 0]] * 2
    assert read["spatial_distribution"].tolist() == [[0.5, 0], [0, 0]]


def test_the_evaluators_softmax_gives_the_probabilities_back() -> None:
    scores = (0.2, 0.7, 0.1)
    edges = tuple(
        GraphEdge(0, 1, name, "attention", s)
        for name, s in zip(ENTITY.vocabulary.group("attention").predicates, scores, strict=True)
    )
    made = replace(graph(), frames=(replace(graph().frames[0], edges=edges),), relations=())
    assert prediction_tensors(made)["attention_distribution"].softmax(1).tolist() == [pytest.approx(scores)]
    with pytest.raises(DataError, match="need a vocabulary whose subjects have boxes"):
        prediction_tensors(replace(made, schema=None))


def test_networkx_of_a_video_and_of_a_frame() -> None:
    video, frame = to_networkx(graph()), to_networkx(graph().frames[0])
    assert video.nodes[2] == {"label": "cup", "frames": [1, 31]}
    assert [(a, b, about["predicate"], about["end"]) for a, b, about in video.edges(data=True)] == [
        (1, 2, "holding", 1.0)
    ]
    assert frame.nodes[1]["box"] == (20, 20, 26.5, 30)
    assert sorted((a, b, key) for a, b, key in frame.edges(keys=True)) == [(0, 1, "holding"), (1, 0, "above")]


def test_boxes_and_ids_for_supervision() -> None:
    made = to_supervision(graph().frames[0], ENTITY.vocabulary)
    assert isinstance(made, supervision.Detections)
    assert (made.class_id.tolist(), made.tracker_id.tolist(), made.data["class_name"].tolist()) == (
        [1, 2],
        [1, 2],
        ["person", "cup"],
    )
    assert made.xyxy.tolist() == [[10, 5, 30, 45], [20, 20, 26.5, 30]]
    assert made[made.tracker_id == 2].xyxy.tolist() == [[20, 20, 26.5, 30]]
    assert len(to_supervision(replace(graph().frames[0], nodes=(), edges=()))) == 0


@pytest.mark.parametrize(("name", "call"), [("networkx", to_networkx), ("supervision", to_supervision)])
def test_a_library_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, name: str, call) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=f"{name} is not installed; install it with: pip install {name}"):
        call(graph().frames[0])


@pytest.mark.parametrize("name", ["vidvrd", "vidor", "graphml", "cypher"])
def test_formats_over_time_need_tracks_of_one_class(name: str) -> None:
    assert FORMATS.get(name).tracked
    frame = graph().frames[0]
    nameless = replace(
        graph(), relations=(), frames=(replace(frame, nodes=(frame.nodes[0], replace(frame.nodes[1], track=None))),)
    )
    with pytest.raises(DataError, match="'cup' has no track"):
        FORMATS.get(name).content([nameless])
    mixed = replace(
        graph(), relations=(), frames=(replace(frame, nodes=(frame.nodes[0], replace(frame.nodes[1], track=1))),)
    )
    with pytest.raises(DataError, match="track 1 is cup and person; a track has one class"):
        FORMATS.get(name).content([mixed])


@pytest.mark.parametrize("name", FORMATS.names())
def test_a_video_in_which_nothing_was_found(name: str) -> None:
    empty = VideoGraph("v", ENTITY.name, (GraphFrame("k", 1, 0.0, 64, 48, (), ()),), schema=ENTITY)
    assert FORMATS.get(name).content([empty])


def test_the_notes_of_a_graph_go_where_a_format_describes_its_video() -> None:
    note = f"No model saw the picture. {EVIL}"
    made = replace(graph(), made_by=Origin("geometry", "sgdet", "geometry", "w", notes=(note,)))
    assert json.loads(coco([made, graph("b")]))["videos"][0]["notes"] == [note]
    assert "notes" not in json.loads(coco([graph("b")]))["videos"][0]
    root = ElementTree.fromstring(graphml(made))
    described = root.find("{*}graph/{*}desc")
    assert described is not None and described.text == note.replace("\x07", "\ufffd")
    assert networkx.parse_graphml(graphml(made).decode()).number_of_edges() == 1
    assert "notes: 'No model saw the picture. =1+1\\'" in cypher([made]).decode() and b"notes" not in cypher([graph()])
    assert to_networkx(made).graph["notes"] == (note,)
