"""Graph files: what is read is what was written, earlier versions too, and whatever is wrong is
named by its place."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from clips import ENTITY
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from vidsgg.datasets.action_genome import SCHEMA as ACTION_GENOME
from vidsgg.errors import DataError
from vidsgg.io.graph_decoder import decode_graph
from vidsgg.io.graphs import graph_schema, graph_writer, read_graph, write_graph
from vidsgg.io.json_schema import check_json
from vidsgg.io.untrusted import parse_json
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoFile, VideoGraph
from vidsgg.structures.schema import Schema

STANDARD = Draft202012Validator(graph_schema())
texts = st.text(st.characters(codec="utf-8"), max_size=8)
scores = st.floats(0, 1)
numbers = st.floats(-1e6, 1e6)


@st.composite
def nodes(draw: Any, labels: Any) -> GraphNode:
    x, y, width, height = (draw(numbers) for _ in range(4))
    box = draw(st.sampled_from([None, (x, y, x + abs(width), y + abs(height))]))
    return GraphNode(draw(labels), draw(scores), box, draw(st.none() | st.integers(0, 99)))


@st.composite
def frames(draw: Any, labels: Any, predicates: Any) -> GraphFrame:
    found = tuple(draw(st.lists(nodes(labels), max_size=4)))
    ends = st.integers(0, len(found) - 1)
    edges = st.builds(
        lambda one, other, said, score: GraphEdge(one, other, *said, score), ends, ends, predicates, scores
    )
    return GraphFrame(
        draw(texts), draw(st.integers(1, 10**6)), draw(st.none() | st.floats(0, 1e5)), draw(st.floats(1, 1e4)), draw(st.floats(1, 1e4)),
        found, tuple(draw(st.lists(edges, max_size=4))) if found else (),
    )  # fmt: skip


@st.composite
def graphs(draw: Any) -> VideoGraph:
    labels, predicates, schema = texts, st.tuples(texts, texts), draw(st.sampled_from([None, ENTITY]))
    if schema is not None:
        vocabulary = schema.vocabulary
        labels = st.sampled_from(vocabulary.objects)
        predicates = st.sampled_from([(name, group.name) for group in vocabulary.groups for name in group.predicates])
    seen = tuple(draw(st.lists(frames(labels, predicates), max_size=4)))
    tracks = [(node.track, node.label) for frame in seen for node in frame.nodes if node.track is not None]
    relations = []
    for _ in range(draw(st.integers(0, 3)) if tracks else 0):
        (subject, name), (thing, other) = draw(st.sampled_from(tracks)), draw(st.sampled_from(tracks))
        begin, length, times = draw(st.integers(1, 99)), draw(st.integers(0, 9)), draw(st.booleans())
        span = (begin / 3, (begin + length) / 3) if times else (None, None)
        relations.append(
            RelationInterval(subject, thing, name, other, *draw(predicates), *span, begin, begin + length, draw(scores))
        )
    named = st.tuples(texts, numbers)
    origins = st.builds(
        Origin, texts, st.sampled_from(["predcls", "sgcls", "sgdet"]), texts, texts, st.none() | texts, st.none() | st.floats(0.1, 99),
        st.lists(named, max_size=2, unique_by=lambda pair: pair[0]).map(tuple), st.lists(texts, max_size=2).map(tuple), st.none() | texts, st.none() | texts,
    )  # fmt: skip
    videos = st.builds(VideoFile, st.integers(0, 10**12), texts, st.integers(1, 10**6), st.none() | st.floats(0.1, 1e3))
    return VideoGraph(
        draw(texts),
        draw(texts) if schema is None else schema.name,
        seen,
        tuple(relations),
        draw(st.none() | origins),
        schema,
        draw(st.none() | videos),
    )


@settings(deadline=None, max_examples=60)
@given(graph=graphs())
def test_what_is_read_is_what_was_written(tmp_path_factory: pytest.TempPathFactory, graph: VideoGraph) -> None:
    path = tmp_path_factory.mktemp("graphs") / "new folder" / "g.graph.json"
    write_graph(path, graph)
    assert read_graph(path) == graph
    STANDARD.validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_schema_file_is_a_json_schema() -> None:
    Draft202012Validator.check_schema(graph_schema())
    parse_json((resources.files("vidsgg.io") / "video_graph.schema.json").read_bytes())  # no name occurs twice


def places_of(value: Any, before: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """Where something stands in a document: the steps to it."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [before, *(place for step, part in parts for place in places_of(part, (*before, step)))]


# But for 3.0, which the standard calls an integer and we do not.
VALUES = [None, True, False, 0, 1, -1, 0.5, 1.5, 2**53, "", "sgdet", "single", [], [1, 2, 3, 4], ["a"], {}, {"name": 1}]


def test_what_we_refuse_is_what_the_schema_refuses(tmp_path: Path) -> None:
    sound = written(tmp_path)
    refused = 0
    for *before, last in places_of(sound)[1:]:
        content = copy.deepcopy(sound)
        part: Any = content
        for step in before:
            part = part[step]
        for value in VALUES:
            part[last] = value
            refused += _is_refused_by_both(content)
        del part[last]
        refused += _is_refused_by_both(content)
    assert refused > 500


def _is_refused_by_both(content: Any) -> bool:
    if STANDARD.is_valid(content):
        check_json(content, graph_schema())
        return False
    with pytest.raises(DataError):
        check_json(content, graph_schema())
    return True


def example() -> VideoGraph:
    frame = GraphFrame(
        "v/1", 1, 0.0, 64.0, 48.0, (GraphNode("person", 0.9, (1, 2, 30, 40), 1), GraphNode("cup", 0.8, (3, 4, 9, 9), 2)),
        (GraphEdge(0, 1, "holding", "contacting", 0.75),),
    )  # fmt: skip
    relation = RelationInterval(1, 2, "person", "cup", "holding", "contacting", 0.0, 0.0, 1, 1, 0.75)
    origin = Origin(
        "sttran", "sgdet", "run/checkpoint_best.tar", "00ff", "faster-rcnn-c4", 2.0, (("threshold", 0.5),), ("a note",)
    )
    video = VideoFile(1234, "sha256:00ff", 25, 25.0)
    return VideoGraph("v.mp4", ENTITY.name, (frame,), (relation,), origin, ENTITY, video)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "dragon"}, "'dragon' is no class of the graph's vocabulary"),
        (
            {"predicate": "holding", "group": "spatial"},
            "'holding' of the group 'spatial' is no predicate of the graph's vocabulary",
        ),
    ],
)
def test_what_its_vocabulary_does_not_hold_is_refused(tmp_path: Path, change: dict[str, str], message: str) -> None:
    content = written(tmp_path)
    content["frames"][0]["nodes" if "label" in change else "edges"][0] |= change
    (tmp_path / "g.json").write_text(json.dumps({**content, "relations": []}), encoding="utf-8")
    with pytest.raises(DataError, match=rf"g\.json: .*{message}"):
        read_graph(tmp_path / "g.json")


def written(tmp_path: Path) -> dict[str, Any]:
    write_graph(tmp_path / "g.json", example())
    content: dict[str, Any] = json.loads((tmp_path / "g.json").read_text(encoding="utf-8"))
    return content


def test_a_frame_and_a_relation_take_a_line_each(tmp_path: Path) -> None:
    written(tmp_path)
    lines = (tmp_path / "g.json").read_text(encoding="utf-8").splitlines()
    assert [line.split('"')[1] for line in lines if '"' in line] == [
        "format",
        "frames",
        "key",
        "relations",
        "subject_track",
        "made_by",
    ]


# Of the schema, versions 2 and 3 hold the vocabulary.
WITHOUT_RULES = Schema(ENTITY.name, ENTITY.vocabulary, "entity")


def as_version_3(content: dict[str, Any]) -> dict[str, Any]:
    """A file as vidsgg wrote it before graphs had a schema."""
    vocabulary = copy.deepcopy(content["schema"]["vocabulary"])
    for group in vocabulary["groups"]:
        del group["negative"]
    kept = {name: value for name, value in content.items() if name != "schema"}
    return {**kept, "version": 3, "vocabulary": vocabulary}


def test_files_of_version_3_are_read(tmp_path: Path) -> None:
    content = as_version_3(written(tmp_path))
    (tmp_path / "g.json").write_text(json.dumps(content), encoding="utf-8")
    assert read_graph(tmp_path / "g.json") == replace(example(), schema=WITHOUT_RULES)
    content["vocabulary"]["subjects"], content["relations"] = ["cut"], []
    content["frames"][0]["nodes"][0]["label"], content["frames"][0]["edges"] = "cut", []
    (tmp_path / "g.json").write_text(json.dumps(content), encoding="utf-8")
    schema = read_graph(tmp_path / "g.json").schema
    assert schema is not None and schema.subject_kind == "action"  # its subject is no class of things


def test_the_schema_comes_back_with_every_rule(tmp_path: Path) -> None:
    rules = {field.name for field in fields(Schema)} - {"vocabulary"}
    write_graph(tmp_path / "g.json", VideoGraph("v", "action_genome", (), schema=ACTION_GENOME))
    schema = read_graph(tmp_path / "g.json").schema
    negatives = [group.negative for group in ACTION_GENOME.vocabulary.groups]
    assert schema is not None and any(negatives)
    assert [group.negative for group in schema.vocabulary.groups] == negatives  # they do not count in comparisons
    assert all(getattr(schema, name) == getattr(ACTION_GENOME, name) for name in rules)
    described = graph_schema()["$defs"]["schema"]["properties"]
    assert rules | {"vocabulary", "format", "version"} <= set(described)


def test_a_schema_of_another_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"the data set is 'mine', but the schema is that of"):
        VideoGraph("v", "mine", (), schema=ENTITY)


def test_files_of_version_2_are_read(tmp_path: Path) -> None:
    content = as_version_3(written(tmp_path)) | {"version": 2}
    del content["video"]
    (tmp_path / "g.json").write_text(json.dumps(content), encoding="utf-8")
    assert read_graph(tmp_path / "g.json") == replace(example(), video=None, schema=WITHOUT_RULES)


def test_files_of_version_1_are_read(tmp_path: Path) -> None:
    content = written(tmp_path)
    first = {name: content[name] for name in ("format", "video_id", "dataset", "frames")} | {"version": 1}
    first["frames"][0]["nodes"].append({"label": "cut", "score": 1.0, "box": None, "track": None})
    (tmp_path / "g.json").write_text(json.dumps(first), encoding="utf-8")
    graph = read_graph(tmp_path / "g.json")
    assert graph.frames[0].nodes[:2] == example().frames[0].nodes
    assert graph.frames[0].nodes[2] == GraphNode("cut", 1.0)
    assert (graph.relations, graph.made_by, graph.vocabulary) == ((), None, None)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("frames", 0, "nodes", 1, "score"), 1.5, r"frames\[0\]\.nodes\[1\]\.score is 1\.5; expected 1 or less"),
        (("frames", 0, "nodes", 1, "score"), True, r"nodes\[1\]\.score is True; expected number"),
        (("frames", 0, "nodes", 0, "box"), [1, 2, 3], r"nodes\[0\]\.box is \[1, 2, 3\]; expected 4 values or more"),
        (("frames", 0, "nodes", 0, "box"), [9, 2, 3, 4], r"'person': the box is \[9, 2, 3, 4\], not x1, y1"),
        (("frames", 0, "edges", 0, "object"), 2, r"edge 0 points to node 2, there are 2"),
        (("frames", 0, "edges", 0, "subject"), "0", r"edges\[0\]\.subject is '0'; expected integer"),
        (("frames", 0, "time"), float("nan"), r"frames\[0\]\.time is nan; expected a number"),
        (("frames", 0, "width"), 0, r"frames\[0\]\.width is 0; expected more than 0"),
        (("frames", 0, "nods"), [], r"frames\[0\] has the unknown entry 'nods'; did you mean 'nodes'"),
        (("relations", 0, "subject_track"), 7, r"relation 0 joins track 7 \('person'\), which no frame has"),
        (("relations", 0, "end_frame"), 0, r"ends at frame 0, before its begin at frame 1"),
        (("relations", 0, "end"), None, r"lasts from 0\.0 to None seconds"),
        (("made_by", "mode"), "xyz", r"made_by\.mode is 'xyz'; expected predcls or sgcls or sgdet"),
        (("made_by", "settings", "a"), "b", r"made_by\.settings\.a is 'b'; expected number"),
        (("schema", "vocabulary", "groups", 0, "kind"), "many", r"schema\.vocabulary\.groups\[0\]\.kind is 'many'"),
        (("schema", "vocabulary", "objects", 0), "person", r"object classes"),
        (("schema", "version"), 99, r"schema: is 'vidsgg\.schema' version 99; this program reads"),
        (("schema", "rules"), [], r"schema: has fields that this program does not know: rules"),
        (("video", "frame_count"), 0, r"video\.frame_count is 0; expected 1 or more"),
        (("video", "fps"), 0, r"the video has 0 frames a second"),
        (("frames",), {}, r"frames is \{\}; expected array"),
        (("frames", 0, "number"), 10**12, r"frames\[0\]\.number is 1000000000000; expected 1000000000 or less"),
        (("frames", 0, "nodes", 0, "track"), 2**63, r"track is 9223372036854775808; expected 9007199254740991 or less"),
        (("frames", 0, "nodes", 0, "score"), 10**400, r"score is a whole number of about 400 digits; expected number"),
        (("frames", 0, "nodes", 0, "label"), "\ud800", r"half a surrogate pair"),
        (("frames", 0, "nodes", 0, "label"), {"a": ["x" * 10**5] * 9}, r"label is \{'a': \['xx.*expected string"),
        (("version",), True, r"version is True; expected 1 or 2 or 3 or 4"),
        (("version",), 5, r"version 5; this program reads versions 1 to 4"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(
    tmp_path: Path, place: tuple[str | int, ...], value: Any, message: str
) -> None:
    content = written(tmp_path)
    part: Any = content
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    (tmp_path / "g.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataError, match=r"g\.json.*" + message):
        read_graph(tmp_path / "g.json")


def test_every_required_entry_is_missed(tmp_path: Path) -> None:
    content = written(tmp_path)
    places = {
        "": content,
        "frames[0]": content["frames"][0],
        "relations[0]": content["relations"][0],
        "made_by": content["made_by"],
    }
    definitions = graph_schema()["$defs"]
    rules = {
        "": graph_schema(),
        "frames[0]": definitions["frame"],
        "relations[0]": definitions["relation"],
        "made_by": definitions["origin"],
    }
    for place, part in places.items():
        for name in rules[place]["required"]:
            kept = copy.deepcopy(part)
            value = part.pop(name)
            with pytest.raises(DataError, match=f"lacks '{name}'"):
                check_json(content, graph_schema())
            part[name] = value
            assert part == kept
    check_json(content, graph_schema())


def test_a_rule_that_is_not_known_is_no_rule_that_is_passed_over() -> None:
    with pytest.raises(KeyError, match="pattern"):
        check_json("x", {"type": "string", "pattern": "y"})


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    write_graph(tmp_path / "g.json", example())
    with pytest.raises(ZeroDivisionError), graph_writer(tmp_path / "g.json", "v", "toy", None) as writer:
        writer.add(example().frames[0])
        raise ZeroDivisionError
    assert read_graph(tmp_path / "g.json") == example()
    assert [path.name for path in tmp_path.iterdir()] == ["g.json"]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot write .*file"):
        write_graph(tmp_path / "file" / "g.json", example())


# Sound files are decoded by type, others value by value.

_THINGS = (GraphNode("person", 0.5, (1.0, 2.0, 30.0, 40.0), 1), GraphNode("cup", 0.75, (3.0, 4.0, 5.0, 6.0), 2))
_HOLDS = (GraphEdge(0, 1, "holding", "contacting", 0.25, True), GraphEdge(0, 1, "touching", "contacting", 0.5))
TIMED = VideoGraph(
    "Zoë.mp4",
    "own",
    tuple(GraphFrame(f"Zoë/{n}", n, (n - 1) / 2, 64.0, 48.0, _THINGS, _HOLDS) for n in (1, 2)),
    (RelationInterval(1, 2, "person", "cup", "holding", "contacting", 0.0, 0.5, 1, 2, 0.25),),
    Origin("sttran", "sgdet", "run/checkpoint_best.tar", "0" * 64, fps=2.0),
)


def test_sound_files_take_the_short_way(tmp_path: Path) -> None:
    path = tmp_path / "walk.graph.json"
    write_graph(path, TIMED)
    decoded = decode_graph(path.read_bytes())
    assert decoded is not None and decoded.frames == TIMED.frames and decoded.relations == TIMED.relations
    assert decoded.rest["frames"] == [] and decoded.rest["video_id"] == TIMED.video_id
    assert read_graph(path) == TIMED


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"score": 0.75', '"score": 0.75, "score": 0.75'),
        ('"score": 0.75', '"score": 0.75, "sure": 1'),
        ('"score": 0.75', '"score": 1.75'),
        ('"score": 0.75', '"score": "0.75"'),
        ('"score": 0.75, ', ""),
        ('"number": 1,', '"number": 1.0,'),
        ('"number": 1,', '"number": 1000000001,'),
        ('"width": 64.0', '"width": 1000001'),
        ('"track": 1', '"track": 9007199254740992'),
        ('"time": 0.0', '"time": 1e308'),
        ("[1.0, 2.0, 30.0, 40.0]", "[1.0, 2.0, 1e301, 40.0]"),
        ("[1.0, 2.0, 30.0, 40.0]", "[1.0, 2.0, 30.0]"),
        ('"video_id"', '"video_id": "other", "video_id"'),
        ('"frames": [', '"frames": [], "frames": ['),
        ('"object": 1', '"object": 7'),
    ],
)
def test_what_the_long_way_refuses_the_short_one_does_not_take(before: str, after: str, tmp_path: Path) -> None:
    path = tmp_path / "walk.graph.json"
    write_graph(path, TIMED)
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    assert decode_graph(path.read_bytes()) is None
    with pytest.raises(DataError, match=r"walk\.graph\.json"):
        read_graph(path)


def test_entries_in_another_form_are_read_the_long_way(tmp_path: Path) -> None:
    path = tmp_path / "walk.graph.json"
    write_graph(path, TIMED)
    text = path.read_text(encoding="utf-8")
    for before, after in (('"track": 1', '"track" : 1'), ("Zoë", "Zo\\u00eb"), ('"time": 0.0', '"time": 0')):
        path.write_text(text.replace(before, after), encoding="utf-8")
        assert path.read_bytes() != text.encode() and read_graph(path) == TIMED
