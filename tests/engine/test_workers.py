"""Processes that read data end with the process that trains."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from engine.training import in_process
from toys import ToyVideos

from vidsgg.engine import loading
from vidsgg.engine.run_lock import RunLock, lock_holder
from vidsgg.structures.annotation import VideoAnnotation


class HeldVideos(ToyVideos):
    """Who reads them holds a folder's lock until it ends."""

    def __init__(self, folder: Path) -> None:
        super().__init__(6)
        self.folder = folder
        self.lock: RunLock | None = None

    def annotation(self, index: int) -> VideoAnnotation:
        self.lock = self.lock or RunLock(self.folder)
        return super().annotation(index)


def read_and_die(folder: Path, method: str) -> None:
    loading.start_method = lambda: method  # type: ignore[attr-defined]
    for _ in loading.ClipLoader(HeldVideos(folder), "predcls", workers=1).batches():
        assert lock_holder(folder) is not None
        (folder / "held").touch()
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
@pytest.mark.parametrize("method", ["fork", "forkserver"])
def test_a_killed_run_leaves_no_workers_behind(tmp_path: Path, method: str) -> None:
    assert in_process(read_and_die, tmp_path, method) == -signal.SIGKILL
    assert (tmp_path / "held").exists()
    ends = time.monotonic() + 15
    while lock_holder(tmp_path) is not None:
        assert time.monotonic() < ends, "the worker lives on"
        time.sleep(0.1)
