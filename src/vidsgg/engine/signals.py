"""SIGINT and SIGTERM as requests to stop: the step under way is finished and saved first."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

GRACE = 20  # seconds that workers go on after a SIGTERM
STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopRequested(Exception):
    """The process was asked to stop; ``signal`` is how."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.signal = received


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is remembered and raised at the next ``check``; another one acts as it did before.

    Only a main thread can listen to signals; in any other they act as before.
    """

    def __init__(self) -> None:
        self._received: signal.Signals | None = None
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    def check(self) -> None:
        """Raises StopRequested if a signal has come."""
        if self._received is not None:
            raise StopRequested(self._received)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, StopRequested is raised as soon as a signal comes: for work that changes nothing and may take long."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._receive) for number in STOPPING}
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        self._restore()
        self._received = signal.Signals(number)
        if self._at_once:
            raise StopRequested(self._received)

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}


def leave_stopping_to_the_parent(worker: int) -> None:
    """For worker processes, given their number. Signals often reach a whole group of processes, but the parent, which was asked to stop
    too, still needs its workers to finish the step. So they ignore SIGINT, and SIGTERM ends them a while later.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # there, nothing can be caught that is not sent by a keyboard
        signal.signal(signal.SIGTERM, lambda number, frame: signal.alarm(GRACE))
