"""``vidsgg export``: which files are written, and what is refused."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from vidsgg.cli import export
from vidsgg.cli.main import run
from vidsgg.io.graphs import write_graph
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, VideoGraph


def graph(name: str, track: int | None = 1) -> VideoGraph:
    nodes = (
        GraphNode("person", 0.9, (0, 0, 5, 5), track),
        GraphNode("cup", 0.8, (1, 1, 3, 3), None if track is None else 2),
    )
    frames = tuple(
        GraphFrame(f"{name}/{t}", t + 1, t / 2, 10, 10, nodes, (GraphEdge(0, 1, "holding", "contacting", 0.9),))
        for t in range(3)
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
    assert [(r["begin_fid"], r["end_fid"], r["predicate"]) for r in document["relation_instances"]] == [
        (0, 3, "holding")
    ]


def test_standard_output_holds_the_file_and_nothing_else(folder: Path, tmp_path: Path, capfdbinary: Any) -> None:
    for words in ((folder, "-format", "csv"), (folder / "a.graph.json", "-format", "vidvrd")):
        assert exported(*words, "-o", tmp_path / "file.json" if "vidvrd" in words else tmp_path / "file.csv") == 0
        capfdbinary.readouterr()
        assert exported(*words, "-o", "-") == 0
        assert (
            capfdbinary.readouterr().out
            == max(tmp_path.glob("file.*"), key=lambda file: file.stat().st_mtime_ns).read_bytes()
        )


def test_videos_of_one_name_are_kept_apart(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one file they would be taken for one video, in a folder one file would take the place of
    the other."""
    write_graph(tmp_path / "twin" / "a.graph.json", graph("a.mp4"))
    write_graph(tmp_path / "twin" / "B.graph.json", graph("B.mp4"))
    words = (folder, tmp_path / "twin", folder / "a.graph.json")
    for form in ("csv", "cypher"):
        assert exported(*words, "-format", form, "-o", tmp_path / f"all.{form}") == 0
        said = capsys.readouterr().err
        assert (
            "twin/a.graph.json: its video is called 'twin_a' here: another one is called 'a.mp4' too"
            in said.replace("\\", "/")
        )
    with (tmp_path / "all.csv").open(newline="", encoding="utf-8") as file:
        assert sorted({row["video"] for row in csv.DictReader(file)}) == ["graphs_a", "graphs_b", "twin_B", "twin_a"]
    assert exported(*words, "-format", "graphml", "-o", tmp_path / "graphml") == 0
    assert exported(*words, "-format", "vidor", "-o", tmp_path / "vidor") == 0
    for path in (tmp_path / "graphml", tmp_path / "vidor" / "0000"):
        assert len({file.name.lower() for file in path.iterdir()}) == 4


def test_vidor_finds_its_files_again_by_their_video_paths(folder: Path, tmp_path: Path) -> None:
    """As its loader does, which reads ``<group>/<id>.json`` and in its low-memory mode goes back
    there by the path of the video."""
    write_graph(folder / "odd.graph.json", graph("../evil: name.avi"))
    assert exported(folder, "-format", "vidor", "-o", tmp_path / "annotation" / "validation") == 0
    files = sorted((tmp_path / "annotation" / "validation").glob("*/*.json"))
    assert len(files) == 3 and {file.parent.name for file in files} == {"0000"}
    for file in files:
        document = json.loads(file.read_text(encoding="utf-8"))
        assert (file.parents[1] / document["video_path"].replace(".mp4", ".json")) == file
        assert file.stem == document["video_id"]


def test_what_cannot_work_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken.graph.json").write_text("{}")
    file = tmp_path / "file"
    file.write_text("")
    graph = next(folder.glob("*.graph.json"))
    before = graph.read_bytes()
    for words, message in (
        ((folder, "-format", "csv", "-o", tmp_path / "empty"), "is a folder; name a file, such as"),
        ((folder, "-format", "csv", "-o", file), "is there already and is no .csv file; name another file, or remove"),
        ((folder, "-format", "coco", "-o", graph), "is read by this command; name another file to write"),
        ((folder, "-format", "vidvrd", "-o", file), "writes a file per video, so name a folder"),
        (
            (folder, "-format", "vidvrd", "-o", "-"),
            "writes a file per video, so name a folder, or one graph for standard output",
        ),
        ((tmp_path / "nowhere", "-format", "csv", "-o", tmp_path / "o"), "nowhere does not exist"),
        ((tmp_path / "empty", "-format", "csv", "-o", tmp_path / "o"), "holds no graph"),
        ((folder, tmp_path / "broken.graph.json", "-format", "csv", "-o", tmp_path / "o"), "is not a video graph"),
        ((folder, "-format", "cvs", "-o", tmp_path / "o"), "unknown format 'cvs'; there are csv"),
        ((folder, "-format", "predictions", "-o", tmp_path / "o"), "the evaluators need a vocabulary"),
        ((folder, "-format", "csv"), "option -out is required"),
    ):
        assert exported(*words) == 2
        assert message in capsys.readouterr().err
        assert not (tmp_path / "o").exists()
        assert (file.read_bytes(), graph.read_bytes()) == (b"", before)
