"""The demo on a handful of videos, from nothing to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.cli.demo import main
from vidsgg.cli.main import run
from vidsgg.datasets.synthetic.known import MARKER
from vidsgg.errors import ConfigError
from vidsgg.recipes.command_options import DemoOptions
from vidsgg.recipes.demo import remove_demo, run_demo


def test_the_demo_ends_with_a_table_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert run(main, ["-out", str(out), "-videos", "20", "-epochs", "1", "-detector_epochs", "1"]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| ") and line.count("|") == 9]
    names = ["test videos", "---", "frequency, predcls", "STTran, predcls", "frequency, sgdet", "STTran, sgdet"]
    assert [row.split("|")[1].strip() for row in rows] == names
    assert "float16 from" in (out / "sttran_sgdet" / "logfile.txt").read_text(encoding="utf-8")
    page = Path(printed.rsplit("Open this page: ", 1)[1].strip())
    assert page.parent == out
    theirs = {
        out / name
        for name in (
            "notes.txt",
            "sttran_sgdet/notes.txt",
            "mine/config.yaml",
            "data/features/notes.txt",
            "data/mine.mp4",
        )
    }
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("of a user")
    made_again = {
        out / "data" / MARKER,
        *(out / "data" / "videos").iterdir(),
        *(out / "data" / "annotations").rglob("*"),
    }
    remove_demo(out)  # as the second demo begins
    left = {path for path in out.rglob("*") if path.is_file()}
    assert left == {path for path in made_again if path.is_file()} | theirs | {
        page,
        page.with_suffix(".graph.json"),
        out / ".vidsgg-demo",
    }


@pytest.mark.parametrize("names", [["thesis.tex"], ["data/synthetic.json", "sttran_predcls/config.yaml", "thesis.tex"]])
def test_a_folder_of_others_is_refused_and_untouched(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    with pytest.raises(ConfigError, match="no folder of 'vidsgg demo'"):
        run_demo(DemoOptions(out=str(tmp_path)))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        names
    )


def test_modes_are_those_of_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["-out", str(tmp_path / "demo"), "-modes", "predcls,sgdte"]) == 2
    assert "'sgdte' is no mode" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
