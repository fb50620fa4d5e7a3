"""One function over many items, wherever the work is done."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Generator, Sequence

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
