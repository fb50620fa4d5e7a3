"""Annotations as columns: many videos end to end in a few flat arrays, and their file.

The file is an uncompressed ``.npz`` that holds plain numbers only (``allow_pickle=False``). It is
written under a temporary name and renamed, so a kill leaves the old file or the new one, never half
of one.
"""

from __future__ import annotations

import itertools
import json
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.atomic import whole_file
from vidsgg.io.files import check_regular
from vidsgg.io.untrusted import as_type, parse_json
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema

_FORMAT, _VERSION = "vidsgg-annotations", 2

# Which rows a column of VideoAnnotation counts.
_AXIS = {
    "frame_number": "frame", "frame_unit": "frame", "frame_slot": "frame", "frame_size": "frame",
    "node_box": "node", "node_class": "node", "node_frame": "node", "node_identity": "node",
    "action_class": "action",
    "pair_subject": "pair", "pair_object": "pair", "pair_frame": "pair",
}  # fmt: skip
_AXES = ("frame", "node", "action", "pair")


def ragged_rows(start: Array, length: Array) -> Array:
    """Row numbers of many runs, one after the other: ``start[0], start[0] + 1, ..., start[1],
    ...``. Returns (sum(length),) int64."""
    length = np.asarray(length, np.int64)
    shift = np.asarray(start, np.int64) - (np.cumsum(length) - length)
    rows: Array = np.arange(length.sum(), dtype=np.int64) + np.repeat(shift, length)
    return rows


@dataclass(frozen=True, eq=False)
class Texts:
    """Many strings as one array of UTF-8 bytes. data (B,) uint8; start (n + 1,) int64, where each
    string begins and the last ends."""

    data: Array
    start: Array

    def __post_init__(self) -> None:
        check_starts("texts", self.start, len(self.data))

    @classmethod
    def of(cls, strings: Iterable[str]) -> Texts:
        encoded = [string.encode("utf-8", "surrogatepass") for string in strings]
        start = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(e) for e in encoded], out=start[1:])
        return cls(np.frombuffer(b"".join(encoded), np.uint8), start)

    def __len__(self) -> int:
        return len(self.start) - 1

    def __getitem__(self, index: int) -> str:
        return self.span(index, index + 1)[0]

    def __iter__(self) -> Iterator[str]:
        return iter(self.span(0, len(self)))

    def span(self, first: int, last: int) -> tuple[str, ...]:
        """Strings ``first`` to ``last - 1``."""
        cut = self.start[first : last + 1].tolist()
        data = self.data[cut[0] : cut[-1]].tobytes()
        try:
            return tuple(
                data[a - cut[0] : b - cut[0]].decode("utf-8", "surrogatepass") for a, b in itertools.pairwise(cut)
            )
        except UnicodeDecodeError as error:
            raise DataError(f"texts {first}..{last - 1} are not UTF-8; the file is damaged, make it again.") from error

    def take(self, rows: Array) -> Texts:
        """The strings at ``rows``, in that order."""
        length = np.diff(self.start)[rows]
        start = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(length, out=start[1:])
        return Texts(self.data[ragged_rows(self.start[rows], length)], start)


def check_starts(name: str, start: Array, size: int) -> None:
    """``start`` cuts ``size`` rows into runs: from 0, never decreasing, to ``size``. Raises
    DataError."""
    whole = start.ndim == 1 and len(start) > 0 and start.dtype.kind == "i"
    if not whole or start[0] != 0 or start[-1] != size or (np.diff(start) < 0).any():
        raise DataError(f"{name}: the offsets do not cut {size} rows into runs; the file is damaged, make it again.")


def save_columns(path: Path, columns: Mapping[str, Array], header: Mapping[str, Any]) -> None:
    """Write arrays and a JSON header to an uncompressed ``.npz``, whole or not at all. Raises
    OSError if the disk refuses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = np.frombuffer(json.dumps(dict(header)).encode("ascii"), np.uint8)
    with whole_file(path) as file:
        np.savez(file, header=text, **columns)  # type: ignore[arg-type]  # the stubs take every name for allow_pickle


def load_columns(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """Read what ``save_columns`` wrote: (arrays, header). Raises DataError naming the file if it is
    missing, torn or foreign."""
    try:
        _check_members(path)
        with np.load(path, allow_pickle=False) as file:
            columns = {name: file[name] for name in file.files}
        header = as_type(parse_json(columns.pop("header").tobytes()), dict[str, Any])
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file.") from error
    except _UNREADABLE as error:
        raise DataError(
            f"{path}: not a readable column file; it is damaged or of another kind. Make it again."
        ) from error
    return columns, header


# What zipfile and numpy's reader of headers raise for damaged files.
_UNREADABLE = (
    OSError, EOFError, ValueError, KeyError, AttributeError, TypeError, RuntimeError, NotImplementedError, SyntaxError, MemoryError,
    OverflowError, RecursionError, zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip


def _check_members(path: Path) -> None:
    """Refuses what ``save_columns`` never writes: members that unpack to more bytes than the file
    has, other things than arrays."""
    if path.exists():
        check_regular(path)
    with zipfile.ZipFile(path) as file:
        for member in file.infolist():
            if (
                member.compress_type != zipfile.ZIP_STORED
                or member.file_size > path.stat().st_size
                or not member.filename.endswith(".npy")
            ):
                raise ValueError(f"its part {short(member.filename[:60])} is no uncompressed array")
            with file.open(member) as part:
                version = np.lib.format.read_magic(part)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                shape, _, dtype = read(part)
                if math.prod(shape) * dtype.itemsize > member.file_size or dtype.hasobject or min(shape, default=0) < 0:
                    raise ValueError(
                        f"its part {short(member.filename[:60])} says that it has the shape {short(shape)}"
                    )


@dataclass(frozen=True, eq=False)
class AnnotationTable:
    """The annotations of V videos end to end; ``table[i]`` builds the i-th.

    video_id, source_id, split (V); fps (V,) float64, NaN where unknown. frame_key: one per frame.
    columns: every array of VideoAnnotation by its name, the videos' rows one after the other;
    indices in them count inside their video, as there.
    labels: per predicate group, (rows of pairs, C) bool. start: for "frame", "node", "action" and
    "pair", (V + 1,) int64: the first row of each video, and the end. Any integer type will do;
    building a video converts and checks.
    """

    schema: Schema
    video_id: Texts
    source_id: Texts
    split: Texts
    fps: Array
    frame_key: Texts
    columns: Mapping[str, Array]
    labels: Mapping[str, Array]
    start: Mapping[str, Array]

    def __post_init__(self) -> None:
        videos = len(self.video_id)
        for name in ("source_id", "split", "fps"):
            if len(getattr(self, name)) != videos:
                raise DataError(f"annotation table: {name} has {len(getattr(self, name))} rows for {videos} videos.")
        for column, array in self.columns.items():
            check_starts(f"annotation table, {column}", self.start[_AXIS[column]], len(array))
        check_starts("annotation table, frame_key", self.start["frame"], len(self.frame_key))
        for group, array in self.labels.items():
            check_starts(f"annotation table, labels of {group}", self.start["pair"], len(array))
        for axis in _AXES:
            if len(self.start[axis]) != videos + 1:
                raise DataError(
                    f"annotation table: {axis}s are cut for {len(self.start[axis]) - 1} videos, there are {videos}."
                )

    @classmethod
    def of(cls, schema: Schema, annotations: Sequence[VideoAnnotation]) -> AnnotationTable:
        """Annotations of one schema, laid end to end. Raises DataError if one has another
        schema."""
        for annotation in annotations:
            if annotation.schema != schema:
                raise DataError(
                    f"video {short(annotation.video_id)} has schema {short(annotation.schema.name)}, the table"
                    f" {short(schema.name)}."
                )
        counts = {
            "frame": [a.frames for a in annotations],
            "node": [a.nodes for a in annotations],
            "action": [len(a.action_class) for a in annotations],
            "pair": [a.pairs for a in annotations],
        }

        def stack(arrays: list[Array], empty: Array) -> Array:
            return np.concatenate(arrays) if arrays else empty

        empty = {"frame_size": np.zeros((0, 2), np.float32), "node_box": np.zeros((0, 4), np.float32)}
        return cls(
            schema,
            Texts.of(a.video_id for a in annotations),
            Texts.of(a.source_id for a in annotations),
            Texts.of(a.split for a in annotations),
            np.array([np.nan if a.fps is None else a.fps for a in annotations], np.float64),
            Texts.of(key for a in annotations for key in a.frame_key),
            {
                name: stack([getattr(a, name) for a in annotations], empty.get(name, np.zeros(0, np.int64)))
                for name in _AXIS
            },
            {
                g.name: stack([a.labels[g.name] for a in annotations], np.zeros((0, len(g)), np.bool_))
                for g in schema.vocabulary.groups
            },
            {axis: np.concatenate([[0], np.cumsum(rows)]).astype(np.int64) for axis, rows in counts.items()},
        )

    def __len__(self) -> int:
        return len(self.video_id)

    def __getitem__(self, index: int) -> VideoAnnotation:
        """Build video ``index``. Raises IndexError outside the table and DataError if the columns
        contradict each other."""
        index = range(len(self))[index]
        rows = {axis: slice(int(self.start[axis][index]), int(self.start[axis][index + 1])) for axis in _AXES}
        fps = float(self.fps[index])
        return VideoAnnotation(
            schema=self.schema,
            video_id=self.video_id[index],
            source_id=self.source_id[index],
            split=self.split[index],
            fps=None if np.isnan(fps) else fps,
            frame_key=self.frame_key.span(rows["frame"].start, rows["frame"].stop),
            labels={name: hot[rows["pair"]] for name, hot in self.labels.items()},
            **{name: self.columns[name][rows[axis]] for name, axis in _AXIS.items()},
        )

    def save(self, path: Path) -> None:
        """Write the table; ``load`` reads an equal one back."""
        texts = {
            "video_id": self.video_id,
            "source_id": self.source_id,
            "split": self.split,
            "frame_key": self.frame_key,
        }
        columns = {
            "fps": self.fps,
            **self.columns,
            **{f"labels.{i}": self.labels[group.name] for i, group in enumerate(self.schema.vocabulary.groups)},
            **{f"start.{axis}": self.start[axis] for axis in _AXES},
            **texts_to_columns(texts),
        }
        save_columns(path, columns, {"format": _FORMAT, "version": _VERSION, "schema": self.schema.to_dict()})

    @classmethod
    def load(cls, path: Path) -> AnnotationTable:
        """Read a table. Raises DataError naming the file if it is missing, damaged or of another
        format."""
        columns, header = load_columns(path)
        if (header.get("format"), header.get("version")) != (_FORMAT, _VERSION):
            raise DataError(
                f"{path}: holds {short(header.get('format'))} version {short(header.get('version'))}, not"
                f" {short(_FORMAT)} {_VERSION}."
            )
        try:
            schema = Schema.from_dict(header["schema"])
            return cls(
                schema,
                texts_from_columns(columns, "video_id"),
                texts_from_columns(columns, "source_id"),
                texts_from_columns(columns, "split"),
                columns["fps"],
                texts_from_columns(columns, "frame_key"),
                {name: columns[name] for name in _AXIS},
                {group.name: columns[f"labels.{i}"] for i, group in enumerate(schema.vocabulary.groups)},
                {axis: columns[f"start.{axis}"] for axis in _AXES},
            )
        except KeyError as error:
            raise DataError(f"{path}: lacks {error}; make it again.") from error
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


def texts_to_columns(texts: Mapping[str, Texts]) -> dict[str, Array]:
    """Text columns as plain arrays under two names each."""
    return {f"{name}.{part}": getattr(text, part) for name, text in texts.items() for part in ("data", "start")}


def texts_from_columns(columns: Mapping[str, Array], name: str) -> Texts:
    """A text column of ``texts_to_columns``. Raises KeyError if it is not there, DataError if its
    offsets are damaged."""
    return Texts(columns[f"{name}.data"], columns[f"{name}.start"])
