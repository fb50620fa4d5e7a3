"""The pages about one's own videos and graph files are true: every command and snippet of them
runs."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from commands import ROOT, SHORT, blocks, run_block
from detectors.tiny import sighted_set
from numbered_video import numbered, write
from PIL import Image

from vidsgg.cli import train
from vidsgg.cli.main import run
from vidsgg.options import convert, fields_of
from vidsgg.recipes.command_options import PredictOptions

VIDEO, GRAPHS = ROOT / "docs" / "video.md", ROOT / "docs" / "graphs.md"


def prepare(folder: Path) -> None:
    """The videos, boxes and runs that the pages name."""
    write(folder / "kitchen.mp4", frames=60)
    (folder / "films").mkdir()
    for name in ("one.mp4", "two.mp4"):
        shutil.copy(folder / "kitchen.mp4", folder / "films" / name)
    (folder / "walk").mkdir()
    for i in range(3):
        Image.fromarray(numbered(i)).save(folder / "walk" / f"{i}.jpg")
    (boxes,) = (text for text in blocks(VIDEO, "text") if text.startswith("video,frame"))
    (folder / "boxes.csv").write_text(boxes, encoding="utf-8")
    root = sighted_set(folder / "data", ("person", "chair"))
    for mode in ("sgdet", "predcls"):
        arguments = ["-mode", mode, "-data_path", str(root), "-save_path", f"output/sttran_{mode}", "-features", "off"]
        assert run(train.main, arguments) == 0


def test_every_command_and_snippet_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT.replace("epochs=1", "epochs=0"))
    prepare(tmp_path)
    ran = [line for text in blocks(VIDEO, "bash") for line in run_block(text, tmp_path)]
    assert len(ran) == 4
    assert {path.name for path in (tmp_path / "graphs").iterdir()} == {
        f"{n}.graph.json" for n in ("kitchen", "one", "two", "walk")
    }
    names: dict[str, object] = {}
    for kind, text in re.findall(
        r"^```(bash|python)\n(.*?)^```", GRAPHS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        if kind == "bash":
            ran += run_block(text, tmp_path)
        else:
            exec(compile(text, f"{GRAPHS.name}: {text[:40]!r}", "exec"), names)
    assert {"graphs.csv", "coco.json", "kitchen.json", "kitchen.graphml", "graphs.cypher"} <= {
        path.name for path in tmp_path.iterdir()
    }
    assert len(list((tmp_path / "tensors").iterdir())) == 4
    assert "MultiDiGraph with " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "told"), re.findall(r"^\| `-(\w+)` \| ([^|]+) \|", VIDEO.read_text(encoding="utf-8"), re.MULTILINE)
)
def test_the_defaults_that_are_told_are_the_programs(name: str, told: str) -> None:
    annotation, field = fields_of(PredictOptions)[name]
    assert convert(name, told, annotation) == field.default


def test_every_path_that_is_named_exists() -> None:
    for page in (VIDEO, GRAPHS):
        for path in re.findall(r"`((?:tests|inference|vidsgg)/[\w/.]+)`", page.read_text(encoding="utf-8")):
            assert any((ROOT / base / path).exists() for base in ("", "src", "src/vidsgg")), path
