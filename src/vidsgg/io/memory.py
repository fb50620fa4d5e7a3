"""How much main memory this process can still have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # control groups, version 2: of containers, and of the jobs of a cluster
_OWN_GROUP = Path("/proc/self/cgroup")  # says where below it this process is


def available_memory() -> int:
    """Bytes of main memory that can be had without swapping; not more than a container or a job's
    control group allows.

    Where the system does not say it, half of what is built in.
    """
    system = _of_system()
    return min([system, *(limit for group in _groups() if (limit := _left_in(group)) is not None)])


def _of_system() -> int:
    with suppress(OSError, KeyError, ValueError):
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    with suppress(ImportError):
        import psutil  # comes with peft; Windows and macOS have no such file

        return int(psutil.virtual_memory().available)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _groups() -> Iterator[Path]:
    """The control group of this process and those that it is in; each may have a limit."""
    own = Path()
    with suppress(OSError, ValueError):
        lines = _OWN_GROUP.read_text(encoding="utf-8").splitlines()
        own = Path(next((line for line in lines if line.startswith("0::/")), "0::/").removeprefix("0::/"))
    if ".." not in own.parts:  # else it is outside of what a container shows
        yield from (_GROUP / part for part in (own, *own.parents) if part != Path())
    yield _GROUP


def _left_in(group: Path) -> int | None:
    """None without a limit."""
    with suppress(OSError, KeyError, ValueError):
        most = int((group / "memory.max").read_text(encoding="ascii"))  # else "max"
        used = int((group / "memory.current").read_text(encoding="ascii"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, most - used + int(parts["inactive_file"]))  # what was read from files can be dropped
    return None
