"""The nouns refuse nonsense where they are made, and say where it is."""

from __future__ import annotations

import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from clips import ACTION, ENTITY, action_annotation, action_clip, entity_annotation, entity_clip

from vidsgg.errors import DataError
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary


def changed(annotation: VideoAnnotation, name: str, index: object, value: object) -> dict[str, object]:
    column = np.array(getattr(annotation, name))
    column[index] = value
    return {name: column}


@pytest.mark.parametrize(
    ("name", "index", "value", "message"),
    [
        ("node_box", 1, [5, 5, 5, 9], r"node_box\[1\] of 5 .* not x1 < x2"),
        ("node_box", 0, [0, 0, np.nan, 9], r"node_box\[0\]"),
        ("node_class", 2, 0, r"node_class\[2\] is 0, outside 1..4"),
        ("node_class", 2, 5, r"node_class\[2\] is 5"),
        ("node_frame", 0, 1, "sorted by node_frame|in frame"),
        ("pair_object", 0, 4, r"pair 0 lies in frame 0, its pair_object in frame 1"),
        ("pair_frame", 0, 1, "pair|sorted"),
        ("pair_subject", 1, 99, r"pair_subject\[1\] is 99"),
        ("frame_size", 0, [0, 5], "must be positive"),
        ("frame_unit", 1, 0, "share a label unit"),
        ("frame_unit", 1, 5, "without gaps"),
    ],
)
def test_annotation_names_the_wrong_value(name: str, index: object, value: object, message: str) -> None:
    annotation = entity_annotation([1, 2])
    with pytest.raises(DataError, match=message) as caught:
        replace(annotation, **changed(annotation, name, index, value))
    assert "video 'video'" in str(caught.value)


def test_annotation_checks_labels() -> None:
    annotation = entity_annotation([2])
    labels = {name: np.array(hot) for name, hot in annotation.labels.items()}
    labels["attention"][0] = [True, True, False]
    with pytest.raises(DataError, match="pair 0 has 2 predicates of the single-label group 'attention'"):
        replace(annotation, labels=labels)
    with pytest.raises(DataError, match="labels are given for"):
        replace(annotation, labels={"attention": labels["attention"]})
    with pytest.raises(DataError, match=r"labels\['spatial'\] has shape"):
        replace(annotation, labels={**annotation.labels, "spatial": np.ones((2, 3))})


def test_an_action_belongs_to_its_unit() -> None:
    annotation = action_annotation([2, 1])
    with pytest.raises(DataError, match="its frame lies in unit 0"):
        replace(annotation, **changed(annotation, "pair_subject", 0, 1))
    with pytest.raises(DataError, match="2 label units"):
        replace(annotation, action_class=[1])


def test_annotations_cannot_be_edited_and_survive_pickling() -> None:
    annotation = entity_annotation([1, 2])
    with pytest.raises(ValueError, match="read-only"):
        annotation.node_box[0] = 0
    assert pickle.loads(pickle.dumps(annotation)) == annotation
    assert entity_annotation([1, 2], seed=1) != annotation


def test_vocabulary_and_schema_refuse_contradictions() -> None:
    with pytest.raises(DataError, match="occurs twice"):
        PredicateGroup("g", ("a", "a"))
    with pytest.raises(DataError, match="must be '__background__'"):
        Vocabulary(("person",), ("person",), (PredicateGroup("g", ("a",)),))
    with pytest.raises(DataError, match="exclusive predicate 'b'"):
        PredicateGroup("g", ("a",), exclusive=("b",))
    with pytest.raises(DataError, match="not among the object classes"):
        Schema("s", replace(ENTITY.vocabulary, subjects=("dog",)), "entity")
    assert ENTITY.vocabulary.offsets == {"attention": 0, "spatial": 3, "contacting": 5}
    assert ENTITY.vocabulary.predicates[5] == "holding"


def test_clips_of_several_videos_keep_their_indices() -> None:
    clips = [entity_clip([2, 0, 1], 0, "a"), entity_clip([1], 1, "b"), entity_clip([1, 3], 2, "c")]
    whole = Clip.cat(clips)
    assert (whole.videos, whole.frames, whole.pairs) == (3, 6, 8)
    assert whole.units == 6
    assert torch.equal(whole.node_frame[whole.pair_subject], whole.pair_frame)
    assert torch.equal(whole.node_frame[whole.pair_object], whole.pair_frame)
    assert torch.equal(whole.frame_video, torch.tensor([0, 0, 0, 1, 2, 2]))
    assert torch.equal(whole.node_box[whole.pair_object][-4:], clips[2].node_box[clips[2].pair_object])


def test_action_rows_shift_with_their_units() -> None:
    whole = Clip.cat([action_clip([2, 1], 0, "a"), action_clip([3], 1, "b")])
    assert torch.equal(whole.pair_subject, whole.frame_unit[whole.pair_frame])
    assert len(whole.action_class) == whole.units == 3


def test_a_clip_is_the_sum_of_its_parts() -> None:
    first, second = entity_clip([2, 0, 1, 3], 0, "a"), entity_clip([1, 2], 1, "b")
    whole = Clip.cat([first, second])
    parts = [whole.between(*frames) for frames in ((0, 1), (1, 4), (4, 6))]
    assert [part.video_ids for part in parts] == [("a",), ("a",), ("b",)]
    assert [(part.frames, part.nodes, part.pairs) for part in parts] == [(1, 3, 2), (3, 7, 4), (2, 5, 3)]
    again = Clip.cat(parts)
    for f in fields(Clip):
        if isinstance(value := getattr(whole, f.name), torch.Tensor) and f.name != "frame_video":
            assert torch.equal(getattr(again, f.name), value), f.name
    assert torch.equal(again.labels["contacting"], whole.labels["contacting"])


def test_a_part_of_an_event_keeps_its_action() -> None:
    whole = Clip.cat([action_clip([2], 0, "a"), action_clip([1, 3, 2], 1, "b")])
    part = whole.between(7, 10)  # two frames of the third event, one of the fourth
    assert part.video_ids == ("b",) and part.frame_slot.tolist() == [1, 2, 0]
    assert part.frame_unit.tolist() == [0, 0, 1] and torch.equal(part.action_class, whole.action_class[2:])
    assert part.pair_subject.tolist() == [0] * 6 + [1] * 2
    assert torch.equal(part.node_frame[part.pair_object], part.pair_frame)


def test_a_clip_hides_what_its_mode_does_not_give() -> None:
    annotation = entity_annotation([2])
    given, hidden = Clip.from_annotation(annotation), Clip.from_annotation(annotation, "sgcls")
    assert (hidden.node_class == -1).all()
    assert torch.equal(hidden.node_target, given.node_class)
    events = action_annotation([1])
    assert (Clip.from_annotation(events, "sgcls").action_class >= 0).all()
    assert (Clip.from_annotation(events, "sgdet").action_class == -1).all()


def test_clips_refuse_a_mix() -> None:
    with pytest.raises(DataError, match="different data sets"):
        Clip.cat([entity_clip([1]), action_clip([1])])
    with pytest.raises(DataError, match="node_feature is missing"):
        Clip.cat([entity_clip([1]), Clip.from_annotation(entity_annotation([1]))])
    with pytest.raises(DataError, match="node_score has 1 rows, expected 2"):
        replace(entity_clip([1]), node_score=torch.ones(1))


def test_clips_travel_between_processes() -> None:
    clip = entity_clip([1, 2])
    back = pickle.loads(pickle.dumps(clip))
    for f in fields(Clip):
        mine, theirs = getattr(clip, f.name), getattr(back, f.name)
        assert mine is theirs or (
            torch.equal(mine, theirs) if isinstance(mine, torch.Tensor) else str(mine) == str(theirs)
        ), f.name


def test_schemas_travel_between_processes() -> None:
    assert pickle.loads(pickle.dumps(ACTION)) == ACTION


def test_a_graph_reads_back_identically(tmp_path) -> None:
    nodes = (
        GraphNode("person", 1.0, (1.5, 2.0, 30.25, 40.0)),
        GraphNode("cup/glass/bottle", 0.9, (3.0, 4.0, 5.0, 6.0), track=3),
        GraphNode("cut", 1.0),
    )
    edges = (GraphEdge(0, 1, "holding", "contacting", 0.75), GraphEdge(1, 0, "in_front_of", "spatial", 0.5))
    graph = VideoGraph(
        "001YG.mp4", "action_genome", (GraphFrame("001YG.mp4/000089.png", 89, 3.52, 480.0, 270.0, nodes, edges),)
    )
    write_graph(tmp_path / "g.json", graph)
    assert read_graph(tmp_path / "g.json") == graph
    with pytest.raises(DataError, match="points to node 7"):
        GraphFrame("k", 1, None, 1.0, 1.0, nodes, (GraphEdge(0, 7, "holding", "contacting", 1.0),))


@pytest.mark.parametrize(
    ("text", "message"),
    [("{", "not JSON"), ("[]", "not a video graph"), ('{"format": "vidsgg.video_graph", "version": 9}', "version 9")],
)
def test_foreign_graph_files_are_refused(tmp_path, text: str, message: str) -> None:
    (tmp_path / "g.json").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_graph(tmp_path / "g.json")
