"""Memory that a process keeps for the tensors of its next step."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of mallopt(3), from malloc.h


def keep_freed_memory() -> bool:
    """Have the memory of freed tensors used again instead of given back to the system; returns whether
    that is possible here (Linux with glibc).

    By default glibc maps every large tensor anew, and the system fills it with zeros page by page,
    which took an eighth of a training step of STTran at full width. Numbers do not change. The process
    keeps the memory of its largest step to its end.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, -1))
