"""Where the time of a few training steps goes, by torch's profiler."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch.profiler import ProfilerActivity, profile, schedule

from vidsgg.io.atomic import whole_path, write_whole

SKIPPED, WARMING, MEASURED = 2, 1, 5  # steps


@contextmanager
def profiled_steps(folder: Path | None) -> Iterator[Callable[[], None]]:
    """Gives a function to call after every step. Once the first steps are measured, ``profile.txt``
    (a table) and ``profile_trace.json`` (for chrome://tracing or ui.perfetto.dev) are in the
    folder; a run of fewer steps measures what there is. None: does nothing.
    """
    if folder is None:
        yield lambda: None
        return

    def write(measured: profile) -> None:
        order = "self_cuda_time_total" if torch.cuda.is_available() else "self_cpu_time_total"
        table = measured.key_averages().table(sort_by=order, row_limit=50)
        write_whole(folder / "profile.txt", table)
        with whole_path(folder / "profile_trace.json") as temporary:
            measured.export_chrome_trace(str(temporary))

    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if torch.cuda.is_available() else [])]
    steps = schedule(wait=SKIPPED, warmup=WARMING, active=MEASURED, repeat=1)
    with profile(
        activities=activities, schedule=steps, on_trace_ready=write, record_shapes=True, profile_memory=True
    ) as profiler:
        yield profiler.step
