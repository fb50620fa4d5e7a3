"""How long a step of a job still takes."""

from __future__ import annotations

import time
from collections.abc import Callable

_LEAST_SECONDS, _LEAST_DONE = 2.0, 2  # before these a guess would jump about


class StepPace:
    """The pace of one step, from the moments at which parts of it were done.

    The first part is not counted: it takes as long as models and files need to warm up.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: tuple[float, int] | None = None  # when the first parts were done, and how many
        self._last = 0.0
        self._done = self._total = 0

    def tell(self, done: int, total: int) -> None:
        """done, total: parts of the step; total is 0 where it is not known."""
        if done == self._done:
            return
        self._last, self._done, self._total = self._clock(), done, total
        if self._first is None:
            self._first = self._last, done

    def left(self) -> float | None:
        """Seconds until the step is done, None as long as they cannot be known. A part that takes
        longer than those before makes it more."""
        if self._first is None:
            return None
        begin, before = self._first
        counted, now = self._done - before, self._clock()
        if counted < _LEAST_DONE or now - begin < _LEAST_SECONDS or self._total < self._done:
            return None
        each, waited = (self._last - begin) / counted, now - self._last
        if waited > each:
            each = max(each, (now - begin) / (counted + 1), waited / 2)
        return max(0.0, (self._total - self._done) * each - min(waited, each))
