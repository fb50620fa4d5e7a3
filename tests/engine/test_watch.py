"""Warnings say what is wrong, once, with the remedy; errors say where."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.training import Case, in_process
from toys import ToyVideos

from vidsgg.engine import watch
from vidsgg.engine.randomness import deterministic_algorithms
from vidsgg.engine.watch import TrainingError
from vidsgg.structures.annotation import VideoAnnotation


def warnings_of(path: Path) -> list[str]:
    lines = (path / "logfile.txt").read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("warning: ") for line in lines if line.startswith("warning: ")]


class SlowVideos(ToyVideos):
    def annotation(self, index: int) -> VideoAnnotation:
        time.sleep(0.3)
        return super().annotation(index)


def test_a_healthy_run_warns_of_nothing(tmp_path: Path) -> None:
    Case(tmp_path, epochs=4, videos=20, batch_size=1, clip_grad=100.0, kind="action").run()
    assert warnings_of(tmp_path) == []


def test_a_loss_that_does_not_fall_is_told_once(tmp_path: Path) -> None:
    # of 3 steps an epoch: epochs 3 to 5 are the first three after the warm-up
    Case(tmp_path, epochs=6, lr=0.0, warmup=4).run()
    (warning,) = warnings_of(tmp_path)
    assert warning.startswith("the loss has not fallen in 5 epochs (2.")
    assert "try a lower -lr" in warning


def test_clipping_in_nearly_every_step_is_told_once(tmp_path: Path) -> None:
    Case(tmp_path, epochs=3, videos=20, batch_size=1, clip_grad=1e-3, kind="action").run()
    (warning,) = warnings_of(tmp_path)
    assert warning.startswith("gradients were clipped in 100 % of the steps of epoch 1 (median norm ")
    assert "raise -clip_grad" in warning


def test_slow_reading_is_told_once_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "FEWEST_STEPS", 5)
    Case(tmp_path, epochs=2, batch_size=1, clip_grad=0.0, kind="action", dataset=SlowVideos(5, "action")).run()
    (warning,) = warnings_of(tmp_path)
    assert warning.startswith("the model waited for its data in ")
    assert "more -num_workers" in warning and "'vidsgg features'" not in warning  # nothing is computed of pictures
    rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text(encoding="utf-8").splitlines()]
    shares = [float(row[3]) for row in rows if row[2] == "time/waiting_for_data"]
    assert len(shares) == 2
    assert all(0.5 < share <= 1 for share in shares)


def test_memory_that_runs_out_is_one_message(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.criterion = lambda *_: torch.zeros(1 << 60)  # type: ignore[assignment]
    with pytest.raises(TrainingError) as caught:
        case.run()
    message = str(caught.value)
    assert message.startswith("out of memory (")
    assert "at step 0 of epoch 1, video v" in message
    assert "-accumulate_grad_batches" in message


def test_an_error_names_the_checkpoint_that_the_run_went_on_from(tmp_path: Path) -> None:
    Case(tmp_path, epochs=2).run()
    case = Case(tmp_path, epochs=4)
    case.criterion = lambda *_: {"total": torch.tensor(torch.nan)}  # type: ignore[assignment]
    with pytest.raises(
        TrainingError, match=r"loss is nan at step 6 of epoch 3, .* Last good checkpoint: checkpoint_last\.tar in "
    ):
        case.run()


def test_mistakes_of_ours_keep_their_traceback(tmp_path: Path) -> None:
    case = Case(tmp_path)
    case.criterion = lambda *_: torch.zeros(2) @ torch.zeros(3)  # type: ignore[assignment]
    with pytest.raises(RuntimeError, match="size") as caught:
        case.run()
    assert not isinstance(caught.value, TrainingError)


class DeadlyVideos(ToyVideos):
    """The process that reads the fourth video is killed, as by a system without memory."""

    def annotation(self, index: int) -> VideoAnnotation:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().annotation(index)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_worker_that_dies_ends_the_run_with_a_message(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"a process that reads data ended by itself.*Fewer -num_workers.*vidsgg train -resume_from"
    ):
        Case(tmp_path, workers=1, dataset=DeadlyVideos(6)).run()


def stop_the_group(path: Path) -> None:
    """As a cluster does: every process of the run is told to stop at once."""
    os.setsid()
    if sys.version_info < (3, 12):
        import multiprocessing

        multiprocessing.set_start_method("fork", force=True)
    case = Case(path, batch_size=1, accumulate=4, videos=12, workers=2)
    criterion, signals = case.criterion, iter([signal.SIGTERM])

    def stopping(*inputs: Any) -> Any:
        if case.state.step == 1:
            for number in signals:  # once
                os.killpg(0, number)
        return criterion(*inputs)

    case.criterion = stopping  # type: ignore[assignment]
    try:
        case.run()
    except KeyboardInterrupt as stopped:
        os._exit(stopped.code)  # type: ignore[attr-defined]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_a_signal_to_the_whole_group_lets_the_step_finish(tmp_path: Path) -> None:
    """With gradients accumulated over batches that the workers have yet to read."""
    assert in_process(stop_the_group, tmp_path) == 143
    log = (tmp_path / "logfile.txt").read_text(encoding="utf-8")
    assert "stopped by SIGTERM at step 2 of epoch 1: saved." in log


def test_a_profile_is_a_table_and_a_trace(tmp_path: Path) -> None:
    Case(tmp_path / "run", epochs=4, kind="action", profile=True).run()
    assert "aten::addmm" in (tmp_path / "run" / "profile.txt").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "profile_trace.json").stat().st_size > 1000


def test_deterministic_algorithms_are_for_the_run_only() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic_algorithms(True):
        assert torch.are_deterministic_algorithms_enabled()
        assert torch.backends.cudnn.deterministic
        assert not torch.backends.cudnn.benchmark
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.deterministic
    with deterministic_algorithms(False):
        assert not torch.are_deterministic_algorithms_enabled()
