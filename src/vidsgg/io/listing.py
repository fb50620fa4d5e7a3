"""Which files are there, of many that lie in few folders."""

from __future__ import annotations

import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from vidsgg.io.locations import Location, RemotePath

_MOST = 512  # folders whose names are kept


class Listing:
    """Looks for files. On this machine every question goes to the disk. In object storage a request
    takes milliseconds, so a folder is listed once, and later questions get the same answer.

    All methods raise OSError if a folder may not be entered, or if the storage does not answer.
    """

    def __init__(self) -> None:
        self._listed: OrderedDict[RemotePath, dict[str, int | None]] = OrderedDict()  # the last used one is the last

    def is_file(self, path: Location) -> bool:
        return self._in_storage(path) is not None if isinstance(path, RemotePath) else path.is_file()

    def is_dir(self, path: Location) -> bool:
        if isinstance(path, RemotePath):
            return self._entries(path.parent).get(path.name, 0) is None
        return path.is_dir()

    def size(self, path: Location) -> int | None:
        """Bytes of a file; None if it is not there, or may not be looked at."""
        if isinstance(path, RemotePath):
            return self._in_storage(path)
        try:
            return path.stat().st_size
        except OSError:
            return None

    def first_file(self, folder: Location, names: Sequence[str]) -> Location | None:
        """The first of these files that is in a folder."""
        if isinstance(folder, RemotePath):
            return next((folder / name for name in names if self.is_file(folder / name)), None)
        # Without a Path for each: a run looks for every annotated frame before it begins.
        return next((Path(place) for name in names if _is_file(place := os.path.join(folder, name))), None)

    def _in_storage(self, path: RemotePath) -> int | None:
        return self._entries(path.parent).get(path.name)

    def _entries(self, folder: RemotePath) -> dict[str, int | None]:
        if folder not in self._listed:
            self._listed[folder] = folder.entries()
            if len(self._listed) > _MOST:
                self._listed.popitem(last=False)
        self._listed.move_to_end(folder)
        return self._listed[folder]


def _is_file(path: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False
