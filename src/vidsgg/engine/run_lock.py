"""One process at a time writes into a run's folder."""

from __future__ import annotations

import errno
import os
import socket
import sys
from datetime import datetime
from pathlib import Path

from vidsgg.errors import ConfigError

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_FAR = 1 << 20  # on Windows a locked byte cannot be read by others: lock one behind the text


class RunLock:
    """A locked file with its holder's process and host in it. The system lets go of it when the holder ends, however it ends.

    So a lock of a dead process is none, and its number does not matter. known: False on file systems without locks.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError naming the holder if another process has the folder, OSError if it cannot be written."""
        self._file = (folder / ".lock").open("a+", encoding="utf-8")
        self.known = True
        try:
            self._lock()
        except OSError as error:
            if error.errno in _TAKEN:
                self._file.seek(0)
                holder = self._file.read().strip()
                self._file.close()
                raise ConfigError(
                    f"option -save_path: {folder} is being written by {holder or 'another process'}. Wait for it, stop it, or name another folder."
                ) from None
            self.known = False
        self._file.truncate(0)
        self._file.write(f"process {os.getpid()} on {socket.gethostname()}, since {datetime.now():%Y-%m-%d %H:%M:%S}\n")
        self._file.flush()

    def release(self) -> None:
        self._file.close()  # not removed: another process may be waiting at this very file

    def _lock(self) -> None:
        if sys.platform == "win32":
            self._file.seek(_FAR)
            msvcrt.locking(self._file.fileno(), msvcrt.LK_NBLCK, 1)
            self._file.seek(0)
        else:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # unlike flock's, not inherited by workers that outlive this process
