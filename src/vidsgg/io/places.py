"""Whether a place that the user named can be read or written, asked before any work is done."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Any

from vidsgg.errors import ConfigError
from vidsgg.io.files import special_kind
from vidsgg.io.locations import READ_ONLY, Location, RemotePath, location
from vidsgg.options import Place

_LONGEST = 255  # bytes of one name in a path; more than that no usual file system takes


def local_or_remote(option: str, given: str, remote: bool) -> Location:
    """What an option names. remote: whether it may lie in object storage. Raises ConfigError, which
    begins with ``option``, if it may not, or if it is no address that can be read."""
    try:
        place = location(given)
    except ConfigError as error:
        raise ConfigError(f"{option}: {error}") from error
    if isinstance(place, RemotePath) and not remote:
        raise ConfigError(
            f"{option}: {place} is in object storage; only files and folders of this machine are possible here. Copy it here"
            " first."
        )
    return place


def on_disk(option: str, given: str) -> Path:
    """The same where only this machine will do."""
    place = local_or_remote(option, given, remote=False)
    assert isinstance(place, Path)
    return place


def on_this_machine(given: Any) -> Any:
    """What an option names, one or several, with paths in place of ``file://`` addresses."""
    if isinstance(given, tuple):
        return tuple(map(on_this_machine, given))
    return str(location(given)) if isinstance(given, str) and given.lower().startswith("file://") else given


def check_place(option: str, path: Location, place: Place) -> None:
    """Raises ConfigError, which begins with ``option``, if a path cannot be what it is meant for.

    place: "input" may be missing, since some options take names too, but what is there must be a
    file or folder that can be read. Of "new file", "new folder" and "new", which may be either, as
    much as is there already must be folders that can be written to, and nothing is made.
    """
    if isinstance(path, RemotePath):
        _check_remote(option, path, place)
        return
    if long := [part for part in path.parts if len(os.fsencode(part)) > _LONGEST]:
        raise ConfigError(
            f"{option}: {long[0][:40]}... is a name of {len(long[0])} letters; at most {_LONGEST} bytes are possible."
        )
    status = _status(option, path)
    if status is not None:
        _check_there(option, path, status, place)
    if place != "input":
        _check_parent(option, path.absolute(), status)


def check_replaced(option: str, path: Path, suffix: str, read: Collection[Location] = ()) -> None:
    """Raises ConfigError if a file lies at ``path`` that is not to be replaced: one of ``read``, which
    the command reads, or one with another suffix than that of what is written, which is probably
    not meant."""
    if not os.path.lexists(path):
        return
    if path.exists() and any(path.samefile(file) for file in read if isinstance(file, Path)):
        raise ConfigError(f"{option}: {path} is read by this command; name another file to write.")
    if not path.name.lower().endswith(suffix.lower()):
        raise ConfigError(
            f"{option}: {path} is there already and is no {suffix} file; name another file, or remove it."
        )


def _check_remote(option: str, path: RemotePath, place: Place) -> None:
    """There are no folders that could be missing, and no telling whether something may be written
    before it is."""
    if place != "input" and path.scheme in READ_ONLY:
        raise ConfigError(f"{option}: {path}: {path.scheme}:// is only read; name a place in s3:// or gs://.")
    try:
        if path.exists():
            kind = "folder" if path.is_dir() else "file"
            if place in ("new file", "new folder") and place != f"new {kind}":
                raise ConfigError(f"{option}: {path} is a {kind}, not a {place.removeprefix('new ')}.")
        elif place == "input":
            raise ConfigError(f"{option}: {path}: there is no such file or folder.")
        elif not _may_exist(path.bucket):
            raise ConfigError(f"{option}: {path}: there is no bucket {path.bucket}.")
    except OSError as error:
        raise ConfigError(f"{option}: {path}: {error.strerror}.") from error


def _may_exist(bucket: RemotePath) -> bool:
    try:
        return bucket.exists()
    except PermissionError:  # who may write into a bucket need not be allowed to look at it
        return True


def _status(option: str, path: Path) -> os.stat_result | None:
    try:
        return os.stat(path)
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ConfigError(f"{option}: {path}: a part of this path is a file, not a folder.") from None
    except (OSError, ValueError) as error:
        raise ConfigError(f"{option}: {path}: {getattr(error, 'strerror', None) or error}.") from error


def _check_there(option: str, path: Path, status: os.stat_result, place: Place) -> None:
    if kind := special_kind(status.st_mode):
        raise ConfigError(f"{option}: {path} is {kind}; give an ordinary file or folder.")
    folder = stat.S_ISDIR(status.st_mode)
    if place == "new file" and folder:
        raise ConfigError(f"{option}: {path} is a folder; name a file to write.")
    if place == "new folder" and not folder:
        raise ConfigError(f"{option}: {path} is a file, not a folder.")
    if place == "input" and not os.access(path, os.R_OK | os.X_OK if folder else os.R_OK):
        raise ConfigError(f"{option}: there is no permission to read {path}.")


def _check_parent(option: str, path: Path, status: os.stat_result | None) -> None:
    """The nearest folder that is there already, in which something has to be made."""
    if status is None or not stat.S_ISDIR(status.st_mode):
        path = path.parent
        while (found := _status(option, path)) is None and path != path.parent:
            path = path.parent
        if found is None or not stat.S_ISDIR(found.st_mode):
            raise ConfigError(
                f"{option}: {path} {'is not a folder' if found else 'does not exist'}; nothing can be written there."
            )
    if not os.access(path, os.W_OK | os.X_OK):
        raise ConfigError(f"{option}: there is no permission to write in {path}.")
