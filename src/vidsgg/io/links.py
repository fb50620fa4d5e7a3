"""Links in folders that came from outside, such as a run or a data set of somebody else: nothing is
written through them.

A folder that the user names may be a link itself, to a larger disk for instance. What lies below it
may not.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from vidsgg.io.locations import Location, RemotePath

_NOT_THROUGH = "is a link, and nothing is written through a link in a folder that may come from others"


def is_link(path: Path) -> bool:
    """Whether a path is a symbolic link or, on Windows, a junction. False if there is nothing."""
    try:
        found = path.lstat()
    except OSError:
        return False
    junction = getattr(found, "st_reparse_tag", 0) == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", -1)
    return stat.S_ISLNK(found.st_mode) or junction


def check_no_links(path: Location, below: Location) -> None:
    """Raises OSError naming the first part of ``path`` below a folder that is a link; ``below``
    itself may be one.

    A path that does not lie below the folder passes: then it was named by the user. Object storage
    has no links.
    """
    if isinstance(path, RemotePath) or isinstance(below, RemotePath) or not path.is_relative_to(below):
        return
    parts = path.relative_to(below).parts
    for end in range(1, len(parts) + 1):
        place = below.joinpath(*parts[:end])
        if is_link(place):
            raise OSError(errno.ELOOP, _NOT_THROUGH, str(place))


def regular_file(path: str, flags: int) -> int:
    """For ``open(..., opener=regular_file)`` of a file that stays where it is: raises OSError for
    links, pipes and devices."""
    if is_link(Path(path)):
        raise OSError(errno.ELOOP, _NOT_THROUGH, path)
    # Without O_NONBLOCK, opening a pipe would wait for its other end.
    descriptor = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0), 0o666)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "is not a regular file", path)
    return descriptor
