"""Records: a few named tensors and plain values in one file, written whole, checksummed, read by
mapping the file into memory, or from object storage by fetching it.

The layout is safetensors', so that any of its readers opens a record. Beside the tensors its header
holds one text: the checksum of the header, that of everything behind it (CRC-32, eight hexadecimal
digits each; the first taken with its own digits as zeros), and the plain values as JSON.
"""

from __future__ import annotations

import hashlib
import json
import math
import mmap
import zlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import torch
from safetensors.torch import save
from torch import Tensor

from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.io.atomic import whole_file
from vidsgg.io.files import check_regular
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.untrusted import as_type, parse_json

_FIELD = "vidsgg"
_MARK = f'"{_FIELD}":"'.encode()  # in the header's JSON, before the checksums
_BLANK = b"0" * 8
_BLOCK = 1 << 18  # bytes checked at once; they stay in the processor's cache between reading and checking
_LONGEST_HEADER = 1 << 24  # bytes; ours have a few thousand
_BEGINNING = 1 << 14  # bytes that are fetched at first of a record in object storage
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip

_Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 48)]


class _Entry(msgspec.Struct, forbid_unknown_fields=True):
    """One tensor as a header describes it."""

    dtype: Literal["F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL"]
    shape: Annotated[list[_Size], msgspec.Meta(max_length=16)]
    data_offsets: tuple[_Size, _Size]  # bytes behind the header, first and one past the last

    def __post_init__(self) -> None:
        begin, end = self.data_offsets
        if end - begin != math.prod(self.shape) * _DTYPES[self.dtype].itemsize:
            raise ValueError(f"{end - begin} bytes for the shape {self.shape}")


def encode_record(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> tuple[bytes, memoryview]:
    """Header and tensors as they lie in the file; the same content gives the same bytes."""
    seen: set[int] = set()
    own = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        place = value.untyped_storage().data_ptr()
        own[name] = value.clone() if place in seen else value  # safetensors refuses tensors that share memory
        seen.add(place)
    text = (2 * _BLANK).decode() + json.dumps(dict(about), sort_keys=True)
    data = memoryview(save(own, {_FIELD: text}))
    end = 8 + int.from_bytes(data[:8], "little")
    header, payload = bytearray(data[:end]), data[end:]
    at = header.index(_MARK) + len(_MARK)
    header[at + 8 : at + 16] = b"%08x" % zlib.crc32(payload)
    header[at : at + 8] = b"%08x" % zlib.crc32(header)
    return bytes(header), payload


def write_record(path: Location, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> int:
    """Write tensors and plain values. Returns the size in bytes. Raises OSError if the disk
    refuses; what was there before is intact."""
    header, payload = encode_record(tensors, about)
    with whole_file(path) as file:
        file.write(header)
        file.write(payload)
    return len(header) + len(payload)


class NoRecord(DataError):
    """The file of a record does not exist."""


class Record:
    """A record on disk; what is read of it is mapped, not copied. It pickles as its path: the
    reader maps the file itself.

    A record in object storage is read into memory, once, and pickles with what was read. Opening it
    fetches its beginning; whole: all of it at once. content: what was fetched before.

    path. about: its plain values. size: bytes. Opening checks the header and the file's size,
    ``verify`` everything else. Raises NoRecord if there is no such file, DataError naming it when it
    is cut off, damaged or something else, ConfigError if the object storage does not give it.
    """

    def __init__(self, path: Location, *, whole: bool = False, content: Tensor | None = None) -> None:
        self.path = path
        self._content = content  # (size,) uint8, of a record in object storage
        try:
            if isinstance(path, RemotePath):
                self._header = self._fetch_header(path, whole=whole)
            else:
                if path.exists():
                    check_regular(path)
                with path.open("rb") as file:
                    self.size = file.seek(0, 2)
                    file.seek(0)
                    self._header = file.read(self._header_length(file.read(8)))
        except FileNotFoundError:
            raise NoRecord(f"{path}: no such record.") from None
        except OSError as error:
            raise self._unreadable(error) from error
        self._start = 8 + len(self._header)
        self._entries, self.about = self._parse()
        expected = self._start + max((end for *_, end in self._entries.values()), default=0)
        if self.size != expected:
            raise self._damaged(
                f"is {'cut off' if self.size < expected else 'too long'}: {self.size} bytes, not {expected}"
            )

    def _header_length(self, beginning: bytes) -> int:
        length = int.from_bytes(beginning[:8], "little")
        if self.size < 8 + length:
            raise self._damaged(f"is cut off: {self.size} bytes")
        if length > _LONGEST_HEADER:
            raise self._damaged(f"says that its header has {length} bytes, which no record has")
        return length

    def _fetch_header(self, path: RemotePath, *, whole: bool) -> bytes:
        if whole:
            content = path.read_bytes()
            self._content = torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0)
        if self._content is not None:
            self.size = len(self._content)
            beginning = self._content[: 8 + _LONGEST_HEADER].numpy().tobytes()
        else:
            self.size = path.stat().st_size
            [beginning] = path.read_ranges([(0, min(self.size, _BEGINNING))])
        end = 8 + self._header_length(beginning)
        if end > len(beginning):
            [beginning] = path.read_ranges([(0, end)])
        return beginning[8:end]

    def _parse(self) -> tuple[dict[str, tuple[torch.dtype, list[int], int, int]], dict[str, Any]]:
        at = self._header.find(_MARK) + len(_MARK)
        try:
            whole = parse_json(self._header)
            text = as_type(whole.pop("__metadata__"), dict[str, str])[_FIELD]
            self._payload_checksum = int(text[8:16], 16)
            blank = len(self._header).to_bytes(8, "little") + self._header[:at] + _BLANK + self._header[at + 8 :]
            if zlib.crc32(blank) != int(text[:8], 16):
                raise self._damaged("has a damaged header (wrong checksum)")
            described = as_type(whole, dict[str, _Entry])
            about = as_type(parse_json(text[16:]), dict[str, Any])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, DataError) and str(self.path) in str(error):
                raise
            raise self._damaged("has a damaged header, or is no record of vidsgg") from error
        return {name: (_DTYPES[e.dtype], e.shape, *e.data_offsets) for name, e in described.items()}, about

    def _damaged(self, what: str) -> DataError:
        return DataError(
            f"{self.path}: {what}; remove the file and make it again ('vidsgg features' with -verify does both)."
        )

    def _unreadable(self, error: OSError) -> ConfigError | DataError:
        if isinstance(self.path, RemotePath):  # the record may be as it should be
            return ConfigError(f"{self.path}: cannot be read ({error.strerror}).")
        return self._damaged(f"cannot be read ({error.strerror})")

    def verify(self) -> None:
        """Compare the checksum of the tensors, reading all of them once. Raises DataError naming
        the file."""
        if isinstance(self.path, RemotePath):
            if zlib.crc32(self._memory[self._start :]) != self._payload_checksum:
                raise self._damaged("is damaged (wrong checksum)")
            return
        block, checksum = memoryview(bytearray(_BLOCK)), 0
        try:
            # Not through the map: a disk that fails while one is read kills the process.
            with self.path.open("rb", buffering=0) as file:
                file.seek(self._start)
                while count := file.readinto(block):
                    checksum = zlib.crc32(block[:count], checksum)
        except OSError as error:
            raise self._unreadable(error) from error
        if checksum != self._payload_checksum:
            raise self._damaged("is damaged (wrong checksum)")

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def __getitem__(self, name: str) -> Tensor:
        """A tensor as it lies in the file, in mapped memory; writing to it does not reach the file.
        Not aligned beyond its own type."""
        dtype, shape, start, end = self._entries[name]
        if start == end:
            return torch.empty(shape, dtype=dtype)
        count = math.prod(shape)
        return torch.frombuffer(self._memory, dtype=dtype, count=count, offset=self._start + start).view(shape)

    @cached_property
    def _memory(self) -> Any:
        """A buffer of the whole file: its map, or what was fetched."""
        if not isinstance(self.path, RemotePath):
            with self.path.open("rb") as file:
                return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        if self._content is None:
            now = Record(self.path, whole=True)
            if now._header != self._header:
                raise _replaced(self.path)
            self._content = now._content
        assert self._content is not None
        return self._content.numpy()

    def __reduce__(self) -> tuple[object, ...]:
        return _reopen, (self.path, self._header, self._content)


def read_shared(path: Path, what: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors, copied, and the plain values of a record from others; every byte is compared
    with its checksums. what: what it should be, for messages. Raises CheckpointError."""
    try:
        record = Record(path)
        record.verify()
        return {name: record[name].clone() for name in record}, record.about
    except DataError as error:
        said = str(error).split("; remove the file")[0].rstrip(".")
        raise CheckpointError(f"{said}. It is no {what} that can be read; copy or download it again.") from error


def record_digest(path: Path) -> str:
    """Tells records apart by their headers, which hold the checksums of everything. Raises CheckpointError."""
    try:
        return hashlib.sha256(Record(path)._header).hexdigest()
    except DataError as error:
        raise CheckpointError(str(error)) from error


def _reopen(path: Location, header: bytes, content: Tensor | None) -> Record:
    record = Record(path, content=content)
    if record._header != header:
        raise _replaced(path)
    return record


def _replaced(path: Location) -> DataError:
    return DataError(f"{path}: was replaced by another record while it was read; start again.")
