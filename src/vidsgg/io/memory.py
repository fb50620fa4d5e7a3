"""How much main memory this process can still have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # control groups: of containers, and of the jobs of a cluster
_OWN_GROUP = Path("/proc/self/cgroup")  # says where below it this process is
# Files of a group: its limit, what it has, and the line of memory.stat that says what of it can be dropped.
_VERSION_2 = ("memory.max", "memory.current", "inactive_file")
_VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


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
    """The control groups of this process, of both versions, and those that they are in; each may have
    a limit."""
    lines: list[str] = []
    with suppress(OSError, ValueError):
        lines = _OWN_GROUP.read_text(encoding="utf-8").splitlines()
    # A line is NUMBER:CONTROLLERS:/PATH. Version 2 names no controllers; version 1 has a tree for each.
    paths = {
        controllers: path.lstrip("/")
        for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2)
    }
    of_memory = (path for controllers, path in paths.items() if "memory" in controllers.split(","))
    for root, path in ((_GROUP, paths.get("", "")), (_GROUP / "memory", next(of_memory, ""))):
        own = Path(path)
        if ".." not in own.parts:  # else it is outside of what a container shows
            yield from (root / part for part in (own, *own.parents) if part != Path())
        yield root


def _left_in(group: Path) -> int | None:
    """None without a limit. Version 1 has no word for that: its number is then larger than any memory."""
    for limit, usage, dropped in (_VERSION_2, _VERSION_1):
        with suppress(OSError, KeyError, ValueError):
            most = int((group / limit).read_text(encoding="ascii"))  # else "max"
            used = int((group / usage).read_text(encoding="ascii"))
            parts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
            return max(0, most - used + int(parts[dropped]))  # what was read from files can be dropped
    return None
