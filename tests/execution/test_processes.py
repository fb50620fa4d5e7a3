"""Tasks in several processes: the results, and every way in which a process can end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from vidsgg.errors import DataError
from vidsgg.execution.items import Lost
from vidsgg.execution.many import apply_to_many
from vidsgg.execution.processes import Processes


@dataclass(frozen=True)
class Squares:
    """Gives (number of the process, its id, square), but does something else at the task ``at``."""

    at: int = -1
    what: str = ""

    def __call__(self, number: int) -> Callable[[int], tuple[int, int, int]]:
        if self.what == "setup":
            raise DataError("the file is gone")
        return lambda task: self.square(number, task)

    def square(self, number: int, task: int) -> tuple[int, int, int]:
        if task == self.at:
            if self.what == "data":
                raise DataError("video 3 cannot be read")
            if self.what == "bug":
                raise ZeroDivisionError("ours")
            if self.what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.what == "hang":
                time.sleep(1000)
        return number, os.getpid(), task * task


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_every_task_is_done_once(processes: int) -> None:
    results = list(apply_to_many(Squares(), range(4), Processes(processes)))
    assert sorted(square for *_, square in results) == [0, 1, 4, 9]
    assert ({pid for _, pid, _ in results} == {os.getpid()}) == (processes == 1)
    assert {number for number, *_ in results} <= set(range(min(processes, 4)))
    assert list(apply_to_many(Squares(), [], Processes(processes))) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_errors_come_back(processes: int) -> None:
    with pytest.raises(DataError, match=r"^video 3 cannot be read$"):
        list(apply_to_many(Squares(3, "data"), range(6), Processes(processes)))
    with pytest.raises(DataError, match=r"^the file is gone$"):
        list(apply_to_many(Squares(what="setup"), range(6), Processes(processes)))
    with pytest.raises(ZeroDivisionError if processes == 1 else RuntimeError, match="ours") as info:
        list(apply_to_many(Squares(3, "bug"), range(6), Processes(processes)))
    if processes == 2:
        assert "failed at 3" in str(info.value)
        assert "in square" in str(info.value)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal on Windows")
def test_a_task_that_kills_its_process_is_lost_and_the_others_are_done() -> None:
    results = list(apply_to_many(Squares(3, "kill"), range(6), Processes(2)))
    (lost,) = (result for result in results if isinstance(result, Lost))
    assert lost.item == 3
    assert "3 workers ended at it, the last one ended with code -9 (killed, perhaps for memory)" in lost.problem
    squares = sorted(result[-1] for result in results if not isinstance(result, Lost))
    assert squares == [0, 1, 4, 16, 25]


def test_ending_early_stops_the_processes_at_once() -> None:
    started = time.perf_counter()
    with closing(apply_to_many(Squares(1, "hang"), range(3), Processes(2))) as results:
        _, pid, _ = next(results)
    assert time.perf_counter() - started < 60
    with pytest.raises(OSError):
        os.kill(pid, 0)


SLOW = r"""
import multiprocessing, os, time
from dataclasses import dataclass

def at_work():
    os.write(1, f"{os.getpid()}\n".encode())  # in one piece: two processes share the pipe
    time.sleep(60)

WHEN = os.environ["WHEN"]
if WHEN == "import" and multiprocessing.parent_process():
    at_work()

@dataclass(frozen=True)
class Setup:
    def __call__(self, number):
        if WHEN == "setup":
            at_work()
        return lambda task: at_work()
"""
SCRIPT = """
from vidsgg.execution.many import apply_to_many
from vidsgg.execution.processes import Processes
if __name__ == "__main__":
    from slow import Setup
    list(apply_to_many(Setup(), range(4), Processes(2)))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no such signal on Windows")
@pytest.mark.parametrize(
    ("when", "how"), [("import", "SIGKILL"), ("setup", "SIGTERM"), ("task", "SIGKILL"), ("task", "SIGTERM")]
)
def test_workers_end_with_their_parent_within_two_seconds(tmp_path: Path, when: str, how: str) -> None:
    """Wherever they are: reading the setup, which for a model imports PyTorch, setting up, or at
    work."""
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    command = [sys.executable, str(tmp_path / "script.py")]
    with subprocess.Popen(command, env={**os.environ, "WHEN": when}, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        try:
            workers = [int(parent.stdout.readline()) for _ in range(2)]
            parent.send_signal(getattr(signal, how))
            parent.wait(20)
        finally:
            parent.kill()
        ended = time.monotonic()
        while any(map(lives, workers)) and time.monotonic() < ended + 20:
            time.sleep(0.02)
    assert time.monotonic() - ended < 2


def lives(pid: int) -> bool:
    """Not so a process that has ended and whose end nobody has asked for yet."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


BARS = """
from dataclasses import dataclass
from tqdm import tqdm
from vidsgg.execution.many import apply_to_many
from vidsgg.execution.processes import Processes

@dataclass(frozen=True)
class Bars:
    def __call__(self, number):
        return lambda item: list(tqdm([item], disable=None))

if __name__ == "__main__":
    assert sorted(apply_to_many(Bars(), range(4), Processes(2))) == [[0], [1], [2], [3]]
"""


def test_workers_with_progress_bars_leave_nothing_behind(tmp_path: Path) -> None:
    """Python would warn at the end of semaphores that stopped workers did not give back."""
    (tmp_path / "bars.py").write_text(BARS)
    paths = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "bars.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
