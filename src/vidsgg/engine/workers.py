"""The processes that read data for one that trains: how they start, and when they end."""

from __future__ import annotations

import multiprocessing
import signal
import sys

from vidsgg.io.parent import end_with_parent

GRACE = 20  # seconds that workers go on after a SIGTERM


def start_method() -> str | None:
    """How worker processes start. A fork of this process, which has threads, was seen to hang on
    Python 3.13; 3.14 no longer forks."""
    forks_safely = sys.version_info < (3, 12) or "forkserver" not in multiprocessing.get_all_start_methods()
    return None if forks_safely else "forkserver"


def init_worker(number: int) -> None:
    """For DataLoader's worker_init_fn. Signals are left to the parent: they often reach a whole
    group of processes, but the parent, which was asked to stop too, still needs its workers to
    finish the step. So they ignore SIGINT, and SIGTERM ends them a while later. Whatever ends the
    parent ends its workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":  # there, nothing can be caught that is not sent by a keyboard
        signal.signal(signal.SIGTERM, lambda signum, frame: signal.alarm(GRACE))
    end_with_parent()
