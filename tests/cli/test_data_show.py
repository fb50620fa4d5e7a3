from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from vidsgg.cli.data.show import main
from vidsgg.cli.main import run
from vidsgg.datasets.registry import open_whole_split


@pytest.mark.parametrize("video", ["1", "S0001"])
def test_a_frame_is_drawn(video: str, synthetic: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert open_whole_split(synthetic, "train", "predcls").video_ids[1].removesuffix(".mp4") == "S0001"
    out = tmp_path / "new" / "frame.png"
    assert (
        run(main, ["-data_path", str(synthetic), "-split", "train", "-video", video, "-frame", "2", "-out", str(out)])
        == 0
    )
    picture = Image.open(out)
    assert picture.width > 640 and picture.height >= 480
    assert "S0001" in capsys.readouterr().out


def test_a_sheet_is_larger_than_a_frame(synthetic: Path, tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert run(main, ["-data_path", str(synthetic), "-out", str(out)]) == 0
    assert Image.open(out).width > 1600


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-video", "S0040"], "did you mean 'S0004'"),
        (["-video", "7"], "0..0, not 7"),
        (["-frame", "999"], "not 999"),
        (["-frame", "first"], "'first'"),
        (["-split", "tset"], "did you mean 'test'"),
        (["-out", "scene.nothing"], "cannot write"),
    ],
)
def test_mistakes_get_one_message(
    argv: list[str],
    message: str,
    synthetic: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(main, ["-data_path", str(synthetic), *argv]) == 2
    assert message in capsys.readouterr().err
