"""Graphs into a library, libraries into one, many small parts into few large ones."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from vidsgg.errors import DataError
from vidsgg.execution.items import Lost
from vidsgg.execution.many import Engine, apply_in_order
from vidsgg.execution.processes import Processes
from vidsgg.io.graphs import graph_text, read_graph, whole_path_to
from vidsgg.io.locations import Location
from vidsgg.library.folder import Known, LibraryFolder, LibraryPart, renumbered
from vidsgg.library.packages import pa
from vidsgg.library.tables import TABLES, Entry, rows_of, tables_of
from vidsgg.structures.graph import VideoGraph

HERE = Processes()
_AT_ONCE = 16  # files that a worker reads at a time
_AHEAD = 64  # such batches that may wait in memory for one that takes longer
PART_ROWS = 2_000_000  # of all tables together: some 50 MB, and little memory while it is made


@dataclass
class Tally:
    """What a change did to a library: videos that are new, that replaced an older graph, and that
    were there already."""

    added: int = 0
    replaced: int = 0
    kept: int = 0

    def text(self) -> str:
        return f"{self.added:,} added, {self.replaced:,} replaced, {self.kept:,} there already"


def add_files(
    library: LibraryFolder,
    files: Sequence[Location],
    failed: Callable[[Location, DataError], None],
    engine: Engine = HERE,
    watch: Callable[[str], None] | None = None,
) -> Tally:
    """Add graph files; those whose graphs are there already are not even parsed. The library is the
    same wherever the files are read.

    failed: called with files that cannot be read, which cost themselves only.
    """
    batches = [files[start : start + _AT_ONCE] for start in range(0, len(files), _AT_ONCE)]

    def graphs() -> Iterator[tuple[str, VideoGraph, str | None]]:
        setup = _Read(frozenset(index.digests))
        with closing(apply_in_order(setup, batches, engine, ahead=_AHEAD, watch=watch)) as results:
            for result in results:
                if isinstance(result, Lost):
                    for file in result.item:
                        failed(file, DataError(f"{file}: {result.problem}"))
                    continue
                for file, read in zip(result.files, result.read, strict=True):
                    if isinstance(read, DataError):
                        failed(file, read)
                    elif read.graph is None:
                        index.tally.kept += 1
                    else:
                        yield read.digest, read.graph, _video_path(read.graph, file.parent)

    with library.writing():
        index = _Index(library)
        index.add(graphs())
        return index.tally


@dataclass(frozen=True)
class _FileRead:
    """A graph file. graph: None if a graph of this digest is there already."""

    digest: str
    graph: VideoGraph | None


@dataclass(frozen=True)
class _BatchRead:
    files: Sequence[Location]
    read: tuple[_FileRead | DataError, ...]


@dataclass(frozen=True)
class _Read:
    """Reads files. known: digests of graphs that are there already."""

    known: frozenset[str]

    def __call__(self, number: int) -> Callable[[Sequence[Location]], _BatchRead]:
        return lambda files: _BatchRead(files, tuple(map(self.read, files)))

    def read(self, file: Location) -> _FileRead | DataError:
        try:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            return _FileRead(digest, None if digest in self.known else read_graph(file))
        except OSError as error:
            return DataError(f"{file}: {error.strerror}.")
        except DataError as error:
            return error


def add_graphs(
    library: LibraryFolder, graphs: Iterable[VideoGraph], folder: Location = Path(), patience: float = 0.0
) -> Tally:
    """Add graphs. folder: where ``Origin.source`` is seen from. patience: seconds to wait for another
    writer."""
    with library.writing(patience):
        index = _Index(library)
        index.add((hashlib.sha256(graph_text(g)).hexdigest(), g, _video_path(g, folder)) for g in graphs)
        return index.tally


def merge(library: LibraryFolder, others: Sequence[LibraryFolder]) -> Tally:
    """Add everything that other libraries hold."""
    with library.writing():
        index = _Index(library)
        for other in others:
            known = defaultdict(list)
            for video in other.known():
                known[video.part].append(video)
            for part in other.manifest.parts:
                index.add_part(other, part, known[part.name])
        return index.tally


def drop(library: LibraryFolder, video_ids: Collection[str]) -> None:
    """Take videos out that are called so."""
    with library.writing():
        dropped: dict[str, set[int]] = defaultdict(set)
        for video in library.known():
            if video.key[1] in video_ids:
                dropped[video.part].add(video.number)
        if dropped:
            library.change([], dropped, library.manifest.next_video)


def compact(library: LibraryFolder, part_rows: int = PART_ROWS, patience: float = 0.0) -> tuple[int, int]:
    """Write the parts again, as few and as large as they may be; returns their numbers before and
    after."""
    with library.writing(patience):
        before = library.manifest.parts
        groups: list[list[LibraryPart]] = []
        rows = 0
        for part in before:
            size = sum(part.rows.values())
            if not groups or rows + size > part_rows:
                groups.append([])
                rows = 0
            groups[-1].append(part)
            rows += size
        for group in groups:
            if len(group) > 1:
                tables = {name: pa.concat_tables([library.read(name, part) for part in group]) for name in TABLES}
                videos = {
                    part.name: set(library.read("videos", part, ["video"])["video"].to_pylist()) for part in group
                }
                library.change([tables], videos, library.manifest.next_video)
        return len(before), len(library.manifest.parts)


class _Index:
    """The videos of a library while it is written to."""

    def __init__(self, library: LibraryFolder) -> None:
        self.library, self.tally = library, Tally()
        videos = library.known()
        self.by_key = {video.key: video for video in videos}
        self.names = {video.name for video in videos}
        self.digests = {video.digest for video in videos}
        self.next_video = library.manifest.next_video

    def has(self, digest: str) -> bool:
        return digest in self.digests

    def add(self, graphs: Iterable[tuple[str, VideoGraph, str | None]]) -> None:
        """Add (digest, graph, path of its video), a part at a time."""
        waiting: list[Entry] = []
        keys: set[tuple[str, str, str | None]] = set()
        dropped: dict[str, set[int]] = defaultdict(set)
        rows = 0
        for digest, graph, path in graphs:
            if self.has(digest):
                self.tally.kept += 1
                continue
            key = _key(graph)
            if rows >= PART_ROWS or key in keys:  # of two graphs of one video the later one counts
                self._write(waiting, dropped)
                waiting, keys, dropped, rows = [], set(), defaultdict(set), 0
            number, name = self._take(key, digest, dropped)
            waiting.append(Entry(number, name, path, digest, graph))
            keys.add(key)
            rows += sum(1 + len(frame.nodes) + len(frame.edges) for frame in graph.frames) + len(graph.relations)
        if waiting:
            self._write(waiting, dropped)

    def add_part(self, other: LibraryFolder, part: LibraryPart, videos: Sequence[Known]) -> None:
        """Add what is new in a part of another library."""
        dropped: dict[str, set[int]] = defaultdict(set)
        taken: list[tuple[Known, int, str]] = []
        for video in videos:
            if self.has(video.digest):
                self.tally.kept += 1
                continue
            taken.append((video, *self._take(video.key, video.digest, dropped)))
        if not taken:
            return
        numbers = {video.number: number for video, number, _ in taken}
        tables = {name: renumbered(other.read(name, part), numbers) for name in TABLES}
        names = {number: name for _, number, name in taken}
        column = pa.array([names[number] for number in tables["videos"]["video"].to_pylist()], pa.string())
        field = TABLES["videos"].get_field_index("name")
        tables["videos"] = tables["videos"].set_column(field, TABLES["videos"].field(field), column)
        self._change(tables, dropped, [(video.key, number, name, video.digest) for video, number, name in taken])

    def _take(self, key: tuple[str, str, str | None], digest: str, dropped: dict[str, set[int]]) -> tuple[int, str]:
        """Number and name for a video; an older graph of it is dropped and leaves its name."""
        number = self.next_video
        self.next_video += 1
        if older := self.by_key.get(key):
            dropped[older.part].add(older.number)
            self.digests.discard(older.digest)
            self.tally.replaced += 1
            name = older.name
        else:
            self.tally.added += 1
            name, count = key[1], 1
            while name in self.names:
                count += 1
                name = f"{key[1]} ({count})"
        self.names.add(name)
        self.digests.add(digest)
        return number, name

    def _write(self, entries: Sequence[Entry], dropped: dict[str, set[int]]) -> None:
        tables = tables_of(rows_of(entries))
        self._change(tables, dropped, [(_key(e.graph), e.number, e.name, e.digest) for e in entries])

    def _change(
        self,
        tables: dict[str, pa.Table],
        dropped: dict[str, set[int]],
        videos: Sequence[tuple[tuple[str, str, str | None], int, str, str]],
    ) -> None:
        before = {part.name for part in self.library.manifest.parts}
        self.library.change([tables], dropped, self.next_video)
        if dropped:  # what stays of these parts lies in new ones
            for video in self.library.known():
                self.by_key[video.key] = video
            return
        (part,) = (part.name for part in self.library.manifest.parts if part.name not in before)
        for key, number, name, digest in videos:
            self.by_key[key] = Known(number, name, key, digest, part)


def _key(graph: VideoGraph) -> tuple[str, str, str | None]:
    return graph.dataset, graph.video_id, graph.video.digest if graph.video else None


def _video_path(graph: VideoGraph, folder: Location) -> str | None:
    """Where the video is, seen from anywhere."""
    said = graph.made_by.source if graph.made_by else None
    return None if said is None else whole_path_to(said, folder)
