"""What distinguishes one video from another: its size and a digest of its content, wherever it lies
and whatever it is called."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from vidsgg.errors import DataError
from vidsgg.io.footage import picture_files
from vidsgg.io.locations import Location, RemotePath, read_parts

WHOLE = 256 * 2**20  # bytes; of larger videos as many are read
_BLOCK = 2**20  # bytes that are read in one piece
_LEAST = 2**16  # bytes that are read of every picture of a folder at least


SPARSE, _PIECES, _PIECE = "sha256-sparse", 16, 2**16  # of a file in object storage: so many blocks, of so many bytes


@dataclass(frozen=True)
class Content:
    """What a video file or a folder of pictures holds.

    digest: ``sha256:...`` of all bytes, ``sha256-sampled:...`` of evenly spaced blocks,
    ``sha256-sparse:...`` of a few small ones.
    """

    size: int  # bytes, of all pictures together
    digest: str

    def is_in(self, path: Location) -> bool:
        """Whether a file or folder holds this, by as much of it as this digest tells. Raises
        DataError if it cannot be read."""
        sparse = self.digest.startswith(f"{SPARSE}:")
        if not path.is_dir() and _size(path) != self.size:
            return False
        return self == (_sparse(path) if sparse else _dense(path))


def content_of(path: Location) -> Content:
    """The content of a video file, a picture or a folder of pictures, as graphs keep it.

    Of a file in object storage, its size and 16 evenly spaced blocks of 64 KiB count. Else all that
    ``_dense`` reads. Raises DataError if it cannot be read.
    """
    return _sparse(path) if isinstance(path, RemotePath) and not path.is_dir() else _dense(path)


def _sparse(path: Location) -> Content:
    try:
        size = path.stat().st_size
        step = max(0, size - _PIECE) / (_PIECES - 1)
        begins = sorted({round(i * step) for i in range(_PIECES)})
        parts = read_parts(path, [(begin, min(begin + _PIECE, size)) for begin in begins])
    except OSError as error:
        raise _unread(path, error) from error
    return Content(size, f"{SPARSE}:{hashlib.sha256(b''.join([f'{size}'.encode(), *parts])).hexdigest()}")


def _dense(path: Location) -> Content:
    """All bytes count up to ``WHOLE``; of a video file this is what ``sha256sum`` prints. Of a larger
    one, its size and evenly spaced blocks
    count, the first and the last among them: a film that was cut, encoded or copied anew differs in
    these, a change of a few bytes in place may not. Of a folder, the names of the pictures count
    too. Raises DataError if it cannot be read.
    """
    folder = path.is_dir()
    try:
        files = picture_files(path) if folder else [path]
        share = max(WHOLE // max(1, len(files)), _LEAST)
        sha, total, sampled = hashlib.sha256(), 0, False
        for file in files:
            with file.open("rb") as content:
                size = content.seek(0, 2)
                total += size
                if folder or size > share:
                    sha.update(f"{file.name if folder else ''}\0{size}\0".encode("utf-8", "surrogateescape"))
                sampled |= size > share
                for start in _blocks(size, share):
                    _add(sha, content, start)
    except OSError as error:
        raise _unread(path, error) from error
    return Content(total, f"sha256{'-sampled' if sampled else ''}:{sha.hexdigest()}")


def _size(path: Location) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unread(path, error) from error


def _unread(path: Location, error: OSError) -> DataError:
    return DataError(f"cannot read {path}: {error.strerror}.")


def _blocks(size: int, share: int) -> list[int]:
    """Where the blocks begin that are read of a file: all, or as many as ``share`` bytes, evenly
    spaced."""
    if size <= share:
        return list(range(0, size, _BLOCK))
    count = max(2, share // _BLOCK)
    return [i * (size - min(_BLOCK, size // 2)) // (count - 1) for i in range(count)]


def _add(sha: hashlib._Hash, content: BinaryIO, start: int) -> None:
    content.seek(start)
    sha.update(content.read(_BLOCK))
