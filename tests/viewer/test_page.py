"""The page as a file: complete in itself, safe with any name, and refused where things do not fit
together."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clips import action_annotation, entity_annotation

from vidsgg.errors import DataError
from vidsgg.inference.graphs import annotated_graph
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoGraph
from vidsgg.viewer.media import Media, picture_media
from vidsgg.viewer.page import SCRIPTS, write_page

FOLDER = Path(__file__).parents[2] / "src" / "vidsgg" / "viewer" / "page"


def content(path: Path) -> dict[str, Any]:
    page = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found.group(1))


def pictures(count: int) -> Media:
    return picture_media([np.full((100, 100, 3), 40 * i, np.uint8) for i in range(count)], 64)


def test_the_page_asks_nothing_of_any_network_and_allows_only_its_own_script(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([2, 1], seed=1))
    write_page(tmp_path / "page.html", prediction=graph, truth=graph, media=pictures(2))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    # The one address is the name of SVG's namespace, which is never fetched.
    assert set(re.findall(r"https?://[^\s\"'<>]+", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<(link|iframe|base|object|embed)\b|\ssrc=|@import|url\(|\sstyle=|\son[a-z]+=", page)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy and "default-src 'none'" in policy.group(1) and "unsafe" not in policy.group(1)
    for element in ("style", "script"):
        text = re.search(rf"<{element}>(.*?)</{element}>", page, re.DOTALL)
        assert text
        digest = base64.b64encode(hashlib.sha256(text.group(1).encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy.group(1)
    assert list(tmp_path.iterdir()) == [tmp_path / "page.html"]


def test_every_part_of_the_script_is_in_the_page() -> None:
    # The page that follows a camera has a script of its own.
    assert sorted([*SCRIPTS, "live.js"]) == sorted(path.name for path in FOLDER.glob("*.js"))


@pytest.mark.skipif(shutil.which("node") is None, reason="node, which reads scripts, is not installed")
def test_the_script_can_be_read(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", truth=annotated_graph(entity_annotation([1])))
    script = re.search(r"<script>(.*?)</script>", (tmp_path / "page.html").read_text(encoding="utf-8"), re.DOTALL)
    assert script
    (tmp_path / "page.js").write_text(script.group(1), encoding="utf-8")
    done = subprocess.run(["node", "--check", str(tmp_path / "page.js")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    evil = '</script><script>alert("x")</script>&"\'%%data%%\u2028'
    nodes = (GraphNode("person", 1, (0, 0, 5, 5)), GraphNode(evil, 1, (1, 1, 3, 3)))
    frame = GraphFrame(evil, 1, None, 10, 10, nodes, (GraphEdge(0, 1, evil, evil, 1),))
    made_by = Origin(evil, "sgdet", evil, evil, notes=(evil,))
    write_page(tmp_path / "page.html", prediction=VideoGraph(evil, evil, (frame,), made_by=made_by), notes=[evil])
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<script") == 3 == page.count("</script>")
    told = content(tmp_path / "page.html")
    assert [label["text"] for label in told["labels"]] == ["person", evil] and told["notes"] == [evil, evil]


def test_names_that_are_no_text_are_replaced(tmp_path: Path) -> None:
    frame = GraphFrame("k", 1, None, 10, 10, (GraphNode("person", 1, (0, 0, 5, 5)),), ())
    write_page(tmp_path / "page.html", truth=VideoGraph("a\udcff", "toy", (frame,)))
    assert "<title>a?</title>" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_pictures_are_made_small_and_their_rows_are_the_frames(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([2, 1, 1], seed=1))
    images = [np.full((50, 200, 3), 90, np.uint8), None, np.full((50, 20, 3), 9, np.uint8)]
    write_page(tmp_path / "page.html", prediction=graph, media=picture_media(images, 100))
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="text/plain" id="media">(.*?)</script>', page, re.DOTALL)
    assert found
    rows = found.group(1).split("\n")
    assert [bool(row) for row in rows] == [True, False, True]
    assert base64.b64decode(rows[0])[:2] == b"\xff\xd8"
    assert content(tmp_path / "page.html")["media"]["kind"] == "pictures"


def test_what_made_the_graph_is_told(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([1]))
    write_page(
        tmp_path / "page.html",
        prediction=replace(graph, made_by=Origin("sttran", "sgdet", "c", "w", notes=("cut",))),
        notes=["more"],
    )
    told = content(tmp_path / "page.html")
    assert (told["about"], told["notes"]) == ("toy frames · sttran, sgdet", ["cut", "more"])


def test_the_frame_that_is_shown_first(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([1, 1, 1]))
    for opens, place in ((None, 0), (graph.frames[2].number, 2)):
        write_page(tmp_path / "page.html", prediction=graph, opens=opens)
        assert content(tmp_path / "page.html")["opens"] == place


def test_times_that_go_back_are_no_clock(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([1, 1]))
    for times, clock in (([1.0, 0.5], "frames"), ([0.5, 0.5], "frames"), ([0.5, 1.0], "seconds")):
        write_page(tmp_path / "page.html", prediction=graph, times=times)
        assert content(tmp_path / "page.html")["clock"] == clock


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    graph = annotated_graph(entity_annotation([2, 1], seed=1))
    other = replace(graph, frames=tuple(replace(frame, number=frame.number + 100) for frame in graph.frames))
    page = tmp_path / "page.html"
    with pytest.raises(DataError, match="nothing to show"):
        write_page(page)
    with pytest.raises(DataError, match="nothing to show"):
        write_page(page, prediction=VideoGraph("v", "toy", ()))
    with pytest.raises(DataError, match="3 pictures for 2 frames"):
        write_page(page, prediction=graph, media=pictures(3))
    with pytest.raises(DataError, match="1 times for 2 frames"):
        write_page(page, prediction=graph, times=[0.0])
    with pytest.raises(DataError, match="none of the predicted frames"):
        write_page(page, prediction=graph, truth=other)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(DataError, match="cannot write"):
        write_page(tmp_path / "file" / "page.html", prediction=graph)
    assert not page.exists()


def test_actions_have_an_id_of_their_own(tmp_path: Path) -> None:
    write_page(tmp_path / "page.html", truth=annotated_graph(replace(action_annotation([2, 1], seed=0), fps=None)))
    told = content(tmp_path / "page.html")
    acting = [thing for thing, label in enumerate(told["things"]) if told["labels"][label]["subject"]]
    truth = told["layers"]["truth"]
    assert acting and all(truth["box"][4 * i] is None for i, thing in enumerate(truth["thing"]) if thing in acting)
    assert told["clock"] == "frames" and told["media"]["kind"] == "none" and truth["intervals"]
