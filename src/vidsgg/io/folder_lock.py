"""A lock on what several processes change in one folder."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from vidsgg.io.links import is_link


@contextmanager
def folder_lock(file: Path, *, wait: bool = True) -> Iterator[None]:
    """One process at a time is inside. file: is locked, made where it is missing, and stays; the
    system lets go of it when its holder ends, however it ends.

    Raises OSError if the file is a link or cannot be made; with ``wait`` False ``filelock.Timeout``
    if another process is inside.
    """
    if is_link(file):
        raise OSError(errno.ELOOP, "is a link", str(file))
    with filelock.FileLock(file, blocking=wait):
        yield
