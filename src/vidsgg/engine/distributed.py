"""Several processes that train or score one model together, one for each device, over
torch.distributed.

A launcher (torchrun) starts them and gives each its place through environment variables. Every
process reads its own videos; the first one writes whatever is written. Nothing waits for the others
but where something is exchanged, and a process that waits for one that has ended raises
ProcessLost. A team of one exchanges nothing, so that training and scoring read the same for one
process and for many.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from vidsgg.errors import ConfigError, ProcessLost
from vidsgg.status import hides_bars

T = TypeVar("T")
# How long a process may be silent while others wait for it: reading a long video from a slow disk,
# writing a checkpoint.
SILENCE = timedelta(minutes=30)
_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_meetings = count()  # each with names of its own in the launcher's store, where those of the last one remain


@dataclass(frozen=True)
class Team:
    """rank: number of this process, from 0, among ``size``; local_rank, local_size: the same on
    this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    @property
    def hides_progress(self) -> bool | None:
        """tqdm's ``disable``, see ``hides_bars``: the first process shows the bar of all."""
        return hides_bars(not self.leads)

    @property
    def program(self) -> str:
        """How vidsgg is started to have as many processes again."""
        machines = f"--nnodes={self.size // self.local_size} " if self.size > self.local_size else ""
        return f"torchrun {machines}--nproc_per_node={self.local_size} -m vidsgg" if self.size > 1 else "vidsgg"

    def share(self, items: Sequence[T]) -> Sequence[T]:
        """This process's part: as many as another's or one more, and possibly none; the parts in
        order of rank are the whole."""
        return items[self.rank * len(items) // self.size : (self.rank + 1) * len(items) // self.size]

    def sum_(self, values: Tensor) -> None:
        """Replace by the sum over all processes, the same bits everywhere."""
        if self.size > 1:
            with _others_needed(self):
                dist.all_reduce(values)

    def copy_from_first(self, tensors: Iterable[Tensor]) -> None:
        """Replace by what the first process has."""
        if self.size > 1:
            with _others_needed(self):
                for tensor in tensors:
                    dist.broadcast(tensor, src=0)

    def gather(self, value: T) -> list[T]:
        """The values of all processes in order of rank, in the first one; an empty list elsewhere.
        They are pickled."""
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size if self.leads else []
        with _others_needed(self):
            dist.gather_object(value, values if self.leads else None)
        return values

    def from_first(self, value: T) -> T:
        """The value that the first process gives."""
        return self.made_by_first(lambda: value)

    def made_by_first(self, make: Callable[[], T]) -> T:
        """What ``make`` returns in the first process; the others do not call it."""
        if self.size == 1:
            return make()
        box: list[T | None] = [make() if self.leads else None]
        with _others_needed(self):
            dist.broadcast_object_list(box)
        return cast(T, box[0])  # what the first process has put there

    def first_of_machine_first(self, work: Callable[[], T]) -> T:
        """Do something in every process, on every machine in one before the others: they find what
        it has made."""
        if self.local_rank > 0:
            self._meet()
            return work()
        done = work()
        self._meet()
        return done

    def _meet(self) -> None:
        self.gather(None)
        self.from_first(None)


ALONE = Team()


@contextmanager
def join_team(wanted: bool = False) -> Iterator[Team]:
    """This process among those that the launcher has started; alone if there is no launcher.

    wanted: whether several are expected (-distributed). Raises ConfigError if they are and there is
    no launcher.
    """
    if not all(name in os.environ for name in _VARIABLES):
        if wanted:
            raise ConfigError(
                "option -distributed: several processes are started by torchrun, one for each device:\n"
                f"  torchrun --nproc_per_node={max(torch.cuda.device_count(), 2)} {shlex.join(sys.argv)}"
            )
        yield ALONE
        return
    team = Team(*(int(os.environ[name]) for name in _VARIABLES[:4]))
    if team.size == 1:
        yield team
        return
    with _others_needed(team):
        store, *_ = next(dist.rendezvous("env://", timeout=SILENCE))  # type: ignore[attr-defined]  # not marked as exported
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if dist.is_nccl_available() and torch.cuda.is_available() else "gloo",
            store=dist.PrefixStore(f"vidsgg{next(_meetings)}", store),  # type: ignore[attr-defined]  # nor this
            rank=team.rank,
            world_size=team.size,
            timeout=SILENCE,
        )
    try:
        yield team
    finally:
        dist.destroy_process_group()  # if this process fails, this is how the others notice


@contextmanager
def _others_needed(team: Team) -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        raise ProcessLost(
            f"process {team.rank} of {team.size} lost another process, which has ended or was silent for"
            f" {SILENCE.total_seconds():.0f} seconds; its own message says why. ({str(error).splitlines()[0]})"
        ) from error
