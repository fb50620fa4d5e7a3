"""Files of tensors and plain values: written whole or not at all, read without running anything
that is in them."""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch

from vidsgg.errors import CheckpointError, DataError
from vidsgg.io.atomic import whole_file
from vidsgg.io.files import special_kind
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.untrusted import check_plain

_ZIP = b"PK\x03\x04"  # what torch.load knows its own archives by; older files of torch have no checksums
_whole: set[tuple[str, int, int, int]] = set()  # files that this process has compared with their checksums


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write to a temporary name in the same folder, flush, rename: a kill leaves the old file or
    the new one, never half of one.

    Raises CheckpointError when the disk is full or the folder cannot be written.
    """
    try:
        with whole_file(path) as file:
            torch.save(dict(content), file)
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError that happened while it handled what the
        # disk said.
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        raise CheckpointError(
            f"cannot write {path}: {said}. Free some space or choose another place; what was there before is intact."
        ) from error


def load_tensors(path: Location, *, mmap: bool = False, without: Collection[str] = ()) -> dict[str, Any]:
    """A torch file of tensors and plain values, onto the CPU. Raises CheckpointError if it is
    missing, damaged or asks for code.

    Every byte is compared with the file's checksums (``check_intact``), which torch does not do.
    mmap: leave the numbers on the disk until they are read, to look into a large file;
    then nothing is compared. without: entries that are left out and never read; the others are
    compared, and stay on the disk until they are read. A file in object storage is read whole.
    """
    if isinstance(path, RemotePath):
        return _load_remote(path)
    if without and not mmap:
        return _load_some(path, without)
    if path.exists() and (kind := special_kind(path.stat().st_mode)):
        raise CheckpointError(f"{path} is {kind}, not a file; name a file of weights.")
    if not mmap:
        check_intact(path)
    return _loaded(path, path, mmap)


def _load_remote(path: RemotePath) -> dict[str, Any]:
    """A file in object storage, fetched once."""
    try:
        content = io.BytesIO(path.read_bytes())
        _compare(path, content)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    content.seek(0)
    return _loaded(path, content, mmap=False)


def _loaded(path: Location, file: Path | BinaryIO, mmap: bool) -> dict[str, Any]:
    """The content of a file, which may have been read. path: for messages."""
    try:
        content = torch.load(file, map_location="cpu", weights_only=True, mmap=mmap)
    except FileNotFoundError:
        raise _missing(path) from None
    except pickle.UnpicklingError as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(
            f"{path} holds something other than tensors and plain values; it was not loaded. {first}"
        ) from error
    except Exception as error:  # a damaged or hostile file makes the reader raise nearly anything
        first = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise CheckpointError(f"{path} is damaged or not a file of weights: {first}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a dict of weights.")
    try:
        check_plain(content, f"{path} ", leaves=(torch.Tensor, torch.Size, torch.dtype, torch.device))
    except DataError as error:
        raise CheckpointError(str(error)) from error
    return content


def _load_some(path: Path, without: Collection[str]) -> dict[str, Any]:
    """As ``load_tensors``. Where it cannot be told which bytes belong to what is left out, and on
    Windows, where a file that is mapped into memory cannot be replaced, the whole file is read."""
    content: dict[str, Any] = {}
    parts: set[str] | None = None
    if sys.platform != "win32" and _is_archive(path):
        content = load_tensors(path, mmap=True)
        parts = _parts_of(path, content, without)
    if parts is None:
        content = load_tensors(path)
    else:
        check_intact(path, parts)
    return {name: value for name, value in content.items() if name not in without}


def _is_archive(path: Path) -> bool:
    """Whether a file is one that torch can map into memory."""
    try:
        if special_kind(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP
    except OSError:
        return False


def _parts_of(path: Path, content: Mapping[str, Any], without: Collection[str]) -> set[str] | None:
    """The names of the parts of a file that hold everything but some entries of its mapped content;
    None if the parts and the tensors do not match one by one."""
    kept = _storages(value for name, value in content.items() if name not in without)
    found = kept | _storages(value for name, value in content.items() if name in without)
    places = _places(path)
    names = set(places.values())
    numbers = {start: part for start, part in places.items() if "/data/" in part[0] and part[1]}
    if not numbers or not found:
        return None
    moved = min(found) - min(numbers)  # where in memory the file begins
    if any(numbers.get(start - moved, ("", -1))[1] != size for start, size in found.items()):
        return None
    unread = {numbers[start - moved] for start in found if start not in kept}
    return {name for name, _ in names - unread}


def _places(path: Path) -> dict[int, tuple[str, int]]:
    """Name and bytes of the parts of an archive, by where in the file their content begins."""
    found = {}
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        for part in archive.infolist():
            file.seek(part.header_offset + 26)  # in the part's own head: lengths of its name and of what follows that
            lengths = struct.unpack("<HH", file.read(4))
            found[part.header_offset + 30 + sum(lengths)] = (part.filename, part.file_size)
    return found


def _storages(values: Iterable[Any]) -> dict[int, int]:
    """Address and bytes of what tensors hold, wherever in the values they are."""
    found: dict[int, int] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, torch.Tensor):
            storage = value.untyped_storage()
            if storage.nbytes():
                found[storage.data_ptr()] = storage.nbytes()
        elif isinstance(value, Mapping):
            waiting += value.values()
        elif isinstance(value, (list, tuple)):
            waiting += value
    return found


def check_intact(path: Path, parts: Collection[str] | None = None) -> None:
    """Compare every byte of a torch file with the checksums in it, once for each process and state
    of the file.

    parts: those of the file that are read; None: all. Files of the format before torch 1.6 have no
    checksums and pass. Raises CheckpointError if the
    file is missing, or is not what was
    written. What it costs: ``python -m benchmarks.checkpoints``.
    """
    try:
        state = path.stat()
        known = (str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino)
        if known in _whole:
            return
        with path.open("rb") as file:
            if not _compare(path, file, parts):
                return
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    if parts is None:
        _whole.add(known)


def _compare(path: Location, file: BinaryIO, parts: Collection[str] | None = None) -> bool:
    """As ``check_intact``, of an open file. Returns whether it has checksums."""
    if file.read(len(_ZIP)) != _ZIP:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = next(
                (part.filename for part in archive.infolist() if part.compress_type != zipfile.ZIP_STORED), None
            )
            damaged = damaged or (archive.testzip() if parts is None else _damaged_part(archive, parts))
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError, zlib.error, struct.error) as error:
        raise _damaged(path, str(error) or "it is cut off") from error
    if damaged:
        raise _damaged(path, f"{damaged!r} in it is not what was written")
    return True


def _damaged_part(archive: zipfile.ZipFile, parts: Collection[str]) -> str | None:
    for name in sorted(parts):
        try:
            with archive.open(name) as part:
                while part.read(1 << 20):  # compares its checksum at its end
                    pass
        except zipfile.BadZipFile:
            return name
    return None


def _missing(path: Location) -> CheckpointError:
    return CheckpointError(f"there is no file {path}.")


def _damaged(path: Location, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: {why}. Copy or download it again, or take another checkpoint of its run."
    )
