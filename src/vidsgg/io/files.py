"""Reading whole files that others may have written: ordinary files only, no larger than files of
their kind can sensibly be."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence

from vidsgg.errors import DataError
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, RemotePath

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_TOGETHER, _TOGETHER_BYTES = 64, 1 << 26  # files of object storage that are fetched at the same time
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def special_kind(mode: int) -> str | None:
    """``a named pipe``, ``a socket`` or ``a device``, for which a reader could wait for ever; None
    for files and folders."""
    return _KINDS.get(stat.S_IFMT(mode))


def check_regular(path: Location, most: int | None = None, listing: Listing | None = None) -> os.stat_result:
    """Raises DataError naming the path if it is no file, or larger than ``most`` bytes; nothing is
    opened. listing: who is asked. Returns what ``stat`` says of it."""
    try:
        status = path.stat() if listing is None else listing.stat(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}).") from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"{path}: is a folder, not a file.")
    if kind := special_kind(status.st_mode):
        raise DataError(f"{path}: is {kind}, not a file; name a file.")
    if most is not None and status.st_size > most:
        raise DataError(
            f"{path}: has {status.st_size:,} bytes; a file of this kind has at most {most:,}. Check that it is the"
            " right file."
        )
    return status


def read_each(paths: Sequence[Location], most: int, listing: Listing) -> Iterator[bytes | DataError]:
    """The bytes of files, one after the other; instead of one that cannot be read, what ``read_bytes``
    would raise. From object storage some are fetched at the same time.

    listing: knows the files in object storage.
    """
    waiting: list[RemotePath | DataError] = []
    size = 0
    for path in paths:
        if not isinstance(path, RemotePath):
            yield _read_or_error(path, most)
            continue
        try:
            size += check_regular(path, most, listing).st_size
            waiting.append(path)
        except DataError as error:
            waiting.append(error)
        if len(waiting) == _TOGETHER or size > _TOGETHER_BYTES:
            yield from _fetched(waiting)
            waiting, size = [], 0
    yield from _fetched(waiting)


def _fetched(paths: Sequence[RemotePath | DataError]) -> Iterator[bytes | DataError]:
    there = [path for path in paths if isinstance(path, RemotePath)]
    contents = iter(RemotePath.read_together(there) if there else [])
    for path in paths:
        if isinstance(path, DataError):
            yield path
            continue
        content = next(contents)
        yield DataError(f"{path}: cannot be read ({content.strerror}).") if isinstance(content, OSError) else content


def _read_or_error(path: Location, most: int) -> bytes | DataError:
    try:
        return read_bytes(path, most)
    except DataError as error:
        return error


def read_bytes(path: Location, most: int) -> bytes:
    """The bytes of a file. Raises DataError as ``check_regular`` does, and if it cannot be read."""
    check_regular(path, most)
    try:
        content = _content(path, most + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}).") from error
    if len(content) > most:  # it grew, or its file system does not tell sizes
        raise DataError(f"{path}: has more than {most:,} bytes, the most for a file of this kind.")
    return content


def _content(path: Location, most: int) -> bytes:
    if isinstance(path, RemotePath):
        return path.read_bytes()  # one request; its size is known
    with path.open("rb") as file:
        return file.read(most)


def not_utf8(path: Location) -> DataError:
    """What to raise for a file that is not text in UTF-8, in another encoding or no text at all."""
    with path.open("rb") as file:
        utf16 = file.read(2) in _UTF16
    return DataError(f"{path}: {'is text in UTF-16' if utf16 else 'is not text in UTF-8'}; save it as UTF-8.")


def read_text(path: Location, most: int) -> str:
    """The text of a UTF-8 file, without a byte order mark. Raises DataError as ``read_bytes`` does,
    and for other encodings."""
    content = read_bytes(path, most)
    if content.startswith(_UTF16):
        raise DataError(f"{path}: is text in UTF-16; save it as UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in UTF-8 (byte {error.start} is {content[error.start]:#04x}).") from error
