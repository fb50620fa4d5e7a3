"""Functions of tests in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any

import torch

from vidsgg.engine import distributed
from vidsgg.engine.distributed import join_team
from vidsgg.errors import Stopped, VidsggError

PATIENCE = 240  # seconds after which processes count as hanging


def in_team(work: Callable[..., Any], *values: Any, silence: timedelta = distributed.SILENCE) -> list[str]:
    """As ``in_processes``, with the team as the first argument. silence: how long the two wait for
    each other."""
    return in_processes(_join, silence, work, *values)


def in_processes(work: Callable[..., Any], *values: Any, size: int = 2) -> list[str]:
    """Call ``work(*values)`` in several processes, each told its place as by a launcher. Returns
    how each ended: "" if it returned,
    ``ValueError: text``, or ``SIGKILL``. Those that have not ended after four minutes hang: they
    are killed, and the test fails.
    """
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        # else every process takes seconds to import
        context.set_forkserver_preload(["vidsgg.recipes.train", "torch.utils.tensorboard", "torch._dynamo"])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pipes = [context.Pipe(duplex=False) for _ in range(size)]
    processes = [
        context.Process(target=_member, args=(rank, size, port, told, work, values))
        for rank, (_, told) in enumerate(pipes)
    ]
    for process in processes:
        process.start()
    ends = time.monotonic() + PATIENCE
    for process in processes:
        process.join(max(0.0, ends - time.monotonic()))
    hanging = [process for process in processes if process.exitcode is None]
    for process in hanging:
        process.kill()
    assert not hanging
    return [
        signal.Signals(-process.exitcode).name if process.exitcode else ours.recv()
        for process, (ours, _) in zip(processes, pipes, strict=True)
    ]


def _member(
    rank: int, size: int, port: int, told: Connection, work: Callable[..., Any], values: tuple[Any, ...]
) -> None:
    places = {
        "RANK": rank,
        "WORLD_SIZE": size,
        "LOCAL_RANK": rank,
        "LOCAL_WORLD_SIZE": size,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in places.items()})
    torch.set_num_threads(1)
    try:
        work(*values)
        told.send("")
    except BaseException as error:
        told.send(f"{type(error).__name__}: {error}")
        if not isinstance(error, (VidsggError, Stopped)):
            traceback.print_exc()


def _join(silence: timedelta, work: Callable[..., Any], *values: Any) -> None:
    distributed.SILENCE = silence
    with join_team() as team:
        work(team, *values)
