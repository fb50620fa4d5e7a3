"""Checkpoints and detectors that have lost a bit on some disk."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from commands import NARROW
from detectors.tiny import sighted_set

from vidsgg.cli.main import main
from vidsgg.detectors.files import load_detector
from vidsgg.io.tensors import load_tensors

TINY = [*NARROW, "-features", "off"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a model that nobody has trained; its data set lies beside it, with the detector."""
    place = tmp_path_factory.mktemp("place")
    data, path = sighted_set(place / "data"), place / "run"
    assert (
        main(["train", "-mode", "sgdet", "-epochs", "0", "-data_path", str(data), "-save_path", str(path), *TINY]) == 0
    )
    return path


def flip(file: Path, number: bytes) -> None:
    content = bytearray(file.read_bytes())
    content[content.index(number) + 1] ^= 4
    file.write_bytes(content)


@pytest.mark.parametrize("damaged", ["checkpoint", "detector"])
@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "-checkpoint", "{run}", "-features", "off", "-charts", "False"],
        ["predict", "-checkpoint", "{run}", "-video", "0", "-split", "train"],
        ["predict", "{data}/videos/AAAAA.mp4", "-checkpoint", "{run}"],
        ["compare", "{run}", "{run}/checkpoint_final.tar", "-features", "off", "-charts", "False"],
        [
            "train",
            "-resume_from",
            "{run}/checkpoint_best.tar",
            "-epochs",
            "1",
            "-mode",
            "sgcls",
            "-data_path",
            "{data}",
            *TINY,
        ],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_one_flipped_bit_in_a_checkpoint_or_detector_is_refused(
    run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    damaged: str,
    command: Sequence[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    path, data = shutil.copytree(run, tmp_path / "run"), run.parent / "data"
    best, detector = path / "checkpoint_best.tar", data / "detector.pth"
    words = [word.format(run=path, data=data) for word in command]
    if damaged == "checkpoint":
        flip(best, max(load_tensors(best)["model_state_dict"].values(), key=lambda w: w.numel()).numpy().tobytes()[:40])
    else:
        kept = detector.read_bytes()
        flip(detector, load_detector(detector).state_dict()["class_score.weight"].numpy().tobytes()[:40])
    try:
        assert main(words) == 2
    finally:
        if damaged == "detector":
            detector.write_bytes(kept)
    error = capsys.readouterr().err
    assert f"{best if damaged == 'checkpoint' else detector} is damaged: " in error
    assert "is not what was written" in error and "Traceback" not in error
