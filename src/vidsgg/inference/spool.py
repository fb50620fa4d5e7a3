"""Frames on their way through a second pass: on the disk, so that memory stays flat however long a
video is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import IO

import msgspec

from vidsgg.errors import DataError
from vidsgg.structures.graph import GraphFrame

_encoder, _decoder = msgspec.msgpack.Encoder(), msgspec.msgpack.Decoder(GraphFrame)


class FrameSpool:
    """Graphs of frames in a temporary file without a name: written once, then read in order. It is
    gone when the block ends, also if the process is killed."""

    def __init__(self) -> None:
        """Raises DataError if there is no room for temporary files."""
        try:
            self._file: IO[bytes] = tempfile.TemporaryFile(prefix="vidsgg-")  # noqa: SIM115 (closed by __exit__)
        except OSError as error:
            raise _no_room(error) from error
        self.count = 0

    def __enter__(self) -> FrameSpool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, frame: GraphFrame) -> None:
        """Raises DataError if the disk is full."""
        data = _encoder.encode(frame)
        try:
            self._file.write(len(data).to_bytes(8, "little") + data)
        except OSError as error:
            raise _no_room(error) from error
        self.count += 1

    def __iter__(self) -> Iterator[GraphFrame]:
        """All frames from the first on. Raises DataError if the disk is full."""
        try:
            self._file.seek(0)  # writes what is still in memory
            for _ in range(self.count):
                size = int.from_bytes(self._file.read(8), "little")
                yield _decoder.decode(self._file.read(size))
        except OSError as error:
            raise _no_room(error) from error


def _no_room(error: OSError) -> DataError:
    return DataError(
        f"cannot write a temporary file in {tempfile.gettempdir()}: {error.strerror}. Name another folder by TMPDIR."
    )
