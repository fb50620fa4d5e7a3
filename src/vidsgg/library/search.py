"""Questions to a library: in the language of searches, or in SQL (DuckDB)."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.graphs import from_path
from vidsgg.io.locations import Location, RemotePath, location
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.packages import duckdb, pq
from vidsgg.library.sql import STEP_COLUMNS, KnownWords, compile_query, labels_called, sightings_sql
from vidsgg.library.tables import TABLES, graphs_of
from vidsgg.options import closest
from vidsgg.structures.graph import VideoGraph

LIMIT = 100  # hits, the surest first


@dataclass(frozen=True)
class FoundRelation:
    """A relation over time in a hit."""

    relation: int  #: position in the relations of the video's graph
    subject: str  #: class of the subject
    predicate: str  #: name of the predicate
    object: str  #: class of the object
    subject_track: int  #: id of the subject
    object_track: int  #: id of the object
    begin: float | None  #: seconds; None if unknown
    end: float | None  #: seconds; None if unknown
    score: float  #: 0..1

    def text(self) -> str:
        """``subject predicate object``."""
        return f"{self.subject} {self.predicate} {self.object}"


@dataclass(frozen=True)
class Hit:
    """A place in a video that matches a query."""

    video: str  #: name of the video in the library
    begin: float | None  #: seconds, the earliest of all relations; None if unknown
    end: float | None  #: seconds, the latest of all relations; None if unknown
    score: float  #: 0..1, the lowest of the relations' scores
    relations: tuple[FoundRelation, ...]  #: one for each relation of the query without ``not``


@dataclass(frozen=True)
class Hits:
    """The result of a search: a sequence of :class:`Hit`, the highest scores first."""

    query: str  #: the query as it was given
    hits: tuple[Hit, ...]  #: the hits with the highest scores
    total: int  #: number of all matches, also of those above the limit

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]

    def rows(self) -> list[dict[str, Any]]:
        """One row per hit: video, begin, end, score, relations (joined by ``;``)."""
        return [
            {
                "video": hit.video,
                "begin": hit.begin,
                "end": hit.end,
                "score": round(hit.score, 4),
                "relations": "; ".join(relation.text() for relation in hit.relations),
            }
            for hit in self.hits
        ]

    def counts(self, every: float) -> list[tuple[float, int]]:
        """Count the hits that begin in each interval of ``every`` seconds of their videos.

        Returns:
            Pairs of the interval's begin in seconds and the count, without empty intervals.
        """
        found = Counter(int(hit.begin // every) for hit in self.hits if hit.begin is not None)
        return [(index * every, count) for index, count in sorted(found.items())]

    def to_json(self) -> str:
        """The whole result as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """``rows`` as CSV."""
        file = io.StringIO()
        writer = csv.DictWriter(file, ["video", "begin", "end", "score", "relations"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return file.getvalue()

    def to_pandas(self) -> Any:
        """``rows`` as a ``pandas.DataFrame``.

        Raises:
            ConfigError: pandas is not installed.
        """
        return _pandas().DataFrame(self.rows(), columns=["video", "begin", "end", "score", "relations"])


@dataclass(frozen=True)
class FoundThing:
    """A thing in a video. track: None for all without one. begin, end: seconds of the first and of the
    last graph that has it, None if unknown. first: position of the former, from 0. frames: how many
    have it. score: the highest."""

    video: str
    label: str
    track: int | None
    begin: float | None
    end: float | None
    first: int
    frames: int
    score: float


class Library:
    """A library of graphs, opened for reading; :func:`vidsgg.open_library` opens one.

    Changes made after opening are not visible. Raises DataError if there is no library in the
    folder, or if it is damaged.
    """

    def __init__(self, path: str | Location) -> None:
        self.folder = LibraryFolder(location(path))
        self._database = duckdb.connect(":memory:")
        if isinstance(self.path, RemotePath):  # DuckDB reads the parts of files that a question needs
            self._database.register_filesystem(self.path.system())
        self._database.execute("SET preserve_insertion_order = false")
        # Refused in a notebook without ipywidgets, where there is no bar anyway.
        with contextlib.suppress(duckdb.InvalidInputException):
            self._database.execute("SET enable_progress_bar = false")
        for table, schema in TABLES.items():
            files = ", ".join(_quoted(str(file)) for file in self.folder.files(table))
            if files:
                self._run(f'CREATE VIEW "{table}" AS SELECT * FROM read_parquet([{files}])')
            else:
                self._database.register("_empty", schema.empty_table())
                self._run(f'CREATE TABLE "{table}" AS SELECT * FROM _empty')
                self._database.unregister("_empty")

    @property
    def path(self) -> Location:
        return self.folder.path

    @cached_property
    def names(self) -> dict[int, str]:
        """The videos' names by number, in the order in which they were added."""
        return {video.number: video.name for video in self.folder.known()}

    @cached_property
    def words(self) -> KnownWords:
        """The classes and predicates of all relations, the most frequent ones first."""

        def column(sql: str) -> tuple[str, ...]:
            return tuple(name for name, _ in self._run(sql).fetchall())

        ends = "SELECT subject AS c FROM relations UNION ALL SELECT object FROM relations"
        return KnownWords(
            column(f"SELECT c, count(*) AS n FROM ({ends}) GROUP BY c ORDER BY n DESC, c"),
            column("SELECT predicate, count(*) AS n FROM relations GROUP BY predicate ORDER BY n DESC, predicate"),
        )

    def explain(self, query: str) -> str:
        """Return the SQL of a search.

        Raises:
            ConfigError: the query is wrong; the message points at the word.
        """
        return compile_query(query, self.words)[0]

    def search(self, query: str, limit: int = LIMIT) -> Hits:
        """Find the places in videos that match a query.

        Args:
            query: for example ``person holding ?x then person drinking_from ?x``; docs/library.md
                describes the language.
            limit: the most hits to return.

        Returns:
            The hits, the highest scores first.

        Raises:
            ConfigError: the query is wrong; the message points at the word.
        """
        _check_limit(limit)
        sql, size = compile_query(query, self.words)
        found = self._run(f"SELECT *, count(*) OVER () AS total FROM (\n{sql}\n) LIMIT {limit}").fetchall()
        total = found[0][-1] if found else 0
        return Hits(query, tuple(self._hit(row, size) for row in found), total)

    def sightings(self, name: str, limit: int = LIMIT) -> tuple[tuple[FoundThing, ...], int]:
        """The things of a class, the surest first, and how many there are in all.

        name: as in a query: a class, or a part of its name (``cup`` of ``cup/glass/bottle``). limit:
        the most to return. Raises ConfigError if no video has such a thing.
        """
        _check_limit(limit)
        counted = "SELECT CAST(label AS VARCHAR) AS c, count(*) AS n FROM things GROUP BY c ORDER BY n DESC, c"
        known = [label for label, _ in self._run(counted).fetchall()]
        labels = labels_called(name, known)
        if not labels:
            raise ConfigError(f"no video of this library has a thing called {short(name)}{closest(name, known) or '.'}")
        order = "score DESC, video, first, name, track"
        sql = f"SELECT *, count(*) OVER () AS total FROM ({sightings_sql(labels)}) ORDER BY {order} LIMIT {limit}"
        rows = self._run(sql).fetchall()
        return tuple(FoundThing(self.names[row[0]], *row[1:-1]) for row in rows), rows[0][-1] if rows else 0

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """Run SQL over the tables ``videos``, ``frames``, ``things``, ``edges`` and ``relations``.

        Returns:
            DuckDB's result; ``.fetchall()``, ``.df()`` and ``.arrow()`` return its rows.

        Raises:
            ConfigError: the SQL is wrong, with DuckDB's message.
        """
        found: duckdb.DuckDBPyRelation = self._run(query)
        return found

    def to_pandas(self, table: str = "relations") -> Any:
        """Return a whole table as a ``pandas.DataFrame``, with the videos' names.

        Raises:
            ConfigError: there is no such table, or pandas is not installed.
        """
        if table not in TABLES:
            raise ConfigError(f"there is no table {short(table)}; there are {', '.join(TABLES)}.")
        _pandas()
        if table == "videos":
            return self._run("SELECT * FROM videos ORDER BY video").df()
        return self._run(f'SELECT v.name, t.* FROM "{table}" AS t JOIN videos AS v USING (video) ORDER BY video').df()

    def graph(self, name: str) -> VideoGraph:
        """Return the graph of a video, equal to the one that was added.

        Args:
            name: the video's name in the library.

        Raises:
            ConfigError: the library has no such video.
        """
        number = next((number for number, known in self.names.items() if known == name), None)
        if number is None:
            raise ConfigError(f"the library {self.path} has no video {short(name)}; it has {len(self.names):,} others.")
        return next(self._graphs([number]))

    def graphs(self) -> Iterator[VideoGraph]:
        """Yield all graphs, equal to those that were added."""
        for part in self.folder.manifest.parts:
            yield from graphs_of({table: self.folder.read(table, part).to_pylist() for table in TABLES}).values()

    def videos(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """Name, data set, number of frames and relations and length in seconds of some videos, in
        the order of ``names``."""
        sql = "SELECT name, dataset, frames, relations, seconds FROM videos WHERE name IN (SELECT unnest(?))"
        rows = self._database.execute(sql, [list(names)]).fetchall()
        columns = ("name", "dataset", "frames", "relations", "seconds")
        found = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
        return [found[name] for name in names]

    def video_path(self, name: str) -> Location | None:
        """The path of a video when its graph was added; None if unknown."""
        found = self._database.execute("SELECT path FROM videos WHERE name = ?", [name]).fetchone()
        return from_path(found[0], Path()) if found and found[0] else None

    def frame_at(self, name: str, seconds: float) -> int | None:
        """The position, from 0, of the first frame of a video's graph at this time or later; None if
        there is none."""
        sql = "SELECT min(f.frame) FROM frames AS f JOIN videos AS v USING (video) WHERE v.name = ? AND f.time >= ?"
        found = self._database.execute(sql, [name, seconds - 1e-6]).fetchone()
        return None if found is None or found[0] is None else int(found[0])

    def counts(self) -> dict[str, int]:
        """The number of rows of every table."""
        return self.folder.rows()

    def _graphs(self, numbers: Sequence[int]) -> Iterator[VideoGraph]:
        tables = {}
        for table, schema in TABLES.items():
            kept = [("video", "in", list(numbers))]
            rows: list[dict[str, Any]] = []
            for file in self.folder.files(table):
                with file.open("rb") as content:
                    rows += pq.read_table(content, filters=kept, partitioning=None).cast(schema).to_pylist()
            tables[table] = rows
        yield from graphs_of(tables).values()

    def _hit(self, row: Sequence[Any], size: int) -> Hit:
        video, begin, end, score, *values = row
        width = len(STEP_COLUMNS)
        relations = tuple(FoundRelation(*values[i * width : (i + 1) * width]) for i in range(size))
        return Hit(self.names[video], begin, end, score, relations)

    def _run(self, sql: str) -> Any:
        try:
            return self._database.sql(sql) if sql.lstrip().upper().startswith(("SELECT", "WITH")) else self._do(sql)
        except (duckdb.IOException, duckdb.InvalidInputException) as error:
            raise DataError(f"the library {self.path} cannot be read: {_first_line(error)}") from error
        except duckdb.Error as error:
            raise ConfigError(f"DuckDB rejects the query: {error}") from error

    def _do(self, sql: str) -> Any:
        return self._database.execute(sql)


def _check_limit(limit: int) -> None:
    if limit < 1:
        raise ConfigError(f"limit is {limit}; ask for one hit at least.")


def open_library(path: str | Location) -> Library:
    """Open a library of graphs, which ``vidsgg library build`` makes, for searching.

    Needs ``pip install vidsgg[library]``.

    Args:
        path: the library's folder, on this machine or in object storage (``s3://bucket/lib``).

    Raises:
        DataError: there is no library in the folder, or it is damaged.
    """
    return Library(path)


def _pandas() -> Any:
    try:
        import pandas
    except ImportError:
        raise ConfigError("pandas is not installed: pip install 'vidsgg[notebook]'.") from None
    return pandas


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0][:300]
