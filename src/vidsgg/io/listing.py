"""Which files are there, of many that lie in few folders."""

from __future__ import annotations

import errno
import os
import stat
from collections import OrderedDict
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from vidsgg.io.locations import Location, RemotePath

_MOST = 512  # folders whose names are kept


class Listing:
    """Looks for files. On this machine every question goes to the disk. In object storage a request
    takes milliseconds, so a folder is listed once, and later questions get the same answer.

    All methods raise OSError if a folder may not be entered, or if the storage does not answer.
    """

    def __init__(self) -> None:
        # the last used one is the last
        self._listed: OrderedDict[RemotePath, dict[str, os.stat_result]] = OrderedDict()
        self._below: dict[RemotePath, os.stat_result] = {}  # files that ``glob`` found

    def is_file(self, path: Location) -> bool:
        if isinstance(path, RemotePath):
            found = self._in_storage(path)
            return found is not None and stat.S_ISREG(found.st_mode)
        return path.is_file()

    def is_dir(self, path: Location) -> bool:
        if isinstance(path, RemotePath):
            found = self._in_storage(path)
            return found is not None and stat.S_ISDIR(found.st_mode)
        return path.is_dir()

    def stat(self, path: Location) -> os.stat_result:
        """As ``Path.stat``. Raises FileNotFoundError if there is nothing of that name."""
        if not isinstance(path, RemotePath):
            return path.stat()
        found = self._in_storage(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return found

    def size(self, path: Location) -> int | None:
        """Bytes of a file; None if it is not there, or may not be looked at."""
        if isinstance(path, RemotePath):
            return self.stat(path).st_size if self.is_file(path) else None
        try:
            return path.stat().st_size
        except OSError:
            return None

    def glob(self, folder: Location, pattern: str) -> list[Location]:
        """The files below a folder whose names match, in order; the names in object storage come from one
        listing. pattern: as of ``Path.glob``, without ``**``."""
        if not isinstance(folder, RemotePath):
            return list[Location](sorted(folder.glob(pattern)))
        parts = pattern.split("/")
        if len(parts) == 1:
            return [folder / name for name in sorted(self._entries(folder)) if fnmatchcase(name, pattern)]
        wanted: dict[RemotePath, os.stat_result] = {}
        for path, found in folder.files_below().items():
            names = path.relative_to(folder).parts
            if len(names) == len(parts) and all(map(fnmatchcase, names, parts)):
                wanted[path] = found
        self._below |= wanted
        return list[Location](sorted(wanted))

    def first_file(self, folder: Location, names: Sequence[str]) -> Location | None:
        """The first of these files that is in a folder."""
        if isinstance(folder, RemotePath):
            return next((folder / name for name in names if self.is_file(folder / name)), None)
        # Without a Path for each: a run looks for every annotated frame before it begins.
        return next((Path(place) for name in names if _is_file(place := os.path.join(folder, name))), None)

    def _in_storage(self, path: RemotePath) -> os.stat_result | None:
        return self._below.get(path) or self._entries(path.parent).get(path.name)

    def _entries(self, folder: RemotePath) -> dict[str, os.stat_result]:
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
