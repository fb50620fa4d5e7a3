"""What is random in a run, and how much of it may be."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def seed_step(seed: int, epoch: int, step: int, process: int = 0) -> None:
    """Make what the coming step draws (dropout) a function of these four alone, whatever was drawn
    before it. process: of several."""
    key = random.Random(f"{seed}/{epoch}/{step}" + (f"/{process}" if process else "")).getrandbits(31)
    torch.manual_seed(key)
    np.random.seed(key)  # noqa: NPY002 - libraries that draw from the legacy generator are pinned too
    random.seed(key)


@contextmanager
def deterministic_algorithms(wanted: bool) -> Iterator[None]:
    """Inside, torch takes algorithms that give the same bits every time (-deterministic). On a CPU
    they do so anyway, with as many threads.

    An operation for which there is none on this device warns and runs: a slightly different number
    is no reason to end a run of days.
    """
    if not wanted:
        yield
        return
    cudnn = torch.backends.cudnn
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    cudnn_before = cudnn.deterministic, cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it when it starts
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        cudnn.deterministic, cudnn.benchmark = cudnn_before
