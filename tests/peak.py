"""The most memory that a process has held."""

from __future__ import annotations

import sys
from pathlib import Path


def peak_bytes() -> int:
    """Of this program, resident, so far.

    Linux's ``ru_maxrss`` will not do: a new program takes it over from the process that started it,
    and a process of the tests may have held gigabytes.
    """
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text(encoding="ascii")
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
