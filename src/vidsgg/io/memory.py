"""How much main memory this process can still have."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

_MEMINFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")  # of a container, version 2


def available_memory() -> int:
    """Bytes of main memory that can be had without swapping; not more than a container allows.

    Where the system does not say it, half of what is built in.
    """
    system = _of_system()
    limit = _of_container()
    return system if limit is None else min(system, limit)


def _of_system() -> int:
    with suppress(OSError, KeyError, ValueError):
        lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
        return 1024 * int(lines["MemAvailable"].split()[0])
    with suppress(ImportError):
        import psutil  # comes with peft; Windows and macOS have no such file

        return int(psutil.virtual_memory().available)
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _of_container() -> int | None:
    """None without a limit."""
    with suppress(OSError, KeyError, ValueError):
        most = int((_GROUP / "memory.max").read_text(encoding="ascii"))  # else "max"
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
        parts = dict(line.split() for line in (_GROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, most - used + int(parts["inactive_file"]))  # what was read from files can be dropped
    return None
