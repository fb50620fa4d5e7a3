"""``vidsgg view``: finds videos, truth and times, and says what it does not find."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from numbered_video import numbered, write
from PIL import Image

from vidsgg.cli import view
from vidsgg.cli.main import run
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.io.identity import content_of
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoFile, VideoGraph


def viewed(*words: object) -> int:
    return run(view.main, [str(word) for word in words])


def content(page: Path) -> dict[str, Any]:
    found = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL
    )
    assert found
    return json.loads(found.group(1))


def walk(source: str | None = None, times: bool = True, name: str = "walk.mp4") -> VideoGraph:
    """A graph of every 12th frame of ``write(..., frames=60)``, which has 25 frames a second."""
    height, width = numbered(0).shape[:2]
    frames = tuple(
        GraphFrame(
            f"{name}/{n:06d}", n, (n - 1) / 25 if times else None, width, height,
            (GraphNode("person", 0.9, (1, 1, 30, 40), 1), GraphNode("cup", 0.8, (20, 20, 30 + i, 30), 2)),
            (GraphEdge(0, 1, "holding", "contacting", 0.8),),
        )
        for i, n in enumerate(range(1, 61, 12))
    )  # fmt: skip
    return VideoGraph(name, "toy", frames, made_by=Origin("m", "sgdet", "c", "w", source=source))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    write(tmp_path / "films" / "walk.mp4", frames=60)
    write_graph(tmp_path / "graphs" / "walk.graph.json", walk("../films/walk.mp4"))
    return tmp_path


def test_the_video_is_found_where_the_graph_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert viewed(folder / "graphs") == 0
    page = folder / "graphs" / "walk.html"
    assert f"-> {page}" in capsys.readouterr().out
    media = content(page)["media"]
    assert media["kind"] == "video" and media["begin"] == 0 and media["duration"] == pytest.approx(60 / 25, abs=0.05)
    assert content(page)["notes"] == []


def test_a_video_that_is_not_there_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.rmtree(folder / "films")
    assert viewed(folder / "graphs", "-o", folder / "pages") == 0
    assert "../films/walk.mp4 is not there any more" in capsys.readouterr().out
    told = content(folder / "pages" / "walk.html")
    assert told["media"]["kind"] == "none" and "not there any more" in told["notes"][0]
    write_graph(folder / "graphs" / "walk.graph.json", walk())
    assert viewed(folder / "graphs" / "walk.graph.json") == 0
    assert "does not say where its video is" in capsys.readouterr().out


@pytest.mark.parametrize(
    "source", ["pipe.mp4", "x" * 3000, "a\0b", "../films/walk.mp4/deeper"], ids=["pipe", "long", "nul", "below a file"]
)
def test_a_graph_may_say_anything_about_its_video(
    folder: Path, source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if source == "pipe.mp4":
        if not hasattr(os, "mkfifo"):
            pytest.skip("no named pipes here")
        os.mkfifo(folder / "graphs" / source)
    write_graph(folder / "graphs" / "walk.graph.json", walk(source))
    assert viewed(folder / "graphs" / "walk.graph.json") == 0
    assert "is not there any more" in capsys.readouterr().out


@pytest.mark.parametrize("given", ["films/walk.mp4", "films"])
def test_the_video_can_be_named(folder: Path, given: str) -> None:
    write_graph(folder / "graphs" / "walk.graph.json", walk("nowhere.mp4", times=False))
    assert viewed(folder / "graphs", "-video", folder / given, "-width", 64) == 0
    told = content(folder / "graphs" / "walk.html")
    assert told["media"]["kind"] == "video" and told["times"] == pytest.approx([0, 0.48, 0.96, 1.44, 1.92])


def test_pictures_of_a_folder_are_found_by_name_and_else_by_number(folder: Path) -> None:
    for names in (["000001", "000013", "000025", "000037", "000049"], [f"p{n}" for n in range(1, 61)]):
        pictures = folder / names[0] / "walk"
        pictures.mkdir(parents=True)
        for i, name in enumerate(names):
            Image.fromarray(numbered(i)).save(pictures / f"{name}.png")
        graph = walk()
        if len(names) == 5:
            graph = replace(graph, frames=tuple(replace(frame, key=frame.key + ".png") for frame in graph.frames))
        write_graph(folder / "graphs" / "walk.graph.json", graph)
        for given in (pictures, pictures.parent):
            assert viewed(folder / "graphs", "-video", given) == 0
            assert content(folder / "graphs" / "walk.html")["media"]["kind"] == "pictures"
    for file in pictures.iterdir():
        file.unlink() if file.stem != "p1" else None
    assert viewed(folder / "graphs", "-video", pictures) == 2


def known(graph: VideoGraph, video: Path, frames: int) -> VideoGraph:
    content = content_of(video)
    return replace(graph, video=VideoFile(content.size, content.digest, frames, 25.0))


def test_a_video_that_was_replaced_is_not_shown_as_the_graphs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = folder / "films" / "walk.mp4"
    write_graph(folder / "graphs" / "walk.graph.json", known(walk("../films/walk.mp4"), film, 60))
    assert viewed(folder / "graphs") == 0
    assert content(folder / "graphs" / "walk.html")["media"]["kind"] == "video"
    write(film, frames=90)
    capsys.readouterr()
    assert viewed(folder / "graphs") == 0
    assert "The video ../films/walk.mp4 has been replaced since the graph was made" in capsys.readouterr().out
    told = content(folder / "graphs" / "walk.html")
    assert told["media"]["kind"] == "none" and "has been replaced" in told["notes"][0]


def test_another_video_than_the_graphs_is_refused_and_a_copy_is_told(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    film = folder / "films" / "walk.mp4"
    write_graph(folder / "graphs" / "walk.graph.json", known(walk(), film, 60))
    assert viewed(folder / "graphs", "-video", write(folder / "long.mp4", frames=61), "-overlay") == 2
    assert "walk.graph.json was made from: it has 61 frames, that one 60" in capsys.readouterr().err
    assert not list((folder / "graphs").glob("walk.overlay*"))
    assert viewed(folder / "graphs", "-video", write(folder / "copy.mkv", frames=60)) == 0
    told = content(folder / "graphs" / "walk.html")
    assert (
        told["media"]["kind"] == "video" and "copy.mkv is another file than the graph was made from" in told["notes"][0]
    )
    # Of two videos of one name in a folder, the graph's own is taken.
    write(folder / "films" / "walk.avi", frames=30)
    assert viewed(folder / "graphs", "-video", folder / "films") == 0
    assert content(folder / "graphs" / "walk.html")["notes"] == []


def test_a_truth_of_another_video_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = folder / "films" / "walk.mp4"
    write_graph(folder / "graphs" / "walk.graph.json", known(walk("../films/walk.mp4"), film, 60))
    write_graph(folder / "truth.json", known(walk(name="b.mp4"), write(folder / "b.mp4", frames=90), 90))
    assert viewed(folder / "graphs", "-truth", folder / "truth.json") == 2
    assert "the ground truth is that of another video, 'b.mp4'" in capsys.readouterr().err


def test_graphs_of_one_name_have_pages_of_their_own(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("other", "more"):
        write_graph(folder / name / "walk.graph.json", walk("../films/walk.mp4"))
    assert viewed(folder / "other", folder / "more", folder / "more" / "walk.graph.json", "-o", folder / "pages") == 0
    assert sorted(page.name for page in (folder / "pages").iterdir()) == ["more_walk.html", "other_walk.html"]
    assert f"{folder / 'more' / 'walk.graph.json'} -> {folder / 'pages' / 'more_walk.html'}" in capsys.readouterr().out


def test_the_truth_is_found_by_name(folder: Path) -> None:
    (folder / "truth").mkdir()
    write_graph(folder / "truth" / "walk.graph.json", walk())
    for given in ("truth", "truth/walk.graph.json"):
        assert viewed(folder / "graphs", "-truth", folder / given, "-video", folder / "films") == 0
        layers = content(folder / "graphs" / "walk.html")["layers"]
        assert layers["truth"]["met"] == [0.8] * 5 and layers["prediction"]["edge_right"] == [1] * 5


def test_a_page_with_ground_truth_is_not_replaced_by_one_without(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "truth").mkdir()
    write_graph(folder / "truth" / "walk.graph.json", walk())
    assert viewed(folder / "graphs", "-truth", folder / "truth") == 0
    page = folder / "graphs" / "walk.html"
    before = page.read_bytes()
    assert viewed(folder / "graphs") == 2
    assert "walk.html is a page with ground truth, which would be lost" in capsys.readouterr().err
    assert page.read_bytes() == before
    assert viewed(folder / "graphs", "-o", folder / "other") == viewed(folder / "graphs", "-o", folder / "other") == 0


def test_a_part_of_the_video(folder: Path) -> None:
    assert viewed(folder / "graphs", "-begin", 0.4, "-end", 1.5) == 0
    told = content(folder / "graphs" / "walk.html")
    assert told["times"] == pytest.approx([0.48, 0.96, 1.44])
    assert told["media"]["begin"] == pytest.approx(0.4) and told["media"]["duration"] == pytest.approx(1.14, abs=0.05)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["graphs", "-begin", 2, "-end", 1], "before its begin"),
        (["graphs", "-begin", 50], "has no frame between 50 and inf seconds; its frames lie between 0 and 1.92"),
        (["graphs", "-video", "nowhere"], "nowhere does not exist"),
        (["graphs", "-video", "graphs"], "holds nothing named 'walk'"),
        (["graphs", "-truth", "films"], "holds nothing named 'walk'"),
        (["films"], "holds no graph"),
        (["films/walk.mp4"], "is a video, no graph file; 'vidsgg predict films/walk.mp4' makes its graph"),
        (["nowhere"], "nowhere does not exist"),
        (["graphs", "-video", "small.mp4"], "64x64 pixels"),
    ],
)
def test_what_cannot_work_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[object], told: str
) -> None:
    monkeypatch.chdir(folder)
    if "small.mp4" in words:
        from vidsgg.io.encoding import write_video

        write_video(Path("small.mp4"), ((i / 25, numbered(i)[:64, :64]) for i in range(60)))
    assert viewed(*words) == 2
    assert told in capsys.readouterr().err
    assert not (folder / "graphs" / "walk.html").exists()


def test_hours_are_refused_with_the_remedy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    graph = read_graph(folder / "graphs" / "walk.graph.json")
    long = replace(
        graph, frames=tuple(replace(frame, time=2500.0 * i) for i, frame in enumerate(graph.frames)), made_by=None
    )
    write_graph(folder / "graphs" / "walk.graph.json", long)
    assert viewed(folder / "graphs") == 2
    assert (
        "lasts for 167 minutes; a page holds 30. Give -begin and -end in seconds, such as -begin 0 -end 1800."
        in capsys.readouterr().err
    )
    assert viewed(folder / "graphs", "-end", 1800) == 0
