"""Workers that are forked after videos have been decoded."""

from __future__ import annotations

import gc
import multiprocessing
import sys

import av
import pytest

import vidsgg.io.containers  # what is tested is that this module was imported


def collect() -> None:
    gc.collect()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no forks")
def test_a_fork_does_not_free_frames_of_its_parent() -> None:
    """FFmpeg's threads are not in the fork, and whoever frees a converter waits for them."""
    assert vidsgg.io.containers
    gc.disable()
    try:
        frame = av.VideoFrame(1920, 1080, "yuv420p")
        frame.reformat(format="rgb24", width=640)
        ring = [frame]
        ring.append(ring)  # type: ignore[arg-type]
        del frame, ring  # garbage, which only the collector frees
        process = multiprocessing.get_context("fork").Process(target=collect)
        process.start()
        process.join(20)
        ended = process.exitcode
        process.kill()
        process.join()
    finally:
        gc.enable()
    assert ended == 0
