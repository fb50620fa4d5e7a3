"""Training from easy to hard: what the log says, how many steps there are, and going on after a
stop in any stage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.easg_files import write_easg

from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.sttran import STTranOptions
from vidsgg.recipes.train import run_training

STAGES = "0:easy,1:medium,2:full"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_easg(tmp_path_factory.mktemp("data"), clips=14, graphs=2)


def options(data: Path, folder: Path, **changes: Any) -> STTranOptions:
    values = {
        "data_path": str(data), "save_path": str(folder), "epochs": 3, "eval_freq": 1, "hidden_dim": 8, "embedding_dim": 8,
        "feedforward_dim": 16, "temporal_layer": 1, "warmup_steps": 2, "scheduler": "cosine", "device": "cpu", "num_workers": 0,
        "curriculum": STAGES, "logger": "none",
    }  # fmt: skip
    return STTranOptions(**{**values, **changes})  # type: ignore[arg-type]


def test_stages_are_told_and_counted(data: Path, tmp_path: Path) -> None:
    run_training(options(data, tmp_path / "run", curriculum="0:easy,1:medium,9:full"), echo=False)
    log = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    videos = int(log.split(" videos to train on")[0].rsplit(" ", 1)[1])
    easy, medium = round(videos / 3), round(2 * videos / 3)
    assert (
        f"curriculum: easy ({easy} videos) after 0 epochs, medium ({medium} videos) after 1 epoch, full ({videos}"
        " videos)" in log
    )
    assert "warning: -curriculum: 9:full never begins in 3 epochs" in log
    assert load_tensors(tmp_path / "run" / FINAL)["training_state"]["step"] == easy + 2 * medium


class Stop(Exception):
    """The machine goes down."""


@pytest.mark.parametrize("stage", [1, 2])
def test_a_run_goes_on_exactly_from_any_stage(data: Path, tmp_path: Path, stage: int) -> None:
    def stop(epoch: int, score: float) -> None:
        if epoch == stage:
            raise Stop

    run_training(options(data, tmp_path / "whole"), echo=False)
    with pytest.raises(Stop):
        run_training(options(data, tmp_path / "stopped"), after_evaluation=stop, echo=False)
    run_training(options(data, tmp_path / "stopped", resume_from=str(tmp_path / "stopped")), echo=False)
    whole, resumed = (load_tensors(tmp_path / name / FINAL) for name in ("whole", "stopped"))
    assert whole["training_state"]["losses"] == resumed["training_state"]["losses"]
    for name, weight in whole["model_state_dict"].items():
        assert torch.equal(weight, resumed["model_state_dict"][name]), name


def test_a_run_goes_on_with_its_own_stages_only(data: Path, tmp_path: Path) -> None:
    run_training(options(data, tmp_path / "run", epochs=1), echo=False)
    with pytest.raises(ConfigError, match="option -curriculum: 0:full was asked for"):
        run_training(
            options(data, tmp_path / "run", curriculum="0:full", resume_from=str(tmp_path / "run")), echo=False
        )


def test_wrong_stages_are_found_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="option -curriculum: stage 2 is '1:hard'"):
        run_training(options(data, tmp_path / "run", curriculum="0:easy,1:hard"))
    assert not (tmp_path / "run").exists()
