"""Questions to a library: in the language of searches, or in SQL (DuckDB)."""

from __future__ import annotations

import atexit
import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakSet

from vidsgg.errors import ConfigError, DataError, counted, short
from vidsgg.io.graphs import from_path
from vidsgg.io.locations import Location, RemotePath, location
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.language import asked_class, turned_query
from vidsgg.library.packages import duckdb, pq
from vidsgg.library.sql import STEP_COLUMNS, CompiledQuery, KnownWords, LibraryWords, compile_query
from vidsgg.library.tables import TABLES, graphs_of, notes_in, vocabularies_in
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
class FoundThing:
    """A thing in a hit: a track of a video, or all its things of a class that have no track."""

    label: str  #: class of the thing
    track: int | None  #: id; None for all things without one
    first: int  #: position of the first frame that has it, from 0
    frames: int  #: number of frames that have it

    def text(self) -> str:
        """``class in 12 graphs``."""
        return f"{self.label} in {counted(self.frames, 'graph')}"


@dataclass(frozen=True)
class Hit:
    """A place in a video that matches a query."""

    video: str  #: name of the video in the library
    begin: float | None  #: seconds, the earliest of all relations; None if unknown
    end: float | None  #: seconds, the latest of all relations; None if unknown
    score: float  #: 0..1, the lowest of the relations' scores, or the highest of the thing's
    relations: tuple[FoundRelation, ...]  #: one for each relation of the query without ``not``
    thing: FoundThing | None = None  #: what was found, if the query is a class
    notes: tuple[str, ...] = ()  #: of the graph, such as that no model saw the pictures

    def texts(self) -> list[str]:
        """What was found, in words: a line for each relation, or one for the thing."""
        return [relation.text() for relation in self.relations] if self.thing is None else [self.thing.text()]


@dataclass(frozen=True)
class Hits:
    """The result of a search: a sequence of :class:`Hit`, the highest scores first."""

    query: str  #: the query as it was given
    hits: tuple[Hit, ...]  #: the hits with the highest scores
    total: int  #: number of all matches, also of those above the limit
    notes: tuple[str, ...] = ()  #: on the query: words that the library knows, but has nowhere

    def __iter__(self) -> Iterator[Hit]:
        return iter(self.hits)

    def __len__(self) -> int:
        return len(self.hits)

    def __getitem__(self, index: int) -> Hit:
        return self.hits[index]

    def shared_notes(self) -> tuple[str, ...]:
        """What to show above all hits: the notes on the query, and those that all hits have."""
        first = self.hits[0].notes if self.hits else ()
        return (*self.notes, *(note for note in first if all(note in hit.notes for hit in self.hits)))

    def own_notes(self, hit: Hit) -> tuple[str, ...]:
        """What to show beside a hit: its notes that not all hits have."""
        shared = self._shared
        return tuple(note for note in hit.notes if note not in shared)

    @cached_property
    def _shared(self) -> frozenset[str]:
        return frozenset(self.shared_notes())

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ``rows``."""
        found = ("relations",) if asked_class(self.query) is None else ("thing", "track", "frames")
        return ("video", "begin", "end", "score", *found)

    def rows(self) -> list[dict[str, Any]]:
        """One row per hit: video, begin, end, score, relations (joined by ``;``); for things thing,
        track and frames in place of relations."""
        return [dict(zip(self.columns, _cells(hit), strict=True)) for hit in self.hits]

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
        writer = csv.DictWriter(file, self.columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows())
        return file.getvalue()

    def to_pandas(self) -> Any:
        """``rows`` as a ``pandas.DataFrame``.

        Raises:
            ConfigError: pandas is not installed.
        """
        return _pandas().DataFrame(self.rows(), columns=list(self.columns))


def _cells(hit: Hit) -> tuple[Any, ...]:
    thing = hit.thing
    found = ("; ".join(hit.texts()),) if thing is None else (thing.label, thing.track, thing.frames)
    return (hit.video, hit.begin, hit.end, round(hit.score, 4), *found)


_open_databases: WeakSet[duckdb.DuckDBPyConnection] = WeakSet()


@atexit.register
def _close_databases() -> None:
    """A thread of DuckDB that still works while Python ends aborts the process."""
    for database in list(_open_databases):
        database.close()


class _Words:
    """The words that a library knows, counted when they are needed. run: of a library."""

    def __init__(self, run: Callable[[str], Any]) -> None:
        self._run = run

    @cached_property
    def of_relations(self) -> KnownWords:
        """The classes and predicates of all relations over time."""
        ends = "SELECT subject AS word FROM relations UNION ALL SELECT object FROM relations"
        return KnownWords(self._counted(ends), self._counted("SELECT predicate AS word FROM relations"))

    @cached_property
    def of_graphs(self) -> KnownWords:
        """The classes of all things in frames, and the predicates of all relations there."""
        return KnownWords(
            self._counted("SELECT label AS word FROM things"), self._counted("SELECT predicate AS word FROM edges")
        )

    @cached_property
    def of_vocabularies(self) -> KnownWords:
        """The classes and predicates that graphs can use."""
        found = vocabularies_in(document for (document,) in self._run("SELECT document FROM videos").fetchall())
        classes = (name for v in found for name in (*v.objects[1:], *v.subjects))
        predicates = (name for v in found for group in v.groups for name in group.predicates)
        return KnownWords(tuple(dict.fromkeys(classes)), tuple(dict.fromkeys(predicates)))

    def _counted(self, words: str) -> tuple[str, ...]:
        """The words of a column, the most frequent ones first."""
        sql = f"SELECT CAST(word AS VARCHAR) AS word, count(*) AS n FROM ({words}) GROUP BY word ORDER BY n DESC, word"
        return tuple(word for word, _ in self._run(sql).fetchall())


class Library:
    """A library of graphs, opened for reading; :func:`vidsgg.open_library` opens one.

    Changes made after opening are not visible. Raises DataError if there is no library in the
    folder, or if it is damaged.
    """

    def __init__(self, path: str | Location) -> None:
        self.folder = LibraryFolder(location(path))
        self._database = duckdb.connect(":memory:")
        _open_databases.add(self._database)
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
    def words(self) -> LibraryWords:
        """The classes and predicates that a query can name."""
        return _Words(self._run)

    def explain(self, query: str) -> str:
        """Return the SQL of a search, with a comment for each word that no graph uses.

        Raises:
            ConfigError: the query is wrong; the message points at the word.
        """
        compiled = compile_query(query, self.words)
        return "\n".join([*(f"-- {note}" for note in compiled.notes), compiled.sql])

    def search(self, query: str, limit: int = LIMIT) -> Hits:
        """Find the places in videos that match a query.

        Args:
            query: for example ``person holding ?x then person drinking_from ?x``, or a class such as
                ``cup``; docs/library.md describes the language.
            limit: the most hits to return.

        Returns:
            The hits, the highest scores first. A class or predicate that the vocabulary of the graphs
            has and no graph uses finds nothing; ``notes`` says so, and where a relation is found the
            other way round.

        Raises:
            ConfigError: the query is wrong; the message points at the word.
        """
        _check_limit(limit)
        compiled = compile_query(query, self.words)
        counted_all = f"SELECT *, count(*) OVER () AS total FROM (\n{compiled.select}\n)"
        rows = self._run(f"{counted_all} ORDER BY {compiled.order} LIMIT {limit}").fetchall()
        notes = self._notes({row[0] for row in rows})
        hits = tuple(self._hit(row[:-1], compiled, notes[row[0]]) for row in rows)
        turned = self._turned(query) if compiled.relations and not rows else ()
        return Hits(query, hits, rows[0][-1] if rows else 0, (*compiled.notes, *turned))

    def _turned(self, query: str) -> tuple[str, ...]:
        """A note if a relation that has no hit has some with subject and object exchanged: some
        predicates are read from the object, as cup in_front_of person."""
        other = turned_query(query)
        if other is None:
            return ()
        counting = f"SELECT count(*) FROM (\n{compile_query(other, self.words).select}\n)"
        found = self._run(counting).fetchall()[0][0]
        return (f"the other way round, {other!r}, it has {counted(found, 'hit')}",) if found else ()

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

    def _notes(self, numbers: Collection[int]) -> dict[int, tuple[str, ...]]:
        """The notes of some videos' graphs."""
        sql = "SELECT video, document FROM videos WHERE video IN (SELECT unnest(?))"
        return {number: notes_in(text) for number, text in self._database.execute(sql, [list(numbers)]).fetchall()}

    def _hit(self, row: Sequence[Any], compiled: CompiledQuery, notes: tuple[str, ...]) -> Hit:
        video, begin, end, score, *values = row
        if not compiled.relations:
            return Hit(self.names[video], begin, end, score, (), FoundThing(*values), notes)
        width = len(STEP_COLUMNS)
        relations = tuple(FoundRelation(*values[i * width : (i + 1) * width]) for i in range(compiled.relations))
        return Hit(self.names[video], begin, end, score, relations, None, notes)

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
