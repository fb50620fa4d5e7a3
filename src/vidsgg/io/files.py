"""Reading whole files that others may have written: ordinary files only, no larger than files of
their kind can sensibly be."""

from __future__ import annotations

import stat

from vidsgg.errors import DataError
from vidsgg.io.locations import Location, RemotePath

_KINDS = {stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


def special_kind(mode: int) -> str | None:
    """``a named pipe``, ``a socket`` or ``a device``, for which a reader could wait for ever; None
    for files and folders."""
    return _KINDS.get(stat.S_IFMT(mode))


def check_regular(path: Location, most: int | None = None) -> None:
    """Raises DataError naming the path if it is no file, or larger than ``most`` bytes; nothing is
    opened."""
    try:
        status = path.stat()
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
