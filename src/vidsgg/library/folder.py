"""A library on disk: a folder with Parquet files in parts, and ``library.json``, which says what
counts.

    library.json
    videos/000001.parquet  frames/000001.parquet  things/... edges/... relations/...

A part holds whole videos. A change writes new parts first and ``library.json`` last, in one step,
so that readers and killed writers always leave a whole library.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.atomic import whole_path, write_whole
from vidsgg.io.graphs import graph_from_json
from vidsgg.io.homes import unmarked_entries
from vidsgg.io.locations import Location
from vidsgg.io.untrusted import as_type, parse_json, read_json
from vidsgg.library.lock import LOCK, Check, sole_writer
from vidsgg.library.packages import pa, pc, pq
from vidsgg.library.tables import TABLES
from vidsgg.structures.graph import VideoGraph

FORMAT, VERSION = "vidsgg.library", 1
MANIFEST = "library.json"
_PATIENCE = 60.0  # seconds; a library begins in less
_MANIFEST_SIZE = 1 << 28  # bytes
_Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 60)]


class LibraryPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """name: of its files, without the suffix. rows: of each table."""

    name: Annotated[str, msgspec.Meta(pattern=r"^[0-9]{6,12}\Z")]
    rows: dict[str, _Count]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """next_video, next_part: numbers that were never used. checksum: of all the rest, so that a
    damaged list is noticed: by it files would be overwritten or removed."""

    format: str
    version: _Count
    next_video: _Count
    next_part: _Count
    parts: list[LibraryPart]
    checksum: str = ""


EMPTY = Manifest(FORMAT, VERSION, 1, 1, [])


@dataclass(frozen=True)
class Known:
    """A video of a library. key: (data set, video id, digest of the film): of two graphs with one
    key the newer one counts."""

    number: int
    name: str
    key: tuple[str, str, str | None]
    digest: str
    part: str


class LibraryFolder:
    """The files of a library. Other processes may read it while one writes."""

    def __init__(self, path: Location) -> None:
        """Raises DataError if there is no library, or if it is damaged or of a newer version."""
        self.path = path
        self.manifest = self._read()
        self._check_lock: Check = lambda: None

    @staticmethod
    def exists(path: Location) -> bool:
        return (path / MANIFEST).is_file()

    @staticmethod
    def create(path: Location) -> LibraryFolder:
        """The library in a folder, a new one if the folder is new or empty. Raises ConfigError for
        any other folder."""
        if not LibraryFolder.exists(path):
            if path.exists() and not path.is_dir():
                raise ConfigError(f"{path} is a file; name a folder for the library.")
            if any(entry.name != LOCK for entry in unmarked_entries(path, path / MANIFEST)):
                raise ConfigError(f"{path} is not empty and no library ({MANIFEST} is missing); name another folder.")
            path.mkdir(parents=True, exist_ok=True)
            with sole_writer(path, _PATIENCE):  # two processes at once: the second must not empty the first's
                if not LibraryFolder.exists(path):
                    write_whole(path / MANIFEST, _text(EMPTY))
        return LibraryFolder(path)

    @contextmanager
    def writing(self, patience: float = 0.0) -> Iterator[None]:
        """Nobody else writes inside; what others have written before is seen. patience: seconds to
        wait for another writer. Raises ConfigError if it takes longer."""
        with sole_writer(self.path, patience) as self._check_lock:
            self.manifest = self._read()
            self._remove_unlisted()
            yield

    def files(self, table: str) -> list[Location]:
        """The files of a table, in order; none if no part has been written."""
        return [self._file(table, part.name) for part in self.manifest.parts]

    def rows(self) -> dict[str, int]:
        """The number of rows of every table."""
        return {table: sum(part.rows.get(table, 0) for part in self.manifest.parts) for table in TABLES}

    def size(self) -> int:
        """Bytes of all files that count."""
        return sum(path.stat().st_size for table in TABLES for path in self.files(table))

    def known(self) -> list[Known]:
        """All videos, in order."""
        columns = ["video", "name", "dataset", "video_id", "film", "digest"]
        found = []
        for part in self.manifest.parts:
            for row in self.read("videos", part, columns).to_pylist():
                key = (row["dataset"], row["video_id"], row["film"])
                found.append(Known(row["video"], row["name"], key, row["digest"], part.name))
        return found

    def heads(self, video_ids: Collection[str]) -> Iterator[VideoGraph]:
        """The graphs of videos that are called so, without frames and relations."""
        for part in self.manifest.parts:
            for row in self.read("videos", part, ["video_id", "document"]).to_pylist():
                if row["video_id"] in video_ids:
                    yield graph_from_json(parse_json(row["document"]))

    def read(self, table: str, part: LibraryPart, columns: Sequence[str] | None = None) -> pa.Table:
        """A table of a part. Raises DataError if the file is missing, damaged, or of other columns."""
        path = self._file(table, part.name)
        try:
            with path.open("rb") as file:
                content = pq.read_table(file, columns=None if columns is None else list(columns), partitioning=None)
            wanted = TABLES[table] if columns is None else pa.schema([TABLES[table].field(name) for name in columns])
            return content.select(wanted.names).cast(wanted)
        except (OSError, KeyError, ValueError, pa.ArrowException) as error:
            said = str(error).splitlines()[0][:200]
            raise DataError(f"{path}: cannot be read: {said}. Build the library again.") from error

    def change(self, added: Sequence[Mapping[str, pa.Table]], dropped: Mapping[str, set[int]], next_video: int) -> None:
        """Add parts, and drop videos, in one step. Call it inside ``writing``.

        added: the five tables of each new part. dropped: numbers of videos by the part they are in.
        """
        number, parts, olds = self.manifest.next_part, list[LibraryPart](), list[str]()
        fresh: list[Mapping[str, pa.Table]] = []
        for part in self.manifest.parts:
            if part.name not in dropped:
                parts.append(part)
                continue
            olds.append(part.name)
            kept = {table: without(self.read(table, part), dropped[part.name]) for table in TABLES}
            if kept["videos"].num_rows:
                fresh.append(kept)
        for tables in [*fresh, *added]:
            parts.append(self._write(f"{number:06}", tables))
            number += 1
        self._commit(Manifest(FORMAT, VERSION, next_video, number, parts))
        for name in olds:
            self._remove(name)

    def _write(self, name: str, tables: Mapping[str, pa.Table]) -> LibraryPart:
        for table, content in tables.items():
            path = self._file(table, name)
            path.parent.mkdir(exist_ok=True)
            with whole_path(path) as temporary:
                pq.write_table(content, temporary, compression="zstd")
        return LibraryPart(name, {table: content.num_rows for table, content in tables.items()})

    def _commit(self, manifest: Manifest) -> None:
        self._check_lock()
        write_whole(self.path / MANIFEST, _text(manifest))
        self.manifest = manifest

    def _remove_unlisted(self) -> None:
        """Parts of killed writers, and those that a writer had no time to remove."""
        listed = {part.name for part in self.manifest.parts}
        for table in TABLES:
            for path in (self.path / table).glob("*.parquet"):
                if path.stem.isdecimal() and path.stem not in listed:
                    self._remove(path.stem)

    def _remove(self, name: str) -> None:
        for table in TABLES:
            self._file(table, name).unlink(missing_ok=True)

    def _file(self, table: str, name: str) -> Location:
        return self.path / table / f"{name}.parquet"

    def _read(self) -> Manifest:
        path = self.path / MANIFEST
        if not path.is_file():
            raise DataError(f"{self.path} is no library: {MANIFEST} is missing. 'vidsgg library build' makes one.")
        content = read_json(path, Any, _MANIFEST_SIZE)
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            raise DataError(f"{path} is not the list of a library of vidsgg.")
        if isinstance(content.get("version"), int) and content["version"] > VERSION:
            raise DataError(
                f"{path} is of version {content['version']}, this program reads {VERSION}; install a newer one."
            )
        manifest = as_type(content, Manifest, f"{path}: ")
        if manifest.checksum != _checksum(manifest):
            raise DataError(
                f"{path} is not what was written: its checksum is another one. Restore it from a copy, or build the"
                " library again in a new folder."
            )
        return manifest


def without(table: pa.Table, videos: set[int]) -> pa.Table:
    """The rows of all other videos."""
    return table.filter(pc.invert(pc.is_in(table["video"], pa.array(sorted(videos), pa.int64()))))


def renumbered(table: pa.Table, numbers: Mapping[int, int]) -> pa.Table:
    """The rows of the videos in ``numbers``, with new numbers."""
    place = pc.index_in(table["video"], pa.array(list(numbers), pa.int64()))
    there = pc.is_valid(place)
    new = pc.take(pa.array(list(numbers.values()), pa.int64()), place.filter(there))
    kept = table.filter(there)
    return kept.set_column(kept.schema.get_field_index("video"), kept.schema.field("video"), new)


def _text(manifest: Manifest) -> str:
    whole = msgspec.structs.replace(manifest, checksum=_checksum(manifest))
    return json.dumps(msgspec.to_builtins(whole), indent=1) + "\n"


def _checksum(manifest: Manifest) -> str:
    rest = msgspec.structs.replace(manifest, checksum="")
    return hashlib.sha256(msgspec.json.encode(rest, order="deterministic")).hexdigest()
