"""A search in a library: as a table, CSV, JSON, counts over time, and a page."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from vidsgg.errors import ConfigError, counted
from vidsgg.io.atomic import write_whole
from vidsgg.io.locations import location
from vidsgg.io.places import check_replaced
from vidsgg.library.page import hits_page
from vidsgg.library.search import LIMIT, Hits, Library
from vidsgg.options import option
from vidsgg.status import visible

_MOST_NOTES = 5  # of those that only some hits have


@dataclass(frozen=True)
class SearchOptions:
    """Options of ``vidsgg search``."""

    library: str = option(help="folder of a library", place="input", remote=True)
    query: str = option(
        default="",
        help='a class, such as cup, or relations in time, such as "person holding ?x then person putting ?x"',
    )
    limit: int = option(default=LIMIT, help="most hits, the highest scores first", low=1, high=1_000_000)
    format: Literal["table", "csv", "json", "counts"] = option(default="table", help="how to print the hits")
    every: float = option(default=60.0, help="seconds per line of -format counts", low=0.001, high=1e9)
    page: str = option(default="", help="also write a page with the hits as short clips", place="new file")
    videos: str = option(
        default="",
        help="for -page: folder of the videos; by default their paths when their graphs were added",
        place="input",
        remote=True,
    )
    sql: str = option(default="", help="run SQL instead of a query")
    explain: bool = option(default=False, help="print the SQL of the query instead of running it")


@dataclass(frozen=True)
class Searched:
    """text: what to print on standard output. notes: on standard error."""

    text: str
    notes: tuple[str, ...] = ()


def search_library(options: SearchOptions) -> Searched:
    """Ask a library. Raises ConfigError that points at the word of the query that is wrong."""
    if bool(options.query.strip()) == bool(options.sql.strip()):
        raise ConfigError(
            "give a query, or a question with -sql:\n"
            '  vidsgg search lib "person holding cup then person drinking_from cup"\n'
            '  vidsgg search lib -sql "SELECT predicate, count(*) FROM relations GROUP BY predicate"'
        )
    if options.page:
        check_replaced("option -page", Path(options.page), ".html")
    library = Library(options.library)
    if options.sql:
        if options.page or options.explain:
            raise ConfigError("options -page and -explain belong to a query, not to -sql.")
        return Searched(_rows(library, options))
    if options.explain:
        if options.page:
            raise ConfigError("option -page: -explain prints the SQL and searches nothing; leave out one of them.")
        return Searched(library.explain(options.query))
    hits = library.search(options.query, options.limit)
    notes = [
        counted(hits.total, "hit") + (f", the surest {len(hits):,} of them shown" if len(hits) < hits.total else ""),
        *hits.shared_notes(),
        *_notes_of_some(hits),
    ]
    if options.page:
        page = hits_page(library, hits, videos=location(options.videos) if options.videos else None)
        write_whole(Path(options.page), page.html)
        notes += [*page.notes, f"page: {options.page}"]
    return Searched(_text(hits, options), tuple(notes))


def _notes_of_some(hits: Hits) -> list[str]:
    """The notes that only some of the hits have, the most frequent ones first."""
    counts = Counter(note for hit in hits for note in hits.own_notes(hit)).most_common()
    lines = [f"{counted(count, 'hit')}: {note}" for note, count in counts[:_MOST_NOTES]]
    more = len(counts) - len(lines)
    return [*lines, f"{counted(more, 'further note')} in -format json"] if more else lines


def _text(hits: Hits, options: SearchOptions) -> str:
    if options.format == "json":
        return hits.to_json()
    if options.format == "csv":
        return hits.to_csv().rstrip("\n")
    if options.format == "counts":
        return "\n".join(f"{begin:10.1f} s  {count}" for begin, count in hits.counts(options.every))
    width = max((len(hit.video) for hit in hits), default=0)
    return visible(_lines(hits, width))


def _lines(hits: Hits, width: int) -> str:
    return "\n".join(
        f"{hit.video:{width}}  {_seconds(hit.begin)} to {_seconds(hit.end)}  {hit.score:.2f}  {'; '.join(hit.texts())}"
        for hit in hits
    )


def _seconds(value: float | None) -> str:
    return "      ?" if value is None else f"{value:7.1f}"


def _rows(library: Library, options: SearchOptions) -> str:
    found = library.sql(options.sql)
    if found is None:  # a statement without rows
        return ""
    names, rows = list(found.columns), found.fetchall()
    if options.format == "json":
        return json.dumps([dict(zip(names, row, strict=True)) for row in rows], ensure_ascii=False, default=str)
    if options.format == "csv":
        return "\n".join(",".join(_cell(value) for value in row) for row in [names, *rows])
    return "\n".join("\t".join("" if value is None else str(value) for value in row) for row in [names, *rows])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\n\r') else text
