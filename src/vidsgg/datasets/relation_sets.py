"""What the formats of tables share: a split's files are read once, and its table is kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from vidsgg.datasets.annotation_cache import (
    SourceFiles,
    read_annotation_cache,
    split_cache_places,
    write_annotation_cache,
)
from vidsgg.datasets.faults import Faults
from vidsgg.datasets.findings import Book
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import DataError
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup, Vocabulary

_VERSION = 1
MAX_PAIRS = 512  # of a frame, where no option says otherwise: all pairs of 23 things


@dataclass
class Parsed:
    """A table, what is wrong with its files, and what is worth knowing of them."""

    table: RelationTable
    faults: Faults
    facts: Mapping[str, int] = field(default_factory=dict)


def relation_schema(
    name: str,
    title: str,
    objects: tuple[str, ...],
    subjects: tuple[str, ...],
    groups: tuple[PredicateGroup, ...],
    overlap: Literal["plus_one", "plain"] = "plus_one",
) -> Schema:
    """The schema of a data set in which any thing of the subjects' classes may be a subject, and
    every other thing of its frame its object. objects: with the background."""
    return Schema(
        name=name,
        title=title,
        vocabulary=Vocabulary(objects, subjects, groups),
        subject_kind="entity",
        subject_given=("predcls",),
        pairing="ordered",
        max_pairs=MAX_PAIRS,
        overlap=overlap,
    )


def load_table(
    root: Location,
    files: Sequence[Location],
    split: str,
    name: str,
    parse: Callable[[], Parsed],
    *,
    skip_bad: bool,
    listing: Listing | None = None,
) -> RelationTable:
    """The table of a split, from its cache if that was made of these files, else by ``parse``.

    name: of the format and the part, for the cache's name. listing: in which the files were found.
    Raises DataError for what is wrong with the files, unless it may be left out.
    """
    sources, places = SourceFiles(root, files, listing), split_cache_places(root, name)
    cached = read_annotation_cache(places, sources, f"vidsgg-{name}", _VERSION)
    found = None if cached is None else _restored(split, *cached)
    if found is None:
        parsed = parse()
        header: dict[str, Any] = {
            "format": f"vidsgg-{name}",
            "version": _VERSION,
            "stamp": sources.stamp,
            "content": sources.content(),
            "schema": parsed.table.schema.to_dict(),
            "faults": parsed.faults.to_header(),
        }
        write_annotation_cache(places, sources, parsed.table.to_columns(), header)
        found = parsed.table, parsed.faults
    table, faults = found
    faults.refuse(skip_bad=skip_bad)
    return table


def _restored(split: str, columns: Mapping[str, Any], header: Mapping[str, Any]) -> tuple[RelationTable, Faults] | None:
    """Table and faults of a cache; None for one whose parts contradict each other."""
    try:
        schema = Schema.from_dict(header["schema"])
        return RelationTable.from_columns(schema, split, columns), Faults.from_header(header["faults"])
    except (DataError, KeyError, TypeError, ValueError, AttributeError):
        return None


def tell_other_counts(
    part: str, facts: Mapping[str, int], published: Mapping[str, Mapping[str, int]], book: Book
) -> None:
    """A warning for every count of a part that is not the published one."""
    other = [
        f"{part}: {facts.get(name, 0):,} {name}, published {count:,}"
        for name, count in published.get(part, {}).items()
        if facts.get(name, 0) != count
    ]
    book.warning("count that differs from the published one", other)


def fact_lines(facts: Mapping[str, int]) -> list[str]:
    """Lines about what files hold; what does not occur is left out."""
    return [f"  {name}: {count:,}" for name, count in facts.items() if count]
