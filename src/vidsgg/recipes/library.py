"""Libraries of graphs: to build, describe, merge and compact them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from vidsgg.errors import DataError, counted
from vidsgg.io.locations import location
from vidsgg.library.build import add_files, compact, merge
from vidsgg.library.folder import LibraryFolder
from vidsgg.library.search import Library
from vidsgg.options import option
from vidsgg.recipes.export import find_graphs
from vidsgg.recipes.many_options import ManyOptions


@dataclass(frozen=True)
class LibraryBuildOptions(ManyOptions):
    """Options of ``vidsgg library build``."""

    graphs: tuple[str, ...] = option(help="graph files, or folders of them", place="input", remote=True)
    out: str = option(
        help="folder of the library, a new one or one to add to", aliases=["o"], place="new folder", remote=True
    )
    jobs: int | None = option(
        None, "processes that read graphs; by default 1, on Ray as many as fit", low=1, high=100_000
    )


@dataclass(frozen=True)
class LibraryInfoOptions:
    """Options of ``vidsgg library info``."""

    library: str = option(help="folder of a library", place="input", remote=True)
    json: bool = option(default=False, help="print JSON")


@dataclass(frozen=True)
class LibraryMergeOptions:
    """Options of ``vidsgg library merge``."""

    libraries: tuple[str, ...] = option(help="folders of libraries to copy from", place="input", remote=True)
    out: str = option(
        help="folder of the library, a new one or one to add to", aliases=["o"], place="new folder", remote=True
    )


@dataclass(frozen=True)
class LibraryCompactOptions:
    """Options of ``vidsgg library compact``."""

    library: str = option(help="folder of a library", place="input", remote=True)


def build_library(options: LibraryBuildOptions, say: Callable[[str], None] = print) -> LibraryFolder:
    """Add graphs to a library. Graphs that are there already are kept, older ones of the same video
    replaced.

    Raises DataError at the end, naming every graph that could not be read; the others are there
    then.
    """
    options.check_engine()
    files = find_graphs(options.graphs)
    library = LibraryFolder.create(location(options.out))
    problems: list[str] = []
    engine = options.engine_for(options.jobs, len(files))
    tally = add_files(library, files, lambda file, error: problems.append(str(error)), engine)
    say(f"{options.out}: {tally.text()}")
    if problems:
        raise DataError("\n".join(problems))
    return library


def merge_libraries(options: LibraryMergeOptions, say: Callable[[str], None] = print) -> LibraryFolder:
    """Add what other libraries hold to a library."""
    others = [LibraryFolder(location(path)) for path in options.libraries]
    library = LibraryFolder.create(location(options.out))
    say(f"{options.out}: {merge(library, others).text()}")
    return library


def compact_library(options: LibraryCompactOptions) -> str:
    """Write a library's parts again, fewer and larger; says what changed."""
    before, after = compact(LibraryFolder(location(options.library)))
    return f"{options.library}: {before} parts became {after}"


def describe_library(options: LibraryInfoOptions) -> str:
    """What a library holds, as text or JSON."""
    library = Library(options.library)
    counts, words = library.counts(), library.words.of_relations
    hours = library.sql("SELECT coalesce(sum(seconds), 0) / 3600 FROM videos").fetchall()[0][0]
    size = library.folder.size()
    if options.json:
        content = {**counts, "hours": hours, "bytes": size, "parts": len(library.folder.manifest.parts)}
        return json.dumps({**content, "classes": words.classes, "predicates": words.predicates}, ensure_ascii=False)
    lines = [
        f"{options.library}: {counted(counts['videos'], 'video')}, {hours:,.2f} hours, {size / 1e6:,.1f} MB in"
        f" {counted(len(library.folder.manifest.parts), 'part')}",
        ", ".join(counted(counts[f"{one}s"], one) for one in ("frame", "thing", "edge", "relation")),
        f"classes:    {_most(words.classes)}",
        f"predicates: {_most(words.predicates)}",
    ]
    return "\n".join(lines)


def _most(names: tuple[str, ...], most: int = 15) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return (", ".join(names[:most]) or "none") + more
