"""ImageNet-VidVRD and VidOR as data set formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vidsgg.datasets.format import DatasetFormat, MissingSplit
from vidsgg.errors import ConfigError, DataError, short

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.datasets.relation_table import RelationTable
    from vidsgg.datasets.vidvrd.parse import SplitFiles
    from vidsgg.structures.schema import Schema

EVERY = 5  # of the training frames, which follow each other at about 30 a second, is taken


class TrackFormat(DatasetFormat):
    """What the two have in common."""

    folders: ClassVar[Mapping[str, str]]  # of the annotations, by split
    versioned: ClassVar[bool]
    segments: ClassVar[bool]  # training videos are labelled in parts only
    published: ClassVar[Mapping[str, Mapping[str, int]]]  # counts by split

    def files(self, folder: Path, split: str) -> list[Path]:
        """The annotation files of a split, in the order of their names."""
        raise NotImplementedError

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The published classes and predicates."""
        raise NotImplementedError

    def recognises(self, folder: Path) -> bool:
        return any(next(iter(self.files(folder, split)), None) is not None for split in self.folders)

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """Of training videos every 5th labelled frame is taken, and the first and last frame of
        every relation; of test videos every frame.
        """
        from vidsgg.datasets.annotation_cache import split_cache_places
        from vidsgg.datasets.relation_videos import RelationVideos

        if split not in self.folders:
            raise ConfigError(f"{self.title} has no split {short(split)}, only {', '.join(self.folders)}.")
        tables = {name: self._load(folder, name, skip_bad) for name in self.folders if self.files(folder, name)}
        if split not in tables:
            raise MissingSplit(f"{folder}: has no file in {self.folders[split]}, which the {split} split is read from.")
        table = tables[split].in_terms_of(self._schema_of(tables.values()))
        caches = split_cache_places(folder, f"{self.name}-{split}")
        return RelationVideos(folder, table, mode, caches, every=EVERY if split == "train" else 1)

    def check(self, folder: Path, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.findings import check_annotations, check_pictures
        from vidsgg.datasets.relation_sets import fact_lines, tell_other_counts
        from vidsgg.datasets.relation_videos import RelationVideos

        tables: dict[str, RelationTable] = {}
        for split in self.folders:
            if not self.files(folder, split):
                book.warning(f"no {split} split", [f"{folder / self.folders[split]} has no annotation file"])
                continue
            try:
                parsed = self._parse(folder, split)
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

    def _load(self, folder: Path, split: str, skip_bad: bool) -> RelationTable:
        from vidsgg.datasets.relation_sets import load_table

        files = self.files(folder, split)
        name = f"{self.name}-{split}"
        return load_table(folder, files, split, name, lambda: self._parse(folder, split), skip_bad=skip_bad)

    def _part(self, folder: Path, split: str) -> SplitFiles:
        from vidsgg.datasets.vidvrd.parse import SplitFiles

        files = self.files(folder, split)
        return SplitFiles(split, files, self.versioned, self.segments and split == "train", self.title)

    def _parse(self, folder: Path, split: str) -> Parsed:
        from collections import Counter

        from vidsgg.datasets.faults import Faults
        from vidsgg.datasets.relation_sets import Parsed
        from vidsgg.datasets.vidvrd.parse import parse_split, split_table, track_schema

        faults = Faults()
        facts: Counter[str] = Counter()
        rows, classes, predicates = parse_split(self._part(folder, split), faults, facts)
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


class VidvrdFormat(TrackFormat):
    name = "vidvrd"
    title = "ImageNet-VidVRD"
    marks = ("train/ and test/ with a JSON file for each video",)
    folders = {"train": "train", "test": "test"}  # noqa: RUF012
    versioned, segments = False, True
    published = {  # noqa: RUF012
        "train": {"videos": 800, "tracks": 2_430, "relation instances": 25_917},
        "test": {"videos": 200, "tracks": 587, "relation instances": 4_835},
    }

    def files(self, folder: Path, split: str) -> list[Path]:
        place = folder / self.folders[split]
        return sorted(path for path in place.glob("*.json") if not path.name.startswith(("_", ".")))

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        from vidsgg.datasets.vidvrd.names import VIDVRD_OBJECTS, VIDVRD_PREDICATES

        return VIDVRD_OBJECTS, VIDVRD_PREDICATES


class VidorFormat(TrackFormat):
    name = "vidor"
    title = "VidOR"
    marks = ("annotation/training/ and annotation/validation/ with folders of JSON files",)
    folders = {"train": "annotation/training", "test": "annotation/validation"}  # noqa: RUF012
    versioned, segments = True, False
    published = {"train": {"videos": 7_000}, "test": {"videos": 835}}  # noqa: RUF012

    def files(self, folder: Path, split: str) -> list[Path]:
        """VidOR's test annotations are not public: "test" is its validation part."""
        return sorted((folder / self.folders[split]).glob("*/*.json"))

    def names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        from vidsgg.datasets.vidvrd.names import VIDOR_OBJECTS, VIDOR_PREDICATES

        return VIDOR_OBJECTS, VIDOR_PREDICATES


VIDVRD, VIDOR = VidvrdFormat(), VidorFormat()
