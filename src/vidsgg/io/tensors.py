"""Files of tensors and plain values: written whole or not at all, read without running anything
that is in them."""

from __future__ import annotations

import pickle
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vidsgg.errors import CheckpointError, DataError
from vidsgg.io.atomic import whole_file
from vidsgg.io.files import special_kind
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


def load_tensors(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """A torch file of tensors and plain values, onto the CPU. Raises CheckpointError if it is
    missing, damaged or asks for code.

    Every byte is compared with the file's checksums (``check_intact``), which torch does not do.
    mmap: leave the numbers on the disk until they are read, to look into a large file;
    then nothing is compared.
    """
    if path.exists() and (kind := special_kind(path.stat().st_mode)):
        raise CheckpointError(f"{path} is {kind}, not a file; name a file of weights.")
    if not mmap:
        check_intact(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
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


def check_intact(path: Path) -> None:
    """Compare every byte of a torch file with the checksums in it, once for each process and state
    of the file.

    Files of the format before torch 1.6 have no checksums and pass. Raises CheckpointError if the
    file is missing, or is not what was
    written. What it costs: ``python -m benchmarks.checkpoints``.
    """
    try:
        state = path.stat()
        known = (str(path.resolve()), state.st_size, state.st_mtime_ns, state.st_ino)
        if known in _whole:
            return
        with path.open("rb") as file:
            if file.read(len(_ZIP)) != _ZIP:
                return
        with zipfile.ZipFile(path) as archive:
            damaged = next(
                (part.filename for part in archive.infolist() if part.compress_type != zipfile.ZIP_STORED), None
            )
            damaged = damaged or archive.testzip()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (zipfile.BadZipFile, RuntimeError, ValueError, EOFError, zlib.error, struct.error) as error:
        raise _damaged(path, str(error) or "it is cut off") from error
    if damaged:
        raise _damaged(path, f"{damaged!r} in it is not what was written")
    _whole.add(known)


def _missing(path: Path) -> CheckpointError:
    return CheckpointError(f"there is no file {path}.")


def _damaged(path: Path, why: str) -> CheckpointError:
    return CheckpointError(
        f"{path} is damaged: {why}. Copy or download it again, or take another checkpoint of its run."
    )
