"""What ``benchmarks.gpu`` measures with, and the table that it prints."""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import torch

from vidsgg.errors import ConfigError

MIB = 2**20
HEAD = "| part | what | setting | batch | value | unit | peak MiB | remark |\n|---|---|---|---:|---:|---|---:|---|"


@dataclass(frozen=True)
class Row:
    """One line of the table. value None: it was not measured, and ``remark`` says why."""

    part: str
    what: str
    setting: str = ""
    batch: int | None = None
    value: float | None = None
    unit: str = ""
    peak_mib: float | None = None  # of tensors on the GPU; None on a CPU
    remark: str = ""
    failed: bool = False  # a check that came out wrong

    def line(self) -> str:
        """The row in Markdown."""
        cells = (
            self.part, self.what, self.setting, "" if self.batch is None else str(self.batch),
            "" if self.value is None else f"{self.value:.4g}", self.unit,
            "" if self.peak_mib is None else f"{self.peak_mib:.0f}", self.remark,
        )  # fmt: skip
        return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


@dataclass
class Machine:
    """The device, a clock that waits for it, and how much time is left.

    seconds: of a measurement. limit: of the whole script; parts that would begin later are left out.
    """

    device: torch.device
    seconds: float
    limit: float
    _began: float = field(default_factory=time.perf_counter)

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    def clock(self) -> float:
        """Seconds, after all work that was given to the device."""
        if self.is_cuda:
            torch.cuda.synchronize(self.device)
        return time.perf_counter()

    def over(self) -> bool:
        """Whether the time of the script is used up."""
        return time.perf_counter() - self._began > self.limit

    def forget_peak(self) -> None:
        """Count memory from here on."""
        if self.is_cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)

    def peak_mib(self) -> float | None:
        """The most memory in tensors since ``forget_peak``; None on a CPU."""
        return torch.cuda.max_memory_allocated(self.device) / MIB if self.is_cuda else None

    def rate(self, work: Callable[[], int], warm: int = 1) -> tuple[float, float | None]:
        """Items a second, and the peak of memory. work: does some and returns how many; ``warm`` calls
        are not counted, then as many are as fit into the time, two at least."""
        self.forget_peak()
        for _ in range(warm):
            work()
        began, items, calls = self.clock(), 0, 0
        while calls < 2 or self.clock() - began < self.seconds:
            items += work()
            calls += 1
        return items / (self.clock() - began), self.peak_mib()

    def about(self) -> dict[str, Any]:
        """What the figures depend on, as plain values."""
        name = torch.cuda.get_device_name(self.device) if self.is_cuda else platform.processor() or platform.machine()
        return {
            "device": str(self.device),
            "name": name,
            "devices": torch.cuda.device_count(),
            "torch": torch.__version__,
            "cuda": torch.version.cuda,
            "threads": torch.get_num_threads(),
            "tf32_in_convolutions": bool(self.is_cuda and torch.backends.cudnn.allow_tf32),
        }


@contextmanager
def collected(row: Row) -> Iterator[list[Row]]:
    """Inside, rows are collected. What this device cannot do becomes a row that says so; any other error becomes
    a failed row, so that hours of a rented machine are not lost to one part, and its traceback goes to stderr."""
    rows: list[Row] = []
    try:
        yield rows
    except ConfigError as error:
        rows.append(replace(row, remark=f"skipped: {error}"))
    except torch.OutOfMemoryError as error:
        rows.append(replace(row, remark=f"skipped: out of memory: {first_line(error)}"))
    except Exception as error:
        traceback.print_exc()
        rows.append(replace(row, remark=f"FAILED: {type(error).__name__}: {first_line(error)}", failed=True))


def first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")[:200]


def as_json(machine: Machine, rows: Sequence[Row]) -> dict[str, Any]:
    """The table as plain values."""
    return {"machine": machine.about(), "rows": [asdict(row) for row in rows]}
