"""The most memory that a process has held."""

from __future__ import annotations

import sys
from pathlib import Path

MIB = 2**20


def peak_bytes() -> int:
    """Of this program, resident, so far.

    Linux's ``ru_maxrss`` will not do: a new program takes it over from the process that started it,
    which may have held gigabytes. macOS gives it in bytes, and starts it anew.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def peak_mib() -> float:
    return peak_bytes() / MIB
