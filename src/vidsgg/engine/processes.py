"""One function over many tasks in several processes, each of which sets itself up once.

Not concurrent.futures or joblib: their pools do not tell which task a killed worker had nor how it
ended, wait for tasks under way when they end early, and their workers outlive a killed parent
(``tests/engine/test_processes.py`` holds all three).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

from vidsgg.errors import VidsggError
from vidsgg.io.parent import end_with_parent

Task = TypeVar("Task")
Result = TypeVar("Result")
# Called once in every process with its number; what it returns is called with every task.
Setup = Callable[[int], Callable[[Task], Result]]


class ProcessError(VidsggError):
    """A worker process that ended without an answer: killed, or out of memory."""


@dataclass(frozen=True)
class _Failed:
    """An error in a worker: the user's, or ours with its traceback."""

    error: VidsggError | None
    trace: str


@dataclass(eq=False)
class _Worker(Generic[Task]):
    number: int
    process: BaseProcess
    connection: Connection[Any, Any]
    task: Task | None = None


def run_tasks(setup: Setup[Task, Result], tasks: Sequence[Task], processes: int) -> Generator[Result, None, None]:
    """Results in the order in which they are finished. With one process, everything happens in this
    one.

    The first error ends everything: a VidsggError of a worker is raised here as it is, any other
    with the worker's traceback in it, ProcessError if a worker is gone. Ending early, being
    interrupted or killed stops the workers at once, wherever they are.
    """
    if not tasks:
        return
    if processes == 1:
        yield from map(setup(0), tasks)
        return
    # "spawn" is the one way to start a process that all systems have, and the only one that CUDA
    # allows.
    context = multiprocessing.get_context("spawn")
    waiting, pickled = iter(tasks), pickle.dumps(setup)
    workers: list[_Worker[Task]] = []
    try:
        for number in range(min(processes, len(tasks))):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(pickled, number, theirs), daemon=True)
            # inherited: else an interrupt would show a traceback of every process that is still
            # starting
            with _interrupts_ignored():
                process.start()
            theirs.close()  # so that a worker's end is the end of its connection
            workers.append(_Worker(number, process, ours))
        busy = [worker for worker in workers if _hand_over(worker, waiting)]
        while busy:
            for connection in wait([worker.connection for worker in busy]):
                worker = next(w for w in busy if w.connection is connection)
                yield _answer(worker)
                if not _hand_over(worker, waiting):
                    busy.remove(worker)
    finally:
        for worker in workers:
            worker.process.terminate()
            worker.connection.close()
        for worker in workers:
            worker.process.join()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # only the main thread may say so
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _hand_over(worker: _Worker[Task], tasks: Iterator[Task]) -> bool:
    """Give a worker its next task; False if there is none."""
    for worker.task in tasks:
        with suppress(OSError):  # a worker that is gone is found out when its answer is read
            worker.connection.send(worker.task)
        return True
    return False


def _answer(worker: _Worker[Any]) -> Any:
    try:
        answer = worker.connection.recv()
    except (EOFError, OSError):
        worker.process.join()
        raise ProcessError(
            f"worker process {worker.number} ended with code {worker.process.exitcode} at {worker.task} (killed,"
            " perhaps for memory); what is finished is kept: run the same command again, with fewer processes if it"
            " was memory."
        ) from None
    if isinstance(answer, _Failed):
        raise answer.error or RuntimeError(f"worker process {worker.number} failed at {worker.task}:\n{answer.trace}")
    return answer


def _work(setup: bytes, number: int, connection: Connection[Any, Any]) -> None:
    """setup: pickled, since to read it imports torch, which takes seconds in which the parent may
    end."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, who stops its workers
    with suppress(EOFError, OSError):  # the parent is gone
        work = None
        while True:
            task = connection.recv()
            try:
                work = work or pickle.loads(setup)(number)  # our own, from our own process
                answer = work(task)
            except VidsggError as error:
                answer = _Failed(error, "")
            except Exception:
                answer = _Failed(None, traceback.format_exc())
            connection.send(answer)


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
