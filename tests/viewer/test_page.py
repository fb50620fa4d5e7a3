"""The page: complete in itself, safe with any name, and right about what is right."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import action_annotation, entity_annotation
from PIL import Image

from vidsgg.errors import DataError
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.prediction import VideoPrediction
from vidsgg.viewer.page import write_graph_page, write_page


def predict(annotation: VideoAnnotation, right: float = 0.9, wrong: float = 0.1) -> VideoPrediction:
    """The truth as scores: every true predicate ``right``, every other ``wrong``."""
    a = annotation
    return VideoPrediction(
        schema=a.schema, video_id=a.video_id, frame_unit=a.frame_unit, node_box=a.node_box, node_class=a.node_class,
        node_score=np.ones(a.nodes), node_frame=a.node_frame, node_identity=a.node_identity, action_class=a.action_class,
        pair_subject=a.pair_subject, pair_object=a.pair_object, pair_frame=a.pair_frame,
        scores={name: np.where(hot, right, wrong) for name, hot in a.labels.items()},
    )  # fmt: skip


def pictures(annotation: VideoAnnotation) -> list[np.ndarray]:
    return [np.full((int(h), int(w), 3), 90, np.uint8) for w, h in annotation.frame_size]


def content(path: Path) -> dict[str, Any]:
    page = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def test_the_page_asks_nothing_of_any_network_and_allows_only_its_own_script(tmp_path: Path) -> None:
    annotation = entity_annotation([2, 1], seed=1)
    write_page(tmp_path / "page.html", images=pictures(annotation), annotation=annotation, prediction=predict(annotation))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    # The one address is the name of SVG's namespace, which is never fetched.
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|iframe|base|form)\b|\ssrc=|@import|url\(|\sstyle=|\son[a-z]+=", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy.group(1) and "unsafe" not in policy.group(1)
    for element in ("style", "script"):
        text = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert text
        digest = base64.b64encode(hashlib.sha256(text.group(1).encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy.group(1)
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_pictures_and_boxes_are_the_given_ones(tmp_path: Path) -> None:
    annotation = entity_annotation([2, 1], seed=1)
    write_page(tmp_path / "page.html", images=pictures(annotation), annotation=annotation)
    frames = content(tmp_path / "page.html")["frames"]
    assert len(frames) == 2 and frames[0]["prediction"] is None
    picture = Image.open(io.BytesIO(base64.b64decode(frames[0]["picture"].split(",")[1])))
    assert picture.size == tuple(int(v) for v in annotation.frame_size[0])
    boxes = [node["box"] for node in frames[0]["truth"]["nodes"]]
    np.testing.assert_allclose(boxes, annotation.node_box[annotation.node_frame == 0], atol=1e-3)


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = '</script><script>alert("x")</script>&"\'%%data%%'
    frame = GraphFrame(
        evil, 1, None, 10, 10, (GraphNode("person", 1, (0, 0, 5, 5)), GraphNode(evil, 1, (1, 1, 3, 3))), (GraphEdge(0, 1, evil, evil, 1),)
    )
    write_graph_page(tmp_path / "page.html", images=None, truth=VideoGraph(evil, evil, (frame,)))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<script") == 2 and page.count("</script>") == 2
    assert content(tmp_path / "page.html")["frames"][0]["truth"]["nodes"][1]["label"] == evil


def test_right_and_wrong_predictions_are_told_apart(tmp_path: Path) -> None:
    annotation = entity_annotation([2, 1, 3], seed=2)
    for name, prediction, expected in (("right", predict(annotation), {True}), ("wrong", predict(annotation, 0.1, 0.9), {False})):
        write_page(tmp_path / f"{name}.html", images=None, annotation=annotation, prediction=prediction)
        edges = [e for f in content(tmp_path / f"{name}.html")["frames"] for e in f["prediction"]["edges"] if e["score"] > 0.5]
        assert {edge["right"] for edge in edges} == expected


def test_a_relation_of_a_box_elsewhere_is_not_right(tmp_path: Path) -> None:
    annotation = entity_annotation([1], seed=2)
    moved = predict(annotation)
    moved = replace(moved, node_box=moved.node_box + 1000)
    write_page(tmp_path / "page.html", images=None, annotation=annotation, prediction=moved)
    edges = content(tmp_path / "page.html")["frames"][0]["prediction"]["edges"]
    assert edges and not any(edge["right"] for edge in edges)


def test_a_prediction_alone_is_shown_without_verdict(tmp_path: Path) -> None:
    annotation = entity_annotation([2, 1], seed=3)
    write_page(tmp_path / "page.html", images=pictures(annotation), prediction=predict(annotation))
    frames = content(tmp_path / "page.html")["frames"]
    assert [frame["truth"] for frame in frames] == [None, None]
    assert {edge["right"] for frame in frames for edge in frame["prediction"]["edges"]} == {None}
    with pytest.raises(DataError, match="pictures"):
        write_page(tmp_path / "page.html", images=None, prediction=predict(annotation))


def test_only_the_surest_things_are_shown(tmp_path: Path) -> None:
    annotation = entity_annotation([6], seed=5)
    scores = np.linspace(0.1, 0.9, annotation.nodes)
    write_page(
        tmp_path / "page.html", images=None, annotation=annotation, prediction=replace(predict(annotation), node_score=scores), most=2
    )
    nodes = content(tmp_path / "page.html")["frames"][0]["prediction"]["nodes"]
    things = [node["score"] for node in nodes if not node["subject"]]
    assert sorted(things, reverse=True) == pytest.approx(sorted(scores, reverse=True)[:2])


def test_actions_without_pictures(tmp_path: Path) -> None:
    annotation = action_annotation([2, 1], seed=0)
    write_page(tmp_path / "page.html", images=None, annotation=annotation, prediction=predict(annotation))
    frame = content(tmp_path / "page.html")["frames"][0]
    assert frame["picture"] is None and [n["box"] for n in frame["truth"]["nodes"] if n["subject"]] == [None]


@pytest.mark.parametrize("what", ["nothing", "pictures", "frames"])
def test_what_does_not_fit_together_is_refused(tmp_path: Path, what: str) -> None:
    annotation, other = entity_annotation([2, 1], seed=1), entity_annotation([2], seed=1)
    given = {
        "nothing": {"images": None},
        "pictures": {"images": pictures(other), "annotation": annotation},
        "frames": {"images": None, "annotation": annotation, "prediction": predict(other)},
    }[what]
    with pytest.raises(DataError):
        write_page(tmp_path / "page.html", **given)  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())
