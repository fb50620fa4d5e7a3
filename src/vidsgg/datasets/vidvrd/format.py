"""ImageNet-VidVRD and VidOR as data set formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

from vidsgg.datasets.format import DatasetFormat, MissingSplit
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.datasets.relation_table import RelationTable
    from vidsgg.structures.schema import Schema

EVERY = 5  # of the training frames, which follow each other at about 30 a second, is taken


class TrackFormat(DatasetFormat):
    """What the two have in common."""

    remote = True
    folders: ClassVar[Mapping[str, str]]  # of the annotations, by split
    pattern: ClassVar[str]  # of the names of annotation files in them
    versioned: ClassVar[bool]
    segments: ClassVar[bool]  # training videos are labelled in parts only
    published: ClassVar[Mapping[str, Mapping[str, int]]]  # counts by split

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The published classes and predicates."""
        raise NotImplementedError

    def recognises(self, folder: Location) -> bool:
        return any(any(map(_is_meant, (folder / part).glob(self.pattern))) for part in self.folders.values())

    def open(self, folder: Location, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """Of training videos every 5th labelled frame is taken, and the first and last frame of
        every relation; of test videos every frame.
        """
        from vidsgg.datasets.annotation_cache import split_cache_places
        from vidsgg.datasets.relation_videos import RelationVideos

        if split not in self.folders:
            raise ConfigError(f"{self.title} has no split {short(split)}, only {', '.join(self.folders)}.")
        listing = Listing()
        found = {name: self._files(folder, name, listing) for name in self.folders}
        tables = {name: self._load(folder, name, files, listing, skip_bad) for name, files in found.items() if files}
        if split not in tables:
            raise MissingSplit(f"{folder}: has no file in {self.folders[split]}, which the {split} split is read from.")
        table = tables[split].in_terms_of(self._schema_of(tables.values()))
        caches = split_cache_places(folder, f"{self.name}-{split}")
        return RelationVideos(folder, table, mode, caches, every=EVERY if split == "train" else 1)

    def check(self, folder: Location, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.findings import check_annotations, check_pictures
        from vidsgg.datasets.relation_sets import fact_lines, tell_other_counts
        from vidsgg.datasets.relation_videos import RelationVideos

        tables: dict[str, RelationTable] = {}
        listing = Listing()
        for split in self.folders:
            files = self._files(folder, split, listing)
            if not files:
                book.warning(f"no {split} split", [f"{folder / self.folders[split]} has no annotation file"])
                continue
            try:
                parsed = self._parse(folder, split, files, listing)
            except DataError as error:
                book.error(f"unreadable {split} annotations", [str(error)])
                continue
            book.facts += [f"{split}:", *fact_lines(parsed.facts)]
            parsed.faults.tell(split, book)
            tell_other_counts(split, parsed.facts, self.published, book)
            tables[split] = parsed.table
        schema = self._schema_of(tables.values()) if tables else None
        for table in tables.values():
            assert schema is not None
            try:
                data = RelationVideos(folder, table.in_terms_of(schema), "predcls")
            except DataError as error:
                book.error(f"unusable {table.split} split", [str(error)])
                continue
            check_annotations(data, book)
            check_pictures(data, pictures, book)

    def _files(self, folder: Location, split: str, listing: Listing) -> list[Location]:
        """The annotation files of a split, in the order of their names."""
        return [path for path in listing.glob(folder / self.folders[split], self.pattern) if _is_meant(path)]

    def _load(
        self, folder: Location, split: str, files: Sequence[Location], listing: Listing, skip_bad: bool
    ) -> RelationTable:
        from vidsgg.datasets.relation_sets import load_table

        def parse() -> Parsed:
            return self._parse(folder, split, files, listing)

        return load_table(folder, files, split, f"{self.name}-{split}", parse, skip_bad=skip_bad, listing=listing)

    def _parse(self, folder: Location, split: str, files: Sequence[Location], listing: Listing) -> Parsed:
        from collections import Counter

        from vidsgg.datasets.faults import Faults
        from vidsgg.datasets.relation_sets import Parsed
        from vidsgg.datasets.vidvrd.parse import SplitFiles, parse_split, split_table, track_schema

        part = SplitFiles(split, files, self.versioned, self.segments and split == "train", self.title, listing)
        faults = Faults()
        facts: Counter[str] = Counter()
        rows, classes, predicates = parse_split(part, faults, facts)
        if not rows.video_id:
            first = next((cases[0] for cases in faults.cases.values()), f"{folder}: the {split} split has no file.")
            raise DataError(first)
        schema = track_schema(self.name, self.title, (classes, predicates), self.names())
        return Parsed(split_table(rows, split, schema), faults, facts)

    def _schema_of(self, tables: Iterable[RelationTable]) -> Schema:
        """The classes and predicates of all splits, as the authors' tools number them."""
        from vidsgg.datasets.vidvrd.parse import track_schema

        schemas = [table.schema for table in tables]
        if all(schema == schemas[0] for schema in schemas):
            return schemas[0]
        classes = {name for schema in schemas for name in schema.vocabulary.objects[1:]}
        predicates = {name for schema in schemas for name in schema.vocabulary.predicates}
        return track_schema(self.name, self.title, (classes, predicates), self.names())


def _is_meant(path: Location) -> bool:
    """Other formats have files such as _annotations.coco.json in a folder ``train``."""
    return not path.name.startswith(("_", "."))


class VidvrdFormat(TrackFormat):
    name = "vidvrd"
    title = "ImageNet-VidVRD"
    marks = ("train/ and test/ with a JSON file for each video",)
    folders = {"train": "train", "test": "test"}  # noqa: RUF012
    pattern = "*.json"
    versioned, segments = False, True
    published = {  # noqa: RUF012
        "train": {"videos": 800, "tracks": 2_430, "relation instances": 25_917},
        "test": {"videos": 200, "tracks": 587, "relation instances": 4_835},
    }

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        from vidsgg.datasets.vidvrd.names import VIDVRD_OBJECTS, VIDVRD_PREDICATES

        return VIDVRD_OBJECTS, VIDVRD_PREDICATES


class VidorFormat(TrackFormat):
    name = "vidor"
    title = "VidOR"
    marks = ("annotation/training/ and annotation/validation/ with folders of JSON files",)
    # VidOR's test annotations are not public: "test" is its validation part
    folders = {"train": "annotation/training", "test": "annotation/validation"}  # noqa: RUF012
    pattern = "*/*.json"
    versioned, segments = True, False
    published = {"train": {"videos": 7_000}, "test": {"videos": 835}}  # noqa: RUF012

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        from vidsgg.datasets.vidvrd.names import VIDOR_OBJECTS, VIDOR_PREDICATES

        return VIDOR_OBJECTS, VIDOR_PREDICATES


VIDVRD, VIDOR = VidvrdFormat(), VidorFormat()
