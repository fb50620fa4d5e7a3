"""Pictures of graphs: the size that is promised, colours of the right things, and something where
the boxes are."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from clips import action_annotation, entity_annotation
from PIL import ImageDraw

from vidsgg.errors import DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, RelationInterval, VideoGraph
from vidsgg.viewer.drawing import _forms, draw_frame, draw_sheet, place_tags
from vidsgg.viewer.graphs import SUBJECT_COLOUR, colours, relations_of, thing_names
from vidsgg.viewer.notebook import as_html

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


def test_things_of_a_label_are_numbered_in_their_order_also_if_they_are_never_seen_at_once() -> None:
    rows = [[(7, "cup"), (2, "chair")], [(3, "cup"), (9, "chair"), (7, "cup")], [(None, "cup")]]
    frames = [
        replace(FRAME, nodes=tuple(GraphNode(label, 1.0, (0, 0, 9, 9), track) for track, label in row), edges=())
        for row in rows
    ]
    assert thing_names(frames) == {
        (7, "cup"): "cup 1",
        (3, "cup"): "cup 2",
        (2, "chair"): "chair 1",
        (9, "chair"): "chair 2",
    }


def test_names_of_a_crowded_picture_cover_no_other_and_keep_their_numbers() -> None:
    rng = np.random.default_rng(0)
    names = [f"over-the-shoulder-bag {i}" if i % 2 else f"cup {i}" for i in range(1, 15)]
    corners = rng.uniform(60, 150, (14, 2)).tolist()
    forms = [_forms(name, name.rsplit(" ", 1)[0]) for name in names]
    assert forms[0] == ["over-the-shoulder-bag 1", "over-th… 1", "otsb 1", ""]
    things = {i: (forms[i], (x, y, x + 40, y + 30)) for i, (x, y) in enumerate(corners)}
    for size, fewest in (((640, 480), 14), ((240, 200), 8)):
        tags = place_tags(things, size, 20, lambda text: 8.0 * len(text) + 8)
        places = list(tags.values())
        for i, (text, (x1, y1, x2, y2)) in enumerate(places):
            assert x1 >= 0 and x2 <= size[0] and y1 >= 0 and y2 <= size[1]
            assert not text or text.endswith(names[i][-2:])
            for _, (a1, b1, a2, b2) in places[:i]:
                assert x2 <= a1 or a2 <= x1 or y2 <= b1 or b2 <= y1
        assert sum(text == names[i] for i, (text, _) in tags.items()) >= fewest, size


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every text that is drawn from now on."""
    texts: list[str] = []
    before = ImageDraw.ImageDraw.text
    monkeypatch.setattr(
        ImageDraw.ImageDraw,
        "text",
        lambda self, at, text, **rest: (texts.append(text), before(self, at, text, **rest)),
    )
    return texts


def test_the_panel_breaks_long_names_at_hyphens_and_parts_numbers_from_scores(written: list[str]) -> None:
    label = "wall-mounted-television-set-of-the-neighbours"
    nodes = (GraphNode(label, 0.8, (9, 9, 90, 90), 4), GraphNode(label, 0.7, (99, 9, 190, 90), 7), FRAME.nodes[1])
    frame = replace(FRAME, nodes=nodes, edges=(GraphEdge(0, 1, "above", "spatial", 0.6),))
    draw_frame(IMAGE, frame, colours([VideoGraph("V", "toy", (frame,))], ()), (), {(4, label): f"{label} 1"})
    for line in ("wall-mounted-television-set-of-", "the-neighbours 1 · 0.80", "above wall-mounted-television-"):
        assert line in written
    assert "neighbours 2 (0.60)" in " ".join(written) and not re.search(r"\d 0\.\d\d", " ".join(written))


def test_relations_of_several_people_stand_behind_their_names(written: list[str]) -> None:
    other = GraphNode("person", 1.0, (10, 10, 90, 200))
    edges = (GraphEdge(2, 1, "touching", "contacting", 0.5), *FRAME.edges)
    frame = replace(FRAME, nodes=(*FRAME.nodes, other), edges=edges)
    graph = VideoGraph("V", "toy", (frame,))
    draw_frame(IMAGE, frame, colours([graph], ("person",)), ("person",))
    for line in ("person 1: holding", "person 2: touching (0.50)", "person 1: in front of"):
        assert line in written
    draw_sheet(None, graph, subjects=("person",))
    before_notes = draw_sheet(None, graph, subjects=("person",)).shape[0]
    note = "Relations are guessed."
    noted = replace(graph, made_by=Origin("m", "sgdet", "c", "w", notes=(note,)))
    assert draw_sheet(None, noted, subjects=("person",)).shape[0] > before_notes and note in written
    assert "cup: person 1: holding; person 2: touching (0.50); person 1: in front of" in " ".join(written)


def test_arrows_of_a_notebook_point_from_subject_to_object() -> None:
    tips = [float(x) for x in re.findall(r'<polygon points="([\d.]+),150.0 ', as_html(GRAPH))]
    assert tips == [191.0, 569.0]  # most of the way from 650 to 110, and back


def test_a_notebook_numbers_things_of_a_label() -> None:
    frames = [
        replace(
            FRAME,
            number=i,
            nodes=(GraphNode("cup", 1.0, (0, 0, 9, 9), i), GraphNode("person", 1.0, (0, 0, 9, 9), 0)),
            edges=(),
        )
        for i in (1, 2)
    ]
    relation = RelationInterval(0, 2, "person", "cup", "holding", "g", None, None, 1, 2, 0.9)
    shown = as_html(VideoGraph("v", "toy", tuple(frames), (relation,)))
    assert ">cup 1</text>" in shown and ">person holding cup 2</text>" in shown
