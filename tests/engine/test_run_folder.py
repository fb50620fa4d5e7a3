"""One run at a time in a folder; what it writes goes on without gaps or repeats."""

from __future__ import annotations

import contextlib
import csv
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from engine.training import in_process
from symlinks import link
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from vidsgg.engine import run_folder, run_lock
from vidsgg.engine.run_folder import SAMPLE, RunFolder, default_path, sampled
from vidsgg.engine.run_lock import LockHolder, RunLock, lock_holder
from vidsgg.errors import ConfigError


def be_refused(path: Path, text: str) -> None:
    """In another process: the folder is taken."""
    holder = lock_holder(path)
    assert holder is not None
    assert text in str(holder)
    with pytest.raises(ConfigError, match="is being written by process"):
        RunFolder(path, {}, goes_on_after=0)


def hold_and_die(path: Path) -> None:
    RunFolder(path, {})
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_second_run_in_a_folder_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    assert lock_holder(tmp_path) is None
    with RunFolder(tmp_path / "run", {}):
        assert in_process(be_refused, tmp_path / "run", f"process {os.getpid()} on ") == 0
        assert lock_holder(tmp_path / "run") is not None
        with pytest.raises(ConfigError, match=f"being written by process {os.getpid()} on "):
            RunFolder(tmp_path / "run", {}, goes_on_after=0)
        # looking has not dropped the lock
        assert in_process(be_refused, tmp_path / "run", f"process {os.getpid()} on ") == 0
    assert lock_holder(tmp_path / "run") is None
    with RunFolder(tmp_path / "run", {}, goes_on_after=0):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_the_lock_of_a_dead_process_is_none(tmp_path: Path) -> None:
    assert in_process(hold_and_die, tmp_path / "run") == -signal.SIGKILL
    assert "pid" in (tmp_path / "run" / ".lock").read_text(encoding="utf-8")
    assert lock_holder(tmp_path / "run") is None
    with RunFolder(tmp_path / "run", {}, goes_on_after=0):
        holder = lock_holder(tmp_path / "run")
        assert isinstance(holder, LockHolder)
        assert holder.pid == os.getpid()


def test_a_file_system_without_locks_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(file: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(run_lock, "_lock", none)
    with RunFolder(tmp_path / "run", {}):
        assert "knows no locks" in "".join(capsys.readouterr())


@pytest.mark.parametrize("name", [".lock", "logfile.txt", "config.yaml", "metrics.csv"])
@pytest.mark.parametrize("goes_on_after", [None, 0])
def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, name: str, goes_on_after: int | None) -> None:
    """A run's folder from somebody else may hold links to files of ours."""
    (tmp_path / "precious").write_text("1")
    (tmp_path / "run").mkdir()
    link(tmp_path / "run" / name, tmp_path / "precious")
    with contextlib.suppress(ConfigError), RunFolder(tmp_path / "run", {}, goes_on_after=goes_on_after) as run:
        run.scalars({"loss": 1.0}, epoch=1, step=1)
    assert lock_holder(tmp_path / "run") is None
    assert (tmp_path / "precious").read_text() == "1"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "large_disk").mkdir()
    with RunFolder(link(tmp_path / "run", tmp_path / "large_disk"), {}) as run:
        run.log("a line")
    assert "a line" in (tmp_path / "large_disk" / "logfile.txt").read_text(encoding="utf-8")


def test_files_of_a_user_stay(tmp_path: Path) -> None:
    """Also in folders below, and those of a run in one of them."""
    (tmp_path / "run" / "inner").mkdir(parents=True)
    theirs = [
        tmp_path / "run" / name for name in (".notes.tmp", "inner/.notes.tmp", "inner/.vidsgg-0123456789abcdef-a.tmp")
    ]
    for path in theirs:
        path.write_text("1")
    with RunFolder(tmp_path / "run", {}):
        pass
    assert all(path.read_text() == "1" for path in theirs)


@pytest.mark.parametrize("name", ["logfile.txt", "metrics.csv"])
def test_files_of_others_are_not_written_into(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("of another program")
    with pytest.raises(ConfigError, match=f"holds a file {name} that is not of a run of vidsgg"):
        RunFolder(tmp_path, {})
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {name: "of another program"}


def test_a_lock_that_is_not_ours_is_left(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("of another program")
    with pytest.raises(ConfigError, match=r"holds a file \.lock that is not of vidsgg"):
        RunFolder(tmp_path, {})
    assert (tmp_path / ".lock").read_text() == "of another program"
    (tmp_path / ".lock").write_text('{"pi')  # torn when the disk was full
    with RunFolder(tmp_path, {}):
        assert lock_holder(tmp_path) is not None


def test_a_lock_is_released_when_its_folder_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "run" / "logfile.txt").mkdir(parents=True)
    with pytest.raises(ConfigError, match="cannot write to"):
        RunFolder(tmp_path / "run", {})
    RunLock(tmp_path / "run").release()


def csv_rows(path: Path) -> list[tuple[str, str]]:
    with (path / "metrics.csv").open(encoding="utf-8") as file:
        return [(row["step"], row["value"]) for row in csv.DictReader(file)]


def events(path: Path) -> Sequence[tuple[int, float]]:
    reader = EventAccumulator(str(path))
    reader.Reload()
    return [(event.step, event.value) for event in reader.Scalars("loss")]


def test_rows_after_the_step_are_dropped(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {"lr": 1}) as run:
        for step in (1, 2, 3, 4):
            run.scalars({"loss": float(step)}, epoch=1, step=step)
    with (tmp_path / "metrics.csv").open("a", encoding="utf-8") as file:
        file.write("1,2")  # torn by a kill: step 20, perhaps
    with RunFolder(tmp_path, {"lr": 2}, goes_on_after=2) as run:
        run.scalars({"loss": 30.0}, epoch=1, step=3)
    assert csv_rows(tmp_path) == [("1", "1"), ("2", "2"), ("3", "30")]
    assert events(tmp_path) == [(1, 1.0), (2, 2.0), (3, 30.0)]
    assert (tmp_path / "config.yaml").read_text(encoding="utf-8") == "lr: 2\n"
    lines = (tmp_path / "logfile.txt").read_text(encoding="utf-8").splitlines()
    assert [line.split(":")[0] for line in lines] == ["started", "resumed"]
    assert f"torch {torch.__version__}" in lines[0]


def test_quiet_runs_write_their_log_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunFolder(tmp_path, {}, echo=False) as run:
        run.log("a line")
    assert "".join(capsys.readouterr()) == ""
    assert "a line\n" in (tmp_path / "logfile.txt").read_text(encoding="utf-8")


def test_a_clock_that_says_the_same_twice_gives_two_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stopped(run_folder.datetime):  # type: ignore[misc, name-defined]
        @classmethod
        def now(cls, tz: object = None) -> Stopped:
            return cls(2026, 11, 22, 14, 30, 22)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(run_folder, "datetime", Stopped)
    names = []
    for _ in range(3):
        path = default_path("easg", "sttran", "predcls")
        path.mkdir(parents=True)
        names.append(path.name)
    assert names == [f"sttran_predcls_20261122_143022{number}" for number in ("", "-2", "-3")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_message(tmp_path: Path) -> None:
    with RunFolder(tmp_path, {}, echo=False) as run:
        run._log.close()
        run._log = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115 - the run closes it
        with pytest.raises(ConfigError, match=r"cannot write to .*No space left on device"):
            run.log("a line")


def test_histograms_count_some_values_of_every_column() -> None:
    small, large = torch.rand(10, 7), torch.arange(2048.0).repeat(512, 1)
    assert sampled(small) is small
    some = sampled(large)
    assert 0.9 * SAMPLE < len(some) <= SAMPLE
    assert set(some.tolist()) == set(range(2048))
    torch.testing.assert_close(some.mean(), large.mean(), rtol=0.01, atol=0)
