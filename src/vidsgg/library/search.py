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
from vidsgg.library.sql import STEP_COLUMNS, KnownWords, compile_query
from vidsgg.library.tables import TABLES, graphs_of
from vidsgg.structures.graph import VideoGraph

LIMIT = 100  # hits, the surest first


@dataclass(frozen=True)
class FoundRelation:
    """A relation over time of a hit, as ``RelationInterval`` has it; begin, end: seconds, None if
    unknown. relation: its position in the video's graph."""

    relation: int
    subject: str
    predicate: str
    object: str
    subject_track: int
    object_track: int
    begin: float | None
    end: float | None
    score: float

    def text(self) -> str:
        return f"{self.subject} {self.predicate} {self.object}"


@dataclass(frozen=True)
class Hit:
    """A place in a video where a query holds.

    video: its name in the library. begin, end: seconds, over all relations, None if unknown. score:
    0..1, the lowest of the relations'. relations: one for each of the query that must be there.
    """

    video: str
    begin: float | None
    end: float | None
    score: float
    relations: tuple[FoundRelation, ...]


@dataclass(frozen=True)
class Hits:
    """What a search found: the surest ``hits`` of ``total``, by score. query: as it was asked."""

    query: str
    hits: tuple[Hit, ...]
    total: int

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]

    def rows(self) -> list[dict[str, Any]]:
        """A table: video, begin, end, score, what was found (relations joined by ``;``)."""
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
        """How many hits begin in each stretch of ``every`` seconds of their videos, as (begin of
        the stretch, count), without empty ones."""
        found = Counter(int(hit.begin // every) for hit in self.hits if hit.begin is not None)
        return [(index * every, count) for index, count in sorted(found.items())]

    def to_json(self) -> str:
        """Everything, as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    def to_csv(self) -> str:
        """``rows`` as CSV."""
        file = io.StringIO()
        writer = csv.DictWriter(file, ["video", "begin", "end", "score", "relations"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return file.getvalue()

    def to_pandas(self) -> Any:
        """``rows`` as a pandas.DataFrame. Raises ConfigError if pandas is not installed."""
        return _pandas().DataFrame(self.rows(), columns=["video", "begin", "end", "score", "relations"])


class Library:
    """A library of graphs that is read and asked; see ``vidsgg.open_library``.

    Sees the library as it was when it was opened.
    """

    def __init__(self, path: str | Location) -> None:
        """Raises DataError if there is no library, or if it is damaged."""
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
        """The videos' names, by number, in the order in which they came."""
        return {video.number: video.name for video in self.folder.known()}

    @cached_property
    def words(self) -> KnownWords:
        """The classes and predicates that relations have, the most frequent ones first."""

        def column(sql: str) -> tuple[str, ...]:
            return tuple(name for name, _ in self._run(sql).fetchall())

        ends = "SELECT subject AS c FROM relations UNION ALL SELECT object FROM relations"
        return KnownWords(
            column(f"SELECT c, count(*) AS n FROM ({ends}) GROUP BY c ORDER BY n DESC, c"),
            column("SELECT predicate, count(*) AS n FROM relations GROUP BY predicate ORDER BY n DESC, predicate"),
        )

    def explain(self, query: str) -> str:
        """The SQL that a search runs. Raises ConfigError that points at the word that is wrong."""
        return compile_query(query, self.words)[0]

    def search(self, query: str, limit: int = LIMIT) -> Hits:
        """The places where a query holds, the surest first; see docs/library.md for the language.

        limit: the most hits to return. Raises ConfigError that points at the word of the query that
        is wrong.
        """
        if limit < 1:
            raise ConfigError(f"limit is {limit}; ask for one hit at least.")
        sql, size = compile_query(query, self.words)
        found = self._run(f"SELECT *, count(*) OVER () AS total FROM (\n{sql}\n) LIMIT {limit}").fetchall()
        total = found[0][-1] if found else 0
        return Hits(query, tuple(self._hit(row, size) for row in found), total)

    def sql(self, query: str) -> duckdb.DuckDBPyRelation:
        """The result of a question in SQL over the tables ``videos``, ``frames``, ``things``,
        ``edges`` and ``relations``; ``.fetchall()``, ``.df()`` and ``.arrow()`` give its rows.

        Raises ConfigError with DuckDB's message if the SQL is wrong.
        """
        found: duckdb.DuckDBPyRelation = self._run(query)
        return found

    def to_pandas(self, table: str = "relations") -> Any:
        """A whole table as a pandas.DataFrame, with the videos' names.

        Raises ConfigError if there is no such table, or if pandas is not installed.
        """
        if table not in TABLES:
            raise ConfigError(f"there is no table {short(table)}; there are {', '.join(TABLES)}.")
        _pandas()
        if table == "videos":
            return self._run("SELECT * FROM videos ORDER BY video").df()
        return self._run(f'SELECT v.name, t.* FROM "{table}" AS t JOIN videos AS v USING (video) ORDER BY video').df()

    def graph(self, name: str) -> VideoGraph:
        """The graph of a video, equal to the one that came in. Raises ConfigError if there is no
        such video."""
        number = next((number for number, known in self.names.items() if known == name), None)
        if number is None:
            raise ConfigError(f"the library {self.path} has no video {short(name)}; it has {len(self.names):,} others.")
        return next(self._graphs([number]))

    def graphs(self) -> Iterator[VideoGraph]:
        """All graphs, part by part, equal to those that came in."""
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
        """Where a video was when its graph came in, None if that is not known."""
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
            raise ConfigError(f"DuckDB refuses the question: {error}") from error

    def _do(self, sql: str) -> Any:
        return self._database.execute(sql)


def open_library(path: str | Location) -> Library:
    """A library of graphs, as 'vidsgg library build' makes it, to be searched, on this machine or in
    object storage (``s3://bucket/lib``).

    Needs ``pip install vidsgg[library]``. Raises DataError if there is no library.
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
