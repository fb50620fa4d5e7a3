"""Which relations a graph shows, and which way they point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from clips import action_annotation, entity_annotation, entity_clip

from vidsgg.inference.graphs import annotated_graph, to_graph
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.ops.decoding import decode
from vidsgg.structures.logits import RelationLogits
from vidsgg.viewer.page import write_page


def test_a_prediction_becomes_its_likely_relations() -> None:
    annotation, clip = entity_annotation([1]), entity_clip([1])
    (prediction,) = decode(
        clip, RelationLogits({g.name: clip.labels[g.name].float() for g in clip.schema.vocabulary.groups})
    )
    scores = {
        "attention": np.array([[0.2, 0.7, 0.1]]),
        "spatial": np.array([[0.3, 0.2]]),
        "contacting": np.array([[0.9, 0.1, 0.6, 0.5]]),
    }
    graph = to_graph(annotation, replace(prediction, scores=scores))
    assert graph.frames[0].nodes[0].label == "person"
    found = [(e.subject, e.object, e.predicate, round(e.score, 3)) for e in graph.frames[0].edges]
    assert found == [(0, 1, "not_looking", 0.7), (1, 0, "above", 0.3), (0, 1, "holding", 0.9), (0, 1, "wiping", 0.6)]
    assert graph.frames[0].time == 0.0


def test_the_ground_truth_has_every_label_once() -> None:
    for annotation in (entity_annotation([2, 0, 3]), action_annotation([2, 1])):
        graph = annotated_graph(annotation)
        for f, frame in enumerate(graph.frames):
            rows = annotation.pair_frame == f
            assert len(frame.edges) == sum(int(hot[rows].sum()) for hot in annotation.labels.values())
            assert all(edge.score == 1 for edge in frame.edges)
        if not annotation.schema.subject_has_box:
            assert all(frame.nodes[-1].box is None for frame in graph.frames)
            assert all(edge.subject == len(frame.nodes) - 1 for frame in graph.frames for edge in frame.edges)


def test_edges_are_uncertain_above_the_threshold_which_changes_nothing_else(tmp_path: Path) -> None:
    annotation, clip = entity_annotation([1, 2]), entity_clip([1, 2])
    (plain,) = decode(
        clip, RelationLogits({g.name: clip.labels[g.name].float() for g in clip.schema.vocabulary.groups})
    )
    half = {name: np.full(rows.shape, 0.25) for name, rows in plain.scores.items()}
    first = {name: rows.copy() for name, rows in half.items()}
    for rows in first.values():
        rows[0] = 0.26
    prediction = replace(plain, aleatoric=half, epistemic=first)
    graph = to_graph(annotation, prediction, unsure_above=0.5)
    assert [{edge.uncertain for edge in frame.edges} for frame in graph.frames] == [{True}, {False}]
    silent = to_graph(annotation, prediction)
    for frame, other in zip(graph.frames, silent.frames, strict=True):
        assert tuple(replace(edge, uncertain=None) for edge in frame.edges) == other.edges
    assert to_graph(annotation, plain, unsure_above=0.0) == silent  # a model that does not tell
    write_graph(tmp_path / "graph.json", graph)
    assert read_graph(tmp_path / "graph.json") == graph

    write_page(tmp_path / "page.html", prediction=graph)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert (
        f'"uncertain":{[int(bool(edge.uncertain)) for frame in graph.frames for edge in frame.edges]}'.replace(" ", "")
        in page
    )
