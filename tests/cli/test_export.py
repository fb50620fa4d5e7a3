"""``vidsgg export``: which files are written, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from vidsgg.cli import export
from vidsgg.cli.main import run
from vidsgg.io.graphs import write_graph
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph


def graph(name: str, track: int | None = 1) -> VideoGraph:
    nodes = (GraphNode("person", 0.9, (0, 0, 5, 5), track), GraphNode("cup", 0.8, (1, 1, 3, 3), None if track is None else 2))
    frames = tuple(
        GraphFrame(f"{name}/{t}", t + 1, t / 2, 10, 10, nodes, (GraphEdge(0, 1, "holding", "contacting", 0.9),)) for t in range(3)
    )
    return VideoGraph(name, "toy", frames)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        write_graph(tmp_path / "graphs" / f"{name}.graph.json", graph(f"{name}.mp4"))
    return tmp_path / "graphs"


def exported(*words: object) -> int:
    return run(export.main, [str(word) for word in words])


def test_a_table_of_a_folder(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert exported(folder, "-format", "csv", "-o", tmp_path / "new" / "all.csv") == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new' / 'all.csv'}\n"
    with (tmp_path / "new" / "all.csv").open(newline="", encoding="utf-8") as file:
        assert [row["video"] for row in csv.DictReader(file)] == ["a.mp4"] * 3 + ["b.mp4"] * 3


def test_formats_of_one_video_make_a_file_each(folder: Path, tmp_path: Path) -> None:
    assert exported(folder, "-format", "graphml", "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.graphml", "b.graphml"]
    assert exported(folder / "a.graph.json", "-format", "graphml", "-o", tmp_path / "one.graphml") == 0
    assert (tmp_path / "one.graphml").read_bytes() == (tmp_path / "out" / "a.graphml").read_bytes()


def test_graphs_without_tracks_get_them(tmp_path: Path) -> None:
    write_graph(tmp_path / "old.graph.json", graph("old", track=None))
    assert exported(tmp_path / "old.graph.json", "-format", "vidvrd", "-o", tmp_path / "old.json") == 0
    document = json.loads((tmp_path / "old.json").read_text(encoding="utf-8"))
    assert [(r["begin_fid"], r["end_fid"], r["predicate"]) for r in document["relation_instances"]] == [(0, 3, "holding")]


def test_what_cannot_work_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    write_graph(tmp_path / "twin" / "a.graph.json", graph("a.mp4"))
    (tmp_path / "broken.graph.json").write_text("{}")
    file = tmp_path / "file"
    file.write_text("")
    for words, message in (
        ((folder, "-format", "csv", "-o", tmp_path / "empty"), "is a folder; name a file, such as"),
        ((folder, "-format", "vidvrd", "-o", file), "writes a file per video, so name a folder"),
        ((folder, tmp_path / "twin", "-format", "vidvrd", "-o", tmp_path / "o"), "two graphs are called 'a'"),
        ((tmp_path / "empty", "-format", "csv", "-o", tmp_path / "o"), "holds no graph"),
        ((folder, tmp_path / "broken.graph.json", "-format", "csv", "-o", tmp_path / "o"), "is not a video graph"),
        ((folder, "-format", "cvs", "-o", tmp_path / "o"), "unknown value 'cvs'; choose from csv"),
        ((folder, "-format", "predictions", "-o", tmp_path / "o"), "the evaluators need a vocabulary"),
        ((folder, "-format", "csv"), "option -out is required"),
    ):
        assert exported(*words) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "o").exists()
