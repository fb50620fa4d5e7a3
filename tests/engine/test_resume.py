"""A run that was killed anywhere and goes on ends with the bits of one that was not."""

from __future__ import annotations

import csv
import io
import multiprocessing
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from engine.training import Case, assert_same_bits, in_process
from toys import ToyVideos

from vidsgg.engine import fit as loop
from vidsgg.engine.checkpoint import newest_checkpoint
from vidsgg.errors import CheckpointError, Stopped
from vidsgg.io.atomic import left_behind
from vidsgg.io.tensors import load_tensors

FINAL, LAST = "checkpoint_final.tar", "checkpoint_last.tar"
EPOCHS, VIDEOS = 4, 10

KINDS: dict[str, dict[str, Any]] = {
    "step schedule": {"schedule": "step", "save_minutes": 0.0},
    "cosine, accumulation, workers": {
        "schedule": "cosine",
        "batch_size": 1,
        "accumulate": 3,
        "workers": 2,
        "save_minutes": 0.0,
    },
    "plateau, early stopping, saved once an epoch": {"schedule": "plateau", "patience": 20, "eval_freq": 1},
    "float16 with loss scaling": {"level": "O1", "half": torch.float16, "kind": "action", "save_minutes": 0.0},
    "bfloat16 weights": {"level": "O2", "kind": "action", "save_minutes": 0.0},
}

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def make(path: Path, **changes: Any) -> Case:
    return Case(path, **{"epochs": EPOCHS, "dropout": 0.3, "videos": VIDEOS, **changes})


def train(path: Path, changes: dict[str, Any], kill_at: int | None) -> None:
    """Go on with the run in the folder; in the middle of step ``kill_at`` the process is killed."""
    if sys.version_info < (3, 12):
        # of workers, as in a program that was not started by multiprocessing
        multiprocessing.set_start_method("fork", force=True)
    case = make(path, **changes)
    criterion = case.criterion

    def deadly(*inputs: Any) -> dict[str, torch.Tensor]:
        if case.state.step == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return criterion(*inputs)

    case.criterion = deadly  # type: ignore[assignment]
    case.run()


@posix
@pytest.mark.parametrize("kind", KINDS)
def test_killed_at_five_steps_it_ends_with_the_same_bits(tmp_path: Path, kind: str) -> None:
    changes = KINDS[kind]
    schedule = make(tmp_path, **changes).state.schedule
    assert in_process(train, tmp_path / "whole", changes, None) == 0
    # once there is a checkpoint
    for step in sorted(random.Random(kind).sample(range(schedule.steps // EPOCHS + 1, schedule.steps), 5)):
        assert in_process(train, tmp_path / "killed", changes, step) == -signal.SIGKILL
    assert in_process(train, tmp_path / "killed", changes, None) == 0
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "killed" / FINAL)
    assert_same_bits(tmp_path / "whole" / "checkpoint_best.tar", tmp_path / "killed" / "checkpoint_best.tar")
    assert rows(tmp_path / "whole") == rows(tmp_path / "killed")


def rows(path: Path) -> list[tuple[str, ...]]:
    """metrics.csv, without what differs between any two runs: times."""
    with (path / "metrics.csv").open(encoding="utf-8") as file:
        found = [tuple(row.values()) for row in csv.DictReader(file) if not row["name"].startswith("time/")]
    assert len(set(found)) == len(found) > EPOCHS
    return found


def test_other_numbers_of_workers_change_nothing(tmp_path: Path) -> None:
    make(tmp_path / "alone").run()
    make(tmp_path / "together", workers=2).run()
    assert_same_bits(tmp_path / "alone" / FINAL, tmp_path / "together" / FINAL)


def test_what_came_before_is_not_read_again(tmp_path: Path) -> None:
    case, read = make(tmp_path), []

    class Noting(ToyVideos):
        def annotation(self, index: int) -> Any:
            read.append(index)
            return super().annotation(index)

    loader = make(tmp_path, dataset=Noting(VIDEOS)).loader
    batches = list(loader.batches(3, first=2))
    assert [batch.number for batch in batches] == [2, 3, 4]
    assert read == loader.order(3)[4:]
    assert [batch.clip.video_ids for batch in batches] == [batch.clip.video_ids for batch in case.loader.batches(3)][2:]


def stopped_by(received: signal.Signals, path: Path, step: int, **changes: Any) -> Stopped:
    """Send this process a signal in the middle of a step, and return how the run ended."""
    case = make(path, **changes)
    criterion = case.criterion

    def signalling(*inputs: Any) -> dict[str, torch.Tensor]:
        if case.state.step == step:
            os.kill(os.getpid(), received)
        return criterion(*inputs)

    case.criterion = signalling  # type: ignore[assignment]
    with pytest.raises(Stopped) as caught:
        case.run()
    return caught.value


@posix
@pytest.mark.parametrize(("received", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_and_says_how_to_go_on(tmp_path: Path, received: signal.Signals, code: int) -> None:
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    stopped = stopped_by(received, tmp_path / "run", 7)
    assert stopped.code == code
    assert (
        str(stopped) == f"stopped by {received.name} at step 8 of epoch 2: saved. Go on with: vidsgg train -resume_from"
        f" {tmp_path / 'run'}"
    )
    assert str(stopped) in (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == handlers
    state = load_tensors(tmp_path / "run" / LAST)["training_state"]
    assert (state["epoch"], state["batch"], state["step"]) == (2, 3, 8)
    make(tmp_path / "run").run()
    make(tmp_path / "whole").run()
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "run" / FINAL)


@posix
def test_a_signal_during_an_evaluation_ends_it_at_once(tmp_path: Path) -> None:
    case = make(tmp_path / "run", level="O2")
    went_on = []

    def slow() -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0)  # a chance for the handler
        went_on.append(True)

    case.validate = slow
    with pytest.raises(Stopped):
        case.run()
    assert not went_on
    make(tmp_path / "run", level="O2").run()
    make(tmp_path / "whole", level="O2").run()
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "run" / FINAL)


def die_while_writing(path: Path) -> None:
    """Killed when half of a checkpoint is written."""
    case, save = make(path, save_minutes=0.0), torch.save

    def torn(content: Any, file: Any) -> None:
        if case.state.step == 8:
            file.write(b"half of it")
            file.flush()
            os.kill(os.getpid(), signal.SIGKILL)
        save(content, file)

    torch.save = torn  # type: ignore[assignment]
    case.run()


@posix
def test_killed_while_it_writes_a_checkpoint(tmp_path: Path) -> None:
    assert in_process(die_while_writing, tmp_path / "run") == -signal.SIGKILL
    assert left_behind(tmp_path / "run")
    newest = newest_checkpoint(tmp_path / "run")
    assert newest.path is not None
    assert not newest.damaged
    assert load_tensors(newest.path)["training_state"]["step"] == 7
    make(tmp_path / "run").run()
    make(tmp_path / "whole").run()
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "run" / FINAL)
    assert not left_behind(tmp_path / "run")


class FullDisk(io.BytesIO):
    def write(self, content: Any) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_ends_the_run_and_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case, save = make(tmp_path / "run", save_minutes=0.0), torch.save
    monkeypatch.setattr(
        torch, "save", lambda content, file: save(content, FullDisk() if case.state.step == 8 else file)
    )
    with pytest.raises(
        CheckpointError, match=r"No space left on device\. .* intact\. Then go on with: vidsgg train -resume"
    ):
        case.run()
    monkeypatch.undo()
    assert load_tensors(tmp_path / "run" / LAST)["training_state"]["step"] == 7
    make(tmp_path / "run").run()
    make(tmp_path / "whole").run()
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "run" / FINAL)


@pytest.mark.parametrize("how", ["truncated", "one bit"])
def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path, how: str) -> None:
    make(tmp_path).run()
    (tmp_path / FINAL).unlink()
    (tmp_path / "checkpoint_epoch_4.tar").unlink()
    (tmp_path / "checkpoint_best.tar").unlink()
    content = bytearray((tmp_path / LAST).read_bytes())
    if how == "truncated":
        content = content[: len(content) // 2]
    else:
        weight = (
            load_tensors(tmp_path / LAST)["model_state_dict"]["spatial.0.feedforward.linear1.weight"].numpy().tobytes()
        )
        content[content.index(weight) + 2] ^= 1
    (tmp_path / LAST).write_bytes(content)
    newest = newest_checkpoint(tmp_path)
    assert newest.path == tmp_path / "checkpoint_epoch_2.tar"
    assert len(newest.damaged) == 1
    assert f"{tmp_path / LAST} is damaged" in newest.damaged[0]


def test_file_times_do_not_tell_which_checkpoint_is_the_newest(tmp_path: Path) -> None:
    make(tmp_path).run()
    for file in tmp_path.glob("checkpoint_*.tar"):
        os.utime(file, (0, 0) if file.name in (FINAL, LAST) else None)
    newest = newest_checkpoint(tmp_path).path
    assert newest is not None
    assert load_tensors(newest)["training_state"]["epoch"] == EPOCHS + 1


def test_a_clock_that_jumps_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "run", save_minutes=0.001).run()
    clock = iter(range(10**9, 0, -(10**5)))  # a day back at every look
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    make(tmp_path / "jumping", save_minutes=0.001).run()
    monkeypatch.undo()
    assert_same_bits(tmp_path / "run" / FINAL, tmp_path / "jumping" / FINAL)


def test_the_last_epoch_may_lie_behind(tmp_path: Path) -> None:
    """A run that is killed between its last epoch and its end only has to write its end."""
    make(tmp_path).run()
    (tmp_path / FINAL).unlink()
    case = make(tmp_path)
    case.criterion = None  # type: ignore[assignment]
    case.run()
    assert_same_bits(tmp_path / LAST, tmp_path / FINAL)


def test_checkpoints_are_what_the_guide_promises(tmp_path: Path) -> None:
    make(tmp_path).run()
    names = {path.name for path in tmp_path.glob("*.tar")}
    assert names == {"checkpoint_best.tar", "checkpoint_epoch_2.tar", "checkpoint_epoch_4.tar", FINAL, LAST}
    content = torch.load(tmp_path / "checkpoint_epoch_2.tar", weights_only=True)
    assert {"epoch", "model_state_dict", "optimizer_state_dict", "loss", "config"} <= set(content)
    assert content["epoch"] == 2
    assert content["loss"] == content["training_state"]["losses"][-1]
    assert loop.LAST == LAST
