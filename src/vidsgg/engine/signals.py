"""SIGINT and SIGTERM as requests to stop: the step under way is finished and saved first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM)


class StopRequested(BaseException):
    """The process was asked to stop; ``signal`` is how. No mistake, so that nobody who catches an
    ``Exception`` swallows it."""

    def __init__(self, received: signal.Signals) -> None:
        super().__init__(received.name)
        self.signal = received


class StopSignals:
    """While entered, the first SIGINT or SIGTERM is remembered, to be raised as soon as it suits;
    another one acts as it did before.

    launched: by a program that passes signals on and ends this process if they do not. As the same
    signal then often comes twice, from the launcher and from whoever asked it to stop, all after
    the first are ignored. Only a main thread can listen to signals; in any other they act as
    before.
    """

    def __init__(self, *, launched: bool = False) -> None:
        self._launched = launched
        self._received: signal.Signals | None = None
        self._at_once = False
        self._before: dict[signal.Signals, Any] = {}

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self._received is not None

    def stop(self) -> NoReturn:
        """Raises StopRequested, for the signal that has come or, if it came to another process, as
        for SIGTERM."""
        raise StopRequested(self._received or signal.SIGTERM)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Inside, StopRequested is raised as soon as a signal comes: for work that changes nothing
        and may take long."""
        self._at_once = True
        try:
            if self.requested:
                self.stop()
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
        if self._launched:
            for stopping in STOPPING:
                signal.signal(stopping, signal.SIG_IGN)
        else:
            self._restore()
        self._received = signal.Signals(number)
        if self._at_once:
            self.stop()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._before = {}
