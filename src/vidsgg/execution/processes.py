"""Workers in processes of this machine.

Not concurrent.futures or joblib: their pools do not tell which item a killed worker had nor how it
ended, wait for items under way when they end early, and their workers outlive a killed parent
(``tests/execution/test_processes.py`` holds all three).
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from vidsgg.execution.items import Ended, ItemWorker, Message
from vidsgg.io.parent import end_with_parent
from vidsgg.status import own_bars


@dataclass(frozen=True)
class Processes:
    """On this machine. count: workers; 1 is this very process."""

    count: int = 1

    @property
    def threads(self) -> int | None:
        """That each worker may use; None for as many as it uses anyway."""
        return max(1, cores() // self.count) if self.count > 1 else None


@dataclass(eq=False)
class ProcessWorker:
    """A worker in a process of its own."""

    number: int
    process: BaseProcess
    connection: Connection[Any, Any]

    def give(self, item: Any) -> None:
        with suppress(OSError):  # a worker that is gone is found out when its answer is read
            self.connection.send(item)

    def stop(self) -> None:
        self.process.terminate()
        self.connection.close()

    def message(self) -> Message:
        try:
            message: Message = self.connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return Ended(f"ended with code {self.process.exitcode} (killed, perhaps for memory)")
        return message


class ThisMachine:
    """Where ``ProcessWorker``s run."""

    def __init__(self, setup: bytes, count: int) -> None:
        self._setup, self._count = setup, count
        # "spawn" is the one way to start a process that all systems have, and the only one that
        # CUDA allows.
        self._context = multiprocessing.get_context("spawn")

    def room(self) -> int:
        return self._count

    def start(self, number: int) -> ProcessWorker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_work, args=(self._setup, number, theirs), daemon=True)
        # inherited: else an interrupt would show a traceback of every process that is still starting
        with _interrupts_ignored():
            process.start()
        theirs.close()  # so that a worker's end is the end of its connection
        return ProcessWorker(number, process, ours)

    def wait(self, workers: list[ProcessWorker], seconds: float) -> list[tuple[ProcessWorker, Message]]:
        ready = wait([worker.connection for worker in workers], seconds)
        return [(worker, worker.message()) for worker in workers if worker.connection in ready]

    def close(self, workers: list[ProcessWorker]) -> None:
        for worker in workers:
            worker.stop()
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


def _work(setup: bytes, number: int, connection: Connection[Any, Any]) -> None:
    """setup: pickled, since to read it imports torch, which takes seconds in which the parent may
    end."""
    end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent, who stops its workers
    own_bars()
    with suppress(EOFError, OSError):  # the parent is gone
        worker = ItemWorker(setup, number)
        connection.send(worker.prepare())
        while True:
            connection.send(worker.do(connection.recv()))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
