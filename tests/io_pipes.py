"""Pipes into which somebody writes while a test reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def piped(content: bytes) -> Iterator[int]:
    """The end of a pipe that gives ``content`` and then nothing."""
    end, begin = os.pipe()

    def pour() -> None:
        with os.fdopen(begin, "wb") as out:
            try:
                out.write(content)
            except BrokenPipeError:
                return

    threading.Thread(target=pour, daemon=True).start()
    try:
        yield end
    finally:
        os.close(end)
