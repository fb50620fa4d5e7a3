"""Pictures of graphs: the size that is promised, colours of the right things, and something where
the boxes are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clips import action_annotation, entity_annotation

from vidsgg.errors import DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.viewer.drawing import draw_frame, draw_sheet
from vidsgg.viewer.graphs import SUBJECT_COLOUR, colours, relations_of, thing_names

FRAME = GraphFrame(
    key="V.mp4/000001.png",
    number=1,
    time=None,
    width=320,
    height=240,
    nodes=(GraphNode("person", 1.0, (100, 40, 180, 220)), GraphNode("cup", 1.0, (200, 100, 240, 140))),
    edges=(GraphEdge(0, 1, "holding", "contacting", 1.0), GraphEdge(1, 0, "in_front_of", "spatial", 1.0)),
)
GRAPH = VideoGraph("V", "toy", (FRAME,))
IMAGE = np.full((240, 320, 3), 200, np.uint8)


def test_boxes_are_drawn_in_the_colour_of_their_class_on_an_enlarged_picture() -> None:
    palette = colours([GRAPH], ("person",))
    drawn = draw_frame(IMAGE, FRAME, palette, ("person",))
    assert drawn.shape[0] >= 480 and drawn.shape[1] > 640  # twice as large, and a panel beside it
    assert tuple(drawn[300, 201]) == SUBJECT_COLOUR == palette["person"]  # left edge of the person's box
    assert tuple(drawn[240, 401]) == palette["cup"] != palette["person"]
    assert tuple(drawn[20, 20]) == (200, 200, 200)


def test_a_picture_of_another_size_is_refused() -> None:
    with pytest.raises(DataError, match="100x100"):
        draw_frame(IMAGE[:100, :100], FRAME, colours([GRAPH], ("person",)), ("person",))


def test_the_panel_grows_with_what_there_is_to_tell() -> None:
    many = replace(
        FRAME,
        nodes=(FRAME.nodes[0], *(GraphNode(f"thing {i}", 1.0, (10, 10, 50, 50)) for i in range(12))),
        edges=tuple(GraphEdge(0, i + 1, "holding", "contacting", 0.5) for i in range(12)),
    )
    drawn = draw_frame(IMAGE, many, colours([VideoGraph("V", "toy", (many,))], ("person",)), ("person",))
    assert drawn.shape[0] > 600


def test_a_sheet_has_all_frames() -> None:
    graph = annotated_graph(entity_annotation([1, 2, 1, 3, 2], seed=1))
    one, two = (draw_sheet(None, graph, columns=columns, width=200, subjects=("person",)) for columns in (1, 2))
    assert two.shape[1] > 1.9 * one.shape[1] - 20 and one.shape[0] > two.shape[0]


def test_the_annotated_graph_holds_every_label_and_nothing_else() -> None:
    annotation = entity_annotation([2, 0, 3], seed=4)
    graph = annotated_graph(annotation)
    assert [len(frame.nodes) for frame in graph.frames] == np.bincount(annotation.node_frame, minlength=3).tolist()
    assert sum(len(frame.edges) for frame in graph.frames) == sum(int(hot.sum()) for hot in annotation.labels.values())
    for group in annotation.schema.vocabulary.groups:
        for edge in (e for frame in graph.frames for e in frame.edges if e.group == group.name):
            assert edge.predicate in group.predicates and edge.score == 1


def test_actions_are_subjects_without_a_box() -> None:
    annotation = action_annotation([2, 1], seed=0)
    graph = annotated_graph(annotation)
    frame = graph.frames[0]
    assert frame.nodes[-1].box is None and frame.nodes[-1].label in annotation.schema.vocabulary.subjects
    assert len(relations_of(frame, len(frame.nodes) - 1)) == len(frame.edges) > 0
    assert draw_sheet(None, graph, subjects=()).ndim == 3


def test_things_of_a_label_that_are_seen_at_once_are_numbered_in_their_order() -> None:
    rows = [[(7, "cup"), (2, "chair")], [(3, "cup"), (9, "chair"), (7, "cup")], [(None, "cup")]]
    frames = [
        replace(FRAME, nodes=tuple(GraphNode(label, 1.0, (0, 0, 9, 9), track) for track, label in row), edges=())
        for row in rows
    ]
    assert thing_names(frames) == {
        (7, "cup"): "cup 1",
        (3, "cup"): "cup 2",
        (2, "chair"): "chair",
        (9, "chair"): "chair",
    }
