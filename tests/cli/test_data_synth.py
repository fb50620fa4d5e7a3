from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.cli.data import main
from vidsgg.cli.main import run
from vidsgg.datasets.registry import open_whole_split


def test_it_makes_a_data_set_and_says_what_to_do_next(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "made"
    assert (
        run(main, ["synth", "-out", str(out), "-videos", "5", "-width", "160", "-height", "120", "-workers", "1"]) == 0
    )
    said = capsys.readouterr().out
    assert f"5 videos in {out}" in said and "vidsgg train" in said
    assert len(open_whole_split(out, "test", "predcls")) == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["synth"], "-out is required"),
        (["synth", "-out", "x", "-workers", "many"], "expected a whole number or 'auto', got 'many'"),
        (["synth", "-out", "x", "-video", "5"], "did you mean 'videos'"),
        (["synth", "-out", "x", "-videos", "2"], "the least is 5"),
        (["synth", "-out", "x", "-width", "161"], "even"),
        (["sinth"], "did you mean 'synth'"),
    ],
)
def test_mistakes_get_one_message(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(main, argv) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").touch()
    assert run(main, ["synth", "-out", str(tmp_path), "-videos", "5"]) == 2
    assert "choose another folder" in capsys.readouterr().err


def test_the_usage_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, []) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in ("synth", "check", "show", "stats"))
