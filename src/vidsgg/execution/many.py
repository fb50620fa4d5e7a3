"""One function over many items, wherever the work is done."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic

from vidsgg.execution.items import Item, Lost, Result, Setup
from vidsgg.execution.pool import Pool
from vidsgg.execution.processes import Processes, ThisMachine
from vidsgg.execution.ray_cluster import RayCluster, at_cluster

Engine = Processes | RayCluster


def apply_to_many(
    setup: Setup[Item, Result],
    items: Sequence[Item],
    engine: Engine,
    *,
    ahead: int | None = None,
    watch: Callable[[str], None] | None = None,
) -> Generator[Result | Lost[Item], None, None]:
    """Results in the order in which they are finished, of each item one.

    A worker that ends, killed or with its node, is replaced, and its item is done again, on another
    node where there is one; an item at which several workers have ended comes back as ``Lost``. With
    ``Processes(1)`` everything happens in this process, and nothing of that can be had.

    ahead: how many items may be begun after the first one that has no result yet; without it, any
    number. watch: called with how many workers there are on how many nodes of a cluster, whenever
    that changes.

    The first error ends everything: a VidsggError of a worker is raised here as it is, any other as
    RuntimeError with the worker's traceback in it, WorkerError if workers end whatever they do.
    Ending early, being interrupted or killed stops the workers at once, wherever they are.
    """
    if not items:
        return
    if isinstance(engine, RayCluster):
        with at_cluster(engine, pickle.dumps(setup)) as cluster:
            yield from Pool(cluster, items, ahead, watch).run()
    elif engine.count == 1:
        yield from map(setup(0), items)
    else:
        machine = ThisMachine(pickle.dumps(setup), engine.count)
        yield from Pool(machine, items, ahead, watch).run()


def apply_in_order(
    setup: Setup[Item, Result],
    items: Sequence[Item],
    engine: Engine,
    *,
    ahead: int,
    watch: Callable[[str], None] | None = None,
) -> Generator[Result | Lost[Item], None, None]:
    """As ``apply_to_many``, but the results come in the order of the items. No more than ``ahead`` of
    them wait for one that takes longer."""
    waiting: dict[int, Result | Lost[Item]] = {}
    following = 0
    numbered = list(enumerate(items))
    with closing(apply_to_many(_Numbered(setup), numbered, engine, ahead=ahead, watch=watch)) as results:
        for result in results:
            if isinstance(result, Lost):
                number, item = result.item
                waiting[number] = Lost(item, result.problem)
            else:
                number, waiting[number] = result
            while following in waiting:
                yield waiting.pop(following)
                following += 1


@dataclass(frozen=True)
class _Numbered(Generic[Item, Result]):
    """Passes on the number that came with an item."""

    setup: Setup[Item, Result]

    def __call__(self, number: int) -> Callable[[tuple[int, Item]], tuple[int, Result]]:
        work = self.setup(number)
        return lambda item: (item[0], work(item[1]))
