"""Files that are there whole or not at all, also when several processes write into one folder and some of them are killed."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

if sys.platform != "win32":
    import fcntl

_TEMPORARY = ".*.tmp"
_LOCK = ".lock"


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that gets its name when it is complete: a kill or an error leaves the old file or none, never half of one.

    Written to a temporary name in the same folder, flushed to the disk, renamed. Raises OSError if the disk refuses.
    """
    with whole_path(path) as temporary, temporary.open("xb") as file:
        yield file


@contextlib.contextmanager
def whole_path(path: Path) -> Iterator[Path]:
    """The same for libraries that open files themselves: the temporary name, to be written and closed within the block."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        yield temporary
        with temporary.open("r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


@contextlib.contextmanager
def writing_into(folder: Path) -> Iterator[None]:
    """Be one of the writers of a folder, which is made if it is not there. Any number of processes may write into it at once.

    Whoever is alone removes what killed writers left behind, at the beginning and at the end. Raises OSError if the folder cannot be
    made or written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("wb") as lock:
        _clean_if_alone(folder, lock)
        try:
            yield
        finally:
            _clean_if_alone(folder, lock)


def left_behind(folder: Path) -> list[Path]:
    """Temporary files in a folder and below it, of writers that are at work or were killed."""
    return sorted(folder.rglob(_TEMPORARY))


def _clean_if_alone(folder: Path, lock: BinaryIO) -> None:
    """Needs no lock on Windows: a file that somebody has open cannot be removed there. Every writer holds a shared one elsewhere."""
    with contextlib.suppress(OSError):  # others are at work, or the file system knows no locks: leave everything
        if sys.platform != "win32":
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in left_behind(folder):
            with contextlib.suppress(OSError):
                path.unlink()
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_SH)
