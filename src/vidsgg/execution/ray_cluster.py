"""Workers on the machines of a Ray cluster: actors, each with a setup of its own."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vidsgg
from vidsgg.errors import ConfigError
from vidsgg.execution.items import Ended, ItemWorker, Message, WorkFailed
from vidsgg.io.atomic import held_mark
from vidsgg.status import say

_ROOM_SECONDS = 5.0  # for which what is known of the cluster's nodes is taken for true
_PATIENCE = 60.0  # seconds without any worker until a message says so
_FILE_SYSTEM = 10.0  # seconds until every machine sees a new file of a shared folder


@dataclass(frozen=True)
class RayCluster:
    """On a Ray cluster.

    address: as ``ray.init`` takes it; None starts Ray on this machine. workers: None for as many as
    there is room for. cpus, gpus: of each worker; gpus None: one where the cluster has any. shared:
    folders of this machine that every worker has to see.
    """

    address: str | None = None
    workers: int | None = None
    cpus: float = 1.0
    gpus: float | None = None
    shared: tuple[Path, ...] = ()

    @property
    def threads(self) -> int:
        """That each worker may use."""
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class _Home:
    """What a worker compares itself with. path: where Python looks for modules, code of the user's
    own among them. marks: files that it has to see."""

    folder: str
    path: tuple[str, ...]
    versions: tuple[tuple[str, str], ...]
    marks: tuple[Path, ...]


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    """What decides the numbers."""
    return ("vidsgg", vidsgg.__version__), ("torch", version("torch"))


class _RemoteWorker:
    """What an actor does. Its constructor cannot fail, so that every failure has its message."""

    def __init__(self, setup: bytes, number: int, home: _Home) -> None:
        self._home, self._worker = home, ItemWorker(setup, number)

    def prepare(self) -> Message:
        ray = _ray()
        node = f"{ray.util.get_node_ip_address()} ({ray.get_runtime_context().get_node_id()[:8]})"
        problem = _difference(self._home)
        if problem is not None:
            return WorkFailed(ConfigError(f"node {node}: {problem}"), "")
        sys.path += [folder for folder in self._home.path if folder not in sys.path]
        message = self._worker.prepare(node)
        if isinstance(message, WorkFailed) and message.error is not None:
            return WorkFailed(type(message.error)(f"node {node}: {message.error}"), "")
        return message

    def do(self, item: Any) -> Message:
        return self._worker.do(item)


def _difference(home: _Home) -> str | None:
    """Why this machine cannot do what the one that hands out the items would do."""
    for (name, theirs), (_, ours) in zip(home.versions, _versions(), strict=True):
        if theirs != ours:
            return f"it has {name} {ours}, the machine that started this {theirs}; install the same on all nodes."
    with suppress(OSError):
        os.chdir(home.folder)
    if os.getcwd() != home.folder:
        return (
            f"it has no folder {home.folder}, in which this was started, and to which paths are relative; start in a"
            " folder that all nodes share."
        )
    deadline = time.monotonic() + _FILE_SYSTEM
    for mark in home.marks:
        while not mark.exists():
            if time.monotonic() > deadline:
                return (
                    f"it does not see the folder {mark.parent} as the machine that started this does, so its results"
                    " would be lost; name a folder that all nodes share, or object storage."
                )
            time.sleep(0.2)
            with suppress(OSError):
                os.listdir(mark.parent)  # a network drive then looks again
    return None


@dataclass(eq=False)
class ActorWorker:
    """An actor and what it was asked last."""

    number: int
    actor: Any
    asked: Any = None  # a reference to the answer
    ready: bool = False

    def give(self, item: Any) -> None:
        self.asked = self.actor.do.remote(item)

    def stop(self) -> None:
        with suppress(Exception):  # it may be gone, and the cluster with it
            _ray().kill(self.actor)


class Cluster:
    """Where ``ActorWorker``s run."""

    def __init__(self, engine: RayCluster, setup: bytes, home: _Home) -> None:
        ray = _ray()
        self._engine, self._setup, self._home = engine, ray.put(setup), ray.put(home)
        self._room, self._looked = 0, -_ROOM_SECONDS
        self._alone_since, self._complained = time.monotonic(), False
        gpus = engine.gpus
        self._gpus = float(ray.cluster_resources().get("GPU", 0) > 0) if gpus is None else gpus
        if engine.workers is None and not self._fitting():
            raise ConfigError(
                f"option -engine: no node of the cluster has room for a worker with {self._needs()}; the nodes have"
                f" {self._nodes()}. Ask for less (-cpus_per_actor, -gpus_per_actor), or say how many workers you want,"
                " which then wait until there is room."
            )

    def room(self) -> int:
        if self._engine.workers is not None:
            return self._engine.workers
        if time.monotonic() - self._looked > _ROOM_SECONDS:
            self._room, self._looked = max(1, self._fitting()), time.monotonic()
        return self._room

    def start(self, number: int) -> ActorWorker:
        kind = _ray().remote(_RemoteWorker).options(
            num_cpus=self._engine.cpus, num_gpus=self._gpus, max_restarts=0, scheduling_strategy="SPREAD"
        )  # fmt: skip
        actor = kind.remote(self._setup, number, self._home)
        return ActorWorker(number, actor, actor.prepare.remote())

    def wait(self, workers: list[ActorWorker], seconds: float) -> list[tuple[ActorWorker, Message]]:
        if not workers:
            time.sleep(seconds)
            return []
        by_reference = {worker.asked: worker for worker in workers}
        ready, _ = _ray().wait(list(by_reference), timeout=seconds)
        self._complain(workers)
        return [(by_reference[reference], self._message(by_reference[reference])) for reference in ready]

    def close(self, workers: list[ActorWorker]) -> None:
        for worker in workers:
            worker.stop()

    def _message(self, worker: ActorWorker) -> Message:
        errors = _ray().exceptions
        try:
            message: Message = _ray().get(worker.asked)
        except errors.RayTaskError as error:
            return WorkFailed(None, str(error))
        except errors.RayError as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            return Ended(f"ended ({lines[-1][:200] if lines else type(error).__name__})")
        worker.ready = True
        return message

    def _complain(self, workers: Sequence[ActorWorker]) -> None:
        """Say once why nothing happens."""
        if any(worker.ready for worker in workers):
            self._alone_since = time.monotonic()
        elif not self._complained and time.monotonic() - self._alone_since > _PATIENCE:
            self._complained = True
            say(
                f"waiting for the cluster: no worker has started yet. Each needs {self._needs()}; the nodes have"
                f" {self._nodes()}, part of which others may be using."
            )

    def _fitting(self) -> int:
        """How many workers all nodes have room for, whoever uses them now."""
        needs = {name: count for name, count in (("CPU", self._engine.cpus), ("GPU", self._gpus)) if count}
        return sum(
            min(int(has.get(name, 0) / count + 1e-6) for name, count in needs.items()) for has in _nodes() if needs
        )

    def _needs(self) -> str:
        return _resources({"CPU": self._engine.cpus, "GPU": self._gpus})

    def _nodes(self) -> str:
        return "; ".join(_resources(has) for has in _nodes()) or "no resources"


def _nodes() -> list[dict[str, float]]:
    """The resources of every node that is there."""
    return [node["Resources"] for node in _ray().nodes() if node["Alive"]]


def _resources(has: dict[str, float]) -> str:
    return ", ".join(f"{has.get(name, 0):g} {name}" for name in ("CPU", "GPU") if has.get(name)) or "no CPU"


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise ConfigError("option -engine: Ray is not installed: pip install 'vidsgg[cluster]'.") from None
    return ray


@contextmanager
def at_cluster(engine: RayCluster, setup: bytes) -> Iterator[Cluster]:
    """The cluster, connected to unless this process is already. Raises ConfigError if there is none
    at the address, if Ray is missing, or if no node has room for a worker."""
    ray = _ray()
    with ExitStack() as stack:
        if not ray.is_initialized():
            _connect(engine.address)
            stack.callback(ray.shutdown)
        marks = tuple(stack.enter_context(held_mark(folder)) for folder in engine.shared)
        yield Cluster(engine, setup, _Home(os.getcwd(), tuple(sys.path), _versions(), marks))


def _connect(address: str | None) -> None:
    ray = _ray()
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # a program of ours reports to nobody
    there = address or os.environ.get("RAY_ADDRESS")
    try:
        ray.init(
            address=there or "local",  # None would take any Ray that it finds
            log_to_driver=False,
            logging_level=logging.ERROR,
            **({} if there else {"include_dashboard": False}),
        )
    except Exception as error:  # Ray raises whatever it has
        said = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
        raise ConfigError(
            f"option -address: cannot use the Ray cluster {there} ({said}). 'ray status' shows whether it is"
            " running; without the option Ray is started on this machine."
            if there
            else f"option -engine: Ray cannot be started on this machine ({said})."
        ) from error
