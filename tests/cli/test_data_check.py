from __future__ import annotations

from pathlib import Path

import pytest
from datasets.ag_files import small_set

from vidsgg.cli.data.check import main
from vidsgg.cli.main import run


def test_a_sound_data_set_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, ["-data_path", str(small_set(tmp_path)), "-images", "all"]) == 0
    assert "verdict: the data set can be used" in capsys.readouterr().out


def test_trouble_exits_with_1_and_lists_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path)
    (root / "videos" / "AAAAA.mp4").unlink()
    assert run(main, ["--data_path", str(root)]) == 1
    assert "AAAAA" in capsys.readouterr().out
    assert run(main, ["--data_path", str(root), "-images", "none"]) == 0


def test_the_default_folder_is_used_if_it_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(main, []) == 2
    small_set(tmp_path / "data" / "action_genome")
    assert run(main, []) == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-data_path", "nowhere"], "nowhere does not exist"),
        (["-data_path", ".", "-images", "al"], "did you mean 'all'"),
        (["-data_pat", "."], "did you mean 'data_path'"),
    ],
)
def test_mistakes_exit_with_2_and_one_message(
    argv: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(main, argv) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
