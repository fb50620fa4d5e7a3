"""The page about looking at graphs is true: its commands run, its defaults are the program's, and
so are its keys."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from commands import ROOT, blocks, run_block
from numbered_video import write

from vidsgg.io.graphs import write_graph
from vidsgg.options import convert, fields_of
from vidsgg.recipes.view_options import ViewOptions
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode, Origin, VideoGraph
from vidsgg.viewer import media

PAGE = ROOT / "docs" / "view.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "kitchen.mp4", frames=30)
    nodes = (GraphNode("person", 0.9, (1, 1, 60, 90), 1), GraphNode("cup", 0.8, (20, 20, 40, 40), 2))
    edges = (GraphEdge(0, 1, "holding", "contacting", 0.8),)
    frames = tuple(GraphFrame(f"kitchen.mp4/{n:06d}", n, (n - 1) / 25, 128, 96, nodes, edges) for n in (1, 13, 25))
    made_by = Origin("sttran", "sgdet", "c", "w", source="../kitchen.mp4")
    write_graph(tmp_path / "graphs" / "kitchen.graph.json", VideoGraph("kitchen.mp4", "toy", frames, made_by=made_by))
    for text in blocks(PAGE, "bash"):
        assert len(run_block(text, tmp_path)) == 3
    written = {path.name for path in (tmp_path / "graphs").iterdir()} - {"kitchen.graph.json"}
    assert written == {"kitchen.html", "kitchen.overlay.mp4", "kitchen.sheet.png"}
    assert {path.name for path in (tmp_path / "pages").iterdir()} == {"kitchen.html"}
    shutil.rmtree(tmp_path / "pages")


OPTIONS = re.findall(r"^\| (`-[^|]+) \| ([^|]+) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("names", "told"), OPTIONS)
def test_the_defaults_that_are_told_are_the_programs(names: str, told: str) -> None:
    fields = fields_of(ViewOptions)
    for name in re.findall(r"`-(\w+)`", names):
        if name != "o":
            annotation, field = fields[name]
            assert convert(name, told, annotation) == field.default


def test_every_option_is_told() -> None:
    told = {name for names, _ in OPTIONS for name in re.findall(r"`-(\w+)`", names)}
    assert told - {"o"} == set(fields_of(ViewOptions)) - {"graphs"}


def test_the_limits_are_the_programs() -> None:
    script = (ROOT / "src" / "vidsgg" / "viewer" / "page" / "content.js").read_text(encoding="utf-8")
    assert "const BETWEEN = 1.5;" in script and "at most 1.5 seconds apart" in TEXT
    assert f"A page holds {media.LONGEST / 60:.0f} minutes" in TEXT
    assert (
        "2.5 Mbit" in TEXT and media._BITS_A_SECOND == 2_500_000 and "40 MB" in TEXT and media._MOST_BYTES == 40_000_000
    )


def test_the_keys_are_the_scripts() -> None:
    script = (ROOT / "src" / "vidsgg" / "viewer" / "page" / "controls.js").read_text(encoding="utf-8")
    known = set(
        re.findall(
            r'^  "?([^\s":]+|\s)"?: (?:\(|nextLayer)', script.split("const keys = {")[1].split("\n};")[0], re.MULTILINE
        )
    )
    assert known == {" ", "ArrowRight", "ArrowLeft", "Home", "End", "b", "t", "+", "-", "?", "Escape"}
