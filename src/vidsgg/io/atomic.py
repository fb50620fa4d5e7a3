"""Files that are there whole or not at all, also when several processes write into one folder and
some of them are killed.

A file is written under a temporary name beside its own, ``.vidsgg-<16 digits>-<name>.tmp``, and
locked by its writer for as long as it has that name. So everybody can tell what a killed writer
left behind, and nobody removes what a living one is writing, or what is not ours.

A file in object storage is written on this machine first, in the system's folder for temporary
files, and uploaded when it is complete; there it is whole or absent by itself.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from vidsgg.io.links import is_link, regular_file
from vidsgg.io.locations import Location, RemotePath

if sys.platform != "win32":
    import fcntl

_TEMPORARY = re.compile(r"\.vidsgg-[0-9a-f]{16}-.*\.tmp", re.DOTALL)
_NAME_LETTERS = 40  # of the file's name in the temporary one, which must not become too long
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_SETTLED_SECONDS = 60  # Windows: after which a closed file is not about to get its name
_cleaned: set[Path] = set()  # folders that this process has written to


@contextlib.contextmanager
def whole_file(path: Location, *, flush: bool = True, new: bool = False) -> Iterator[BinaryIO]:
    """A file to write that gets its name when it is complete: a kill or an error leaves the old
    file or none, never half of one.

    If there is a link at ``path``, the file takes its place; nothing is written through it. flush:
    make sure that the disk has it first, which takes milliseconds; one of many files that are worth
    something together only needs none. new: raise FileExistsError at the end if there is a file by
    then; of several who write it at once, one succeeds. Raises OSError naming ``path`` if the disk
    refuses, or if there is something other than a file.
    """
    with whole_path(path, flush=flush, new=new) as temporary, temporary.open("r+b") as file:
        yield file


def write_whole(path: Location, content: bytes | str) -> None:
    """A whole file of given bytes, or of a text as UTF-8, as ``whole_file`` writes it."""
    with whole_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def same_file(path: Path, other: Path) -> None:
    """Give a file that is there, ``other``, a second name: ``path``, in the same folder, whatever was there before.
    Where the file system has no such links, ``path`` becomes a copy.

    For files that are only ever replaced, as ``whole_file`` does: writing into one would change both.
    Raises OSError as ``whole_file``.
    """
    _check_place(path)
    temporary = _temporary_beside(path)
    try:
        os.link(other, temporary)
        os.replace(temporary, path)
    except OSError:
        with whole_path(path) as copy:
            shutil.copyfile(other, copy)
    finally:
        with contextlib.suppress(OSError):  # it is still there where both names were one file before
            temporary.unlink()


@contextlib.contextmanager
def whole_path(path: Location, *, flush: bool = True, new: bool = False) -> Iterator[Path]:
    """The same for libraries that open files themselves: the temporary name, to be written and
    closed within the block."""
    if isinstance(path, RemotePath):
        with tempfile.TemporaryDirectory(prefix="vidsgg-") as folder:
            file = Path(folder) / "upload"
            file.touch()
            yield file
            path.put(file, new=new)
        return
    temporary: Path | None = None
    try:
        _check_place(path)
        _clean_once(path.parent)
        # The name comes first: an interrupt while the file is made finds it below.
        temporary = _temporary_beside(path)
        descriptor = _create(temporary)
        try:
            yield temporary
            if flush:
                os.fsync(descriptor)
            if sys.platform != "win32":
                _give_name(temporary, path, new=new)  # while it is locked
        finally:
            os.close(descriptor)
        if sys.platform == "win32":  # where an open file cannot get another name
            _give_name(temporary, path, new=new)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(temporary)):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def _give_name(temporary: Path, path: Path, *, new: bool) -> None:
    if not new or is_link(path):
        os.replace(temporary, path)
    elif sys.platform == "win32":
        os.rename(temporary, path)  # refused there where a file has the name
    else:
        try:
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            if path.exists():  # the best that such a file system offers: not safe against the same moment
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
            os.replace(temporary, path)


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one of ours that is not complete."""
    return _TEMPORARY.fullmatch(name) is not None


@contextlib.contextmanager
def held_mark(folder: Path) -> Iterator[Path]:
    """A file that stands in a folder for as long as the block runs, by which another machine can
    tell that it sees the same folder. The folder is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = _temporary_beside(folder / "mark")
    descriptor = _create(mark)
    try:
        yield mark
    finally:
        os.close(descriptor)
        with contextlib.suppress(OSError):
            mark.unlink()


def left_behind(folder: Location) -> list[Path]:
    """Temporary files in a folder, not below it, of writers that are at work or were killed."""
    if isinstance(folder, RemotePath):
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(e.path) for e in entries if is_temporary(e.name) and e.is_file(follow_symlinks=False))
    except OSError:
        return []


def remove_left_behind(folder: Location) -> None:
    """Remove the temporary files of killed writers from a folder. Those of writers at work stay,
    and whatever cannot be removed.

    Happens by itself when a process writes to a folder for the first time.
    """
    for path in left_behind(folder):
        with contextlib.suppress(OSError):
            _remove_if_left(path)


def _clean_once(folder: Path) -> None:
    if folder not in _cleaned:
        _cleaned.add(folder)
        remove_left_behind(folder)


def _temporary_beside(path: Path) -> Path:
    return path.with_name(f".vidsgg-{secrets.token_hex(8)}-{path.name[:_NAME_LETTERS]}.tmp")


def _create(temporary: Path) -> int:
    """A new file of this name, open and locked by us."""
    while True:
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        if sys.platform == "win32":  # what is open cannot be removed there
            return descriptor
        with contextlib.suppress(OSError):  # the file system knows no locks: then nobody removes it
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody removed it before it was locked


def _remove_if_left(path: Path) -> None:
    if sys.platform == "win32":
        if time.time() - path.stat().st_mtime > _SETTLED_SECONDS:
            path.unlink()  # refused while somebody has it open
        return
    with open(path, "r+b", opener=regular_file) as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # refused while its writer lives
        path.unlink()


def _check_place(path: Path) -> None:
    """A device or a pipe would be replaced by a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = stat.S_IFREG  # there is nothing yet
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file", str(path))
    if not stat.S_ISREG(mode) or path.parent in (Path("/dev"), Path("/dev/fd")):
        raise OSError(errno.ENXIO, "is a device or a pipe; name a file", str(path))
