"""Processes that end with the one that started them, however that ended."""

from __future__ import annotations

import multiprocessing
import os
import threading


def end_with_parent() -> None:
    """From now on this process ends, at once and without cleaning up, when its parent is gone: also
    by a SIGKILL, which no program can catch.

    For the first line of a worker. A parent that was asked to end by SIGTERM has no time for its
    workers, torch looks only at who started one (under a fork server the server, which lives as
    long as its workers), and pools wait for tasks for ever.
    """
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
