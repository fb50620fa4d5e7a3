"""The demo on a handful of videos, from nothing to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.cli.demo import main
from vidsgg.cli.main import run


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


def test_modes_are_those_of_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["-out", str(tmp_path / "demo"), "-modes", "predcls,sgdte"]) == 2
    assert "'sgdte' is no mode" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
