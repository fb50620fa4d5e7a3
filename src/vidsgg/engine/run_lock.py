"""One process at a time writes into a run's folder. Imports nothing heavy: lists of runs ask who is
at work.

Not filelock: who has a lock would still have to be written into its file by us, it makes that file
where somebody only looks, and on a file system without locks it takes a mere mark for one, where a
run has to be told that there are none.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.links import regular_file
from vidsgg.io.untrusted import as_type, parse_json

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_NAME = ".lock"
_LARGEST = 10_000  # letters that are read of it
_BEGIN = '{"pid": '  # of what we write into it
_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_FAR = 1 << 20  # on Windows a locked byte cannot be read by others: lock one behind the text
# POSIX drops a process's lock when it closes the file anywhere: never open those again
_mine: dict[Path, LockHolder] = {}


@dataclass(frozen=True)
class LockHolder:
    """The process that writes into a run's folder, its host, and since when."""

    pid: int
    host: str
    since: str

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class RunLock:
    """A locked file with its holder's name in it. The system lets go of it when the holder ends,
    however it ends: a lock of a dead process is none, and what numbers processes have had does not
    matter. known: False on file systems without locks.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError naming the holder if somebody has the folder, or if its ``.lock`` is
        not ours; OSError if it cannot be written."""
        self._path = folder.resolve() / _NAME
        if self._path in _mine:
            raise _taken(folder, _mine[self._path])
        self._file = open(self._path, "a+", encoding="utf-8", errors="replace", opener=regular_file)  # noqa: SIM115
        self.known = True
        try:
            _lock(self._file)
        except OSError as error:
            if error.errno in _TAKEN:
                with self._file:
                    raise _taken(folder, _read(self._file)) from None
            self.known = False
        self._file.seek(0)
        if not _BEGIN.startswith(self._file.read(len(_BEGIN))):  # it may be empty, or torn where the disk was full
            self._file.close()
            raise ConfigError(
                f"option -save_path: {folder} holds a file {_NAME} that is not of vidsgg; name another folder."
            )
        holder = LockHolder(os.getpid(), socket.gethostname(), f"{datetime.now():%Y-%m-%d %H:%M:%S}")
        self._file.truncate(0)
        self._file.write(json.dumps(asdict(holder)))
        self._file.flush()
        _mine[self._path] = holder

    def release(self) -> None:
        del _mine[self._path]
        self._file.close()  # not removed: another process may be trying for this very file


def lock_holder(folder: Path) -> LockHolder | None:
    """Who writes into a run's folder at the moment; None if nobody does, or if its file system
    cannot tell."""
    path = folder.resolve() / _NAME
    if path in _mine:
        return _mine[path]
    try:
        with open(path, "r+", encoding="utf-8", errors="replace", opener=regular_file) as file:
            try:
                _lock(file)
            except OSError as error:
                return _read(file) if error.errno in _TAKEN else None
    except OSError:
        pass  # there is no lock, or one that we may not touch
    return None


def _taken(folder: Path, holder: LockHolder | None) -> ConfigError:
    return ConfigError(
        f"option -save_path: {folder} is being written by {holder or 'another process'}. Wait for it, stop it, or name"
        " another folder."
    )


def _read(file: IO[str]) -> LockHolder | None:
    file.seek(0)
    try:
        return as_type(parse_json(file.read(_LARGEST)), LockHolder)
    except DataError:
        return None  # its holder is about to write its name


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        file.seek(0)
    else:
        # unlike flock's, not inherited by workers that outlive this process
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
