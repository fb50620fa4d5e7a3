"""Options of the commands that do one thing to many items, and the engine that they ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.errors import ConfigError, short
from vidsgg.execution.many import Engine
from vidsgg.execution.processes import Processes
from vidsgg.execution.ray_cluster import RayCluster
from vidsgg.io.locations import Location
from vidsgg.options import option


@dataclass(frozen=True, kw_only=True)
class ManyOptions:
    """Where the work is done."""

    engine: Literal["processes", "ray"] = option(
        "processes", "where to run: in processes of this machine, or on a Ray cluster (pip install vidsgg[cluster])"
    )
    address: str | None = option(
        None,
        "address of the Ray cluster: auto for the one that this machine belongs to, or HOST:PORT; by default"
        " RAY_ADDRESS, else Ray is started on this machine",
    )
    cpus_per_actor: float = option(1.0, "on Ray: CPUs and threads of each worker", low=0.01, high=1024)
    gpus_per_actor: float | None = option(
        None,
        "on Ray: GPUs of each worker, such as 0.5 for two workers on one; by default 1 if the cluster has any, 0"
        " for -device cpu",
        low=0,
        high=1,
    )

    def engine_for(
        self, workers: int | None, items: int, device: str = "cpu", shared: Sequence[Location] = ()
    ) -> Engine:
        """What the options ask for. workers: None for as many as there is room for on Ray, and for
        one in processes. shared: folders that all machines have to see; they do see object storage.
        Raises ConfigError for options that contradict each other."""
        if self.engine == "ray":
            gpus = 0.0 if device == "cpu" else self.gpus_per_actor
            return RayCluster(
                self.address,
                workers,
                self.cpus_per_actor,
                gpus,
                tuple(folder for folder in shared if isinstance(folder, Path)),
            )
        return Processes(max(1, min(workers or 1, items)))

    def check_engine(self, device: str = "cpu") -> None:
        """Raises ConfigError for options that contradict each other."""
        if self.engine == "ray":
            if device not in ("auto", "cpu", "cuda"):
                raise ConfigError(
                    f"option -device: {device!r} is one device of one machine; Ray gives each worker its own: use auto,"
                    " cuda or cpu."
                )
            if device == "cpu" and self.gpus_per_actor:
                raise ConfigError("options -device cpu and -gpus_per_actor contradict each other; leave one out.")
            if device == "cuda" and self.gpus_per_actor == 0:
                raise ConfigError("options -device cuda and -gpus_per_actor 0 contradict each other; leave one out.")
            return
        for name in ("address", "cpus_per_actor", "gpus_per_actor"):
            if getattr(self, name) != ManyOptions.__dataclass_fields__[name].default:
                raise ConfigError(f"option -{name}: is for -engine ray; give that too, or leave it out.")

    def device_of_workers(self, device: str) -> str:
        """What a worker chooses its device by."""
        return "cpu" if self.engine == "ray" and self.gpus_per_actor == 0 else device


@dataclass(frozen=True, kw_only=True)
class SharedOptions(ManyOptions):
    """For work that several calls may share."""

    share: str | None = option(
        None, "process only a part, such as 3/8, the third of eight: for calls that share the work, as in a SLURM array"
    )

    @property
    def part(self) -> slice:
        """Which of all items are of this call: every eighth, from the third on. Raises ConfigError
        for a share that cannot be."""
        if self.share is None:
            return slice(None)
        number, _, count = self.share.partition("/")
        if not all(word.isascii() and word.isdigit() and len(word) <= 6 for word in (number, count)):
            raise ConfigError(f"option -share: {short(self.share)} is not a number and a count, such as 3/8.")
        if not 1 <= int(number) <= int(count):
            raise ConfigError(f"option -share: there is no {self.share}; the first of eight is 1/8, the last 8/8.")
        return slice(int(number) - 1, None, int(count))
