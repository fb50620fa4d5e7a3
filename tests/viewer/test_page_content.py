"""What the page is told: every box and every relation of the graphs, and who is right."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from clips import entity_annotation

from vidsgg.inference.graphs import annotated_graph, tracked
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoGraph
from vidsgg.viewer.content import page_content, stretches_of
from vidsgg.viewer.graphs import surest
from vidsgg.viewer.matching import best_moment, compare, join_tracks

CUP, FAR = (10.0, 10.0, 20.0, 20.0), (60.0, 60.0, 70.0, 70.0)


def frame(
    number: int,
    *things: tuple[str, tuple[float, float, float, float], int],
    edges: tuple[tuple[int, int, str, float], ...] = (),
) -> GraphFrame:
    nodes = tuple(GraphNode(label, 0.9, box, track) for label, box, track in things)
    return GraphFrame(
        f"v/{number}",
        number,
        (number - 1) / 2,
        100,
        100,
        nodes,
        tuple(GraphEdge(s, o, p, "g", score) for s, o, p, score in edges),
    )


def person_and_cup(
    number: int, predicate: str | None, score: float = 1.0, box: tuple[float, float, float, float] = CUP, track: int = 2
) -> GraphFrame:
    edges = () if predicate is None else ((0, 1, predicate, score),)
    return frame(number, ("person", (0, 0, 50, 90), 1), ("cup", box, track), edges=edges)


def video(*frames: GraphFrame) -> VideoGraph:
    return VideoGraph("v", "toy", frames)


def told(prediction: VideoGraph | None, truth: VideoGraph | None = None) -> dict[str, Any]:
    frames = (prediction or truth).frames  # type: ignore[union-attr]
    times = [f.time for f in frames] if frames[0].time is not None else None
    return page_content(prediction and tracked(prediction), truth and tracked(truth), times, ("person",))  # type: ignore[arg-type]


def test_every_box_and_every_edge_is_in_the_columns() -> None:
    graph = annotated_graph(entity_annotation([2, 0, 3, 1], seed=4))
    content = told(graph)
    layer = content["layers"]["prediction"]
    for i, shown in enumerate(graph.frames):
        rows = range(layer["node_start"][i], layer["node_start"][i + 1])
        names = [content["labels"][content["things"][layer["thing"][row]]]["text"] for row in rows]
        assert names == [node.label for node in shown.nodes]
        for row, node in zip(rows, shown.nodes, strict=True):
            np.testing.assert_allclose(layer["box"][4 * row : 4 * row + 4], node.box, atol=0.051)
        edges = range(layer["edge_start"][i], layer["edge_start"][i + 1])
        said = Counter(
            (layer["thing"].index(layer["subject"][e], rows.start) - rows.start, layer["thing"].index(layer["object"][e], rows.start) - rows.start,
             content["predicates"][layer["predicate"][e]]["text"])
            for e in edges
        )  # fmt: skip
        assert said == Counter((edge.subject, edge.object, edge.predicate.replace("_", " ")) for edge in shown.edges)
    assert layer["node_start"][-1] == len(layer["thing"]) == sum(len(f.nodes) for f in graph.frames)


def test_right_wrong_and_missed() -> None:
    truth = video(person_and_cup(1, "holding"), person_and_cup(2, "holding"))
    guess = video(person_and_cup(1, "holding", 0.7), person_and_cup(2, "wiping", 0.8))
    content = told(guess, truth)
    assert content["layers"]["prediction"]["edge_right"] == [1, 0]
    assert content["layers"]["prediction"]["right"] == [1, 1, 1, 1]
    assert content["layers"]["truth"]["met"] == [0.7, 0]


def test_a_relation_of_a_box_elsewhere_is_not_right() -> None:
    truth, guess = person_and_cup(1, "holding"), person_and_cup(1, "holding", 0.7, FAR)
    verdict = compare(guess, truth)
    assert (verdict.nodes, verdict.edges, verdict.met) == ((True, False), (False,), (0.0,))


def test_the_direction_and_the_class_count() -> None:
    truth = person_and_cup(1, "near")
    turned = replace(truth, edges=(replace(truth.edges[0], subject=1, object=0),))
    renamed = replace(truth, nodes=(truth.nodes[0], replace(truth.nodes[1], label="dish")))
    assert compare(turned, truth).edges == (False,) == compare(renamed, truth).edges
    assert compare(truth, truth).edges == (True,)


def test_frames_without_truth_have_no_verdict() -> None:
    guess = video(person_and_cup(1, "holding", 0.7), person_and_cup(2, "holding", 0.7))
    content = told(guess, video(person_and_cup(2, "holding")))
    assert content["layers"]["truth"]["known"] == [0, 1]
    assert content["layers"]["prediction"]["edge_right"] == [-1, 1]
    assert told(guess)["layers"]["prediction"]["edge_right"] == []


def test_a_torn_track_becomes_one_thing_and_a_double_stays_apart() -> None:
    truth = [person_and_cup(n, "holding") for n in range(1, 7)]
    torn = [person_and_cup(n, "holding", track=2 if n < 4 else 7) for n in range(1, 7)]
    labels, guessed, true = join_tracks(torn, truth)
    assert labels == ["person", "cup"] and guessed[2, "cup"] == guessed[7, "cup"] == true[2, "cup"]
    double = [replace(f, nodes=(*f.nodes, GraphNode("cup", 0.4, (10, 10, 21, 21), 9))) for f in torn[:3]]
    labels, guessed, true = join_tracks(double, truth[:3])
    assert labels == ["person", "cup", "cup"] and guessed[9, "cup"] == 2 and guessed[2, "cup"] == true[2, "cup"]


def test_intervals_of_the_truth_are_exactly_the_annotated_frames() -> None:
    held = [True, True, False, True, False, False, True]
    truth = video(*(person_and_cup(n + 1, "holding" if hold else None) for n, hold in enumerate(held)))
    intervals = told(None, truth)["layers"]["truth"]["intervals"]
    assert [(first, last) for *_, first, last, _ in intervals] == [(0, 1), (3, 3), (6, 6)]


def test_intervals_of_a_prediction_are_the_graphs_own_by_position() -> None:
    guess = tracked(video(*(person_and_cup(n, "holding" if n > 3 else None, 0.8) for n in range(1, 9))))
    assert [(r.begin_frame, r.end_frame) for r in guess.relations] == [(4, 8)]
    assert [row[3:] for row in told(guess)["layers"]["prediction"]["intervals"]] == [[3, 7, 0.8]]
    cut = replace(guess, frames=guess.frames[2:6])
    assert [row[3:] for row in told(cut)["layers"]["prediction"]["intervals"]] == [[1, 3, 0.8]]


def test_frames_too_far_apart_for_intervals_are_told_as_they_are() -> None:
    sparse = tuple(replace(person_and_cup(n, "holding", 0.6), time=5.0 * n) for n in range(1, 4))
    assert not tracked(video(*sparse)).relations
    assert [row[3:] for row in told(video(*sparse))["layers"]["prediction"]["intervals"]] == [[0, 2, 0.6]]


def test_without_intervals_only_what_is_shown_by_default_is_a_stretch() -> None:
    """Else the timeline has relations that the graph of the moment leaves out."""
    origin = Origin("m", "sgdet", "c", "w", shown_from=(("g", 0.5),))
    frames = [person_and_cup(i + 1, "holding", score) for i, score in enumerate((0.6, 0.2, 0.8, 0.4))]
    graph = replace(video(*frames), made_by=origin)
    assert [row[4:] for row in stretches_of(graph)] == [(0, 0, 0.6), (2, 2, 0.8)]


@pytest.mark.parametrize("most", [1, 2, 20])
def test_the_surest_things_stay_with_their_relations(most: int) -> None:
    annotation = entity_annotation([6, 6, 6], seed=5)
    graph = tracked(replace(annotated_graph(annotation), schema=annotation.schema))
    scored = tuple(
        replace(
            f, nodes=tuple(replace(n, score=1.0 if n.label == "person" else 0.1 * i) for i, n in enumerate(f.nodes))
        )
        for f in graph.frames
    )
    few = surest(replace(graph, frames=scored), most)
    for frame_ in few.frames:
        things = [node.score for node in frame_.nodes if node.label != "person"]
        assert things == pytest.approx([0.1 * i for i in range(max(1, 7 - most), 7)])
        assert all({edge.subject, edge.object} <= set(range(len(frame_.nodes))) for edge in frame_.edges)


def test_the_best_moment_has_most_right_relations_after_wrong_and_missed_ones() -> None:
    truth = video(*(person_and_cup(number, "holding") for number in (1, 2, 3, 4)))
    wrong, unsure, right = (
        person_and_cup(1, "sitting_on"),
        person_and_cup(2, "holding", score=0.2),  # is not shown at first
        person_and_cup(3, "holding", score=0.8),
    )
    assert best_moment(video(wrong, unsure, right, person_and_cup(4, "holding")), truth) == 3  # the first of equals
    assert best_moment(video(wrong, unsure), truth) == 2  # one is missed; in the other one is wrong besides
    assert best_moment(video(person_and_cup(9, "holding")), truth) is None
