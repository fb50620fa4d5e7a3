"""The demo on a handful of videos, from nothing to the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.cli.demo import main
from vidsgg.cli.main import run


def test_the_demo_ends_with_a_table_and_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert run(main, ["-out", str(out), "-videos", "20", "-epochs", "1"]) == 0
    printed = capsys.readouterr().out
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows] == ["test videos", "---", "untrained STTran", "frequency", "trained STTran"]
    page = Path(printed.rsplit("Open this page: ", 1)[1].strip())
    assert page.parent == out
    assert "<html" in page.read_text(encoding="utf-8")
    assert (out / "sttran" / "checkpoint_best.tar").exists()


def test_other_peoples_folders_are_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.tex").write_text("x", encoding="utf-8")
    assert run(main, ["-out", str(tmp_path)]) == 2
    assert "not an earlier demo" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").exists()
