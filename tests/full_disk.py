"""A disk that is full, for tests: no file may grow beyond a size."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

needs_limits = pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Until the end of the block, this process cannot write a file beyond ``size`` bytes: the
    system refuses as if the disk were full."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
