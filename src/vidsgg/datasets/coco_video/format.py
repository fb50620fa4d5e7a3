"""COCO-video with relations as a data set format, and what it shares with others of a file for each
part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, ClassVar

from vidsgg.datasets.format import DatasetFormat, MissingSplit
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.locations import Location, name_below

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.datasets.relation_table import RelationTable
    from vidsgg.structures.schema import Schema

_PARTS = ("train", "val", "test")


class TableFormat(DatasetFormat):
    """A data set of a file for each part. With a validation file and no test file, the former is
    the test split. published: counts of facts, by part."""

    published: ClassVar[Mapping[str, Mapping[str, int]]] = {}
    remote = True

    def file(self, folder: Location, part: str) -> Location:
        """Where the file of "train", "val" or "test" lies, whether or not it is there."""
        raise NotImplementedError

    def parse(self, file: Location, split: str) -> Parsed:
        """Read a file. Raises DataError if it is no such file at all."""
        raise NotImplementedError

    def recognises(self, folder: Location) -> bool:
        return any(True for _ in self._there(folder))

    def has_validation(self, folder: Location) -> bool:
        return self.file(folder, "val").is_file() and self.file(folder, "test").is_file()

    def open(self, folder: Location, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """ "train" and "test"; "val" where the data set has both a validation and a test file.
        Classes and predicates are those of the training file.
        """
        from vidsgg.datasets.annotation_cache import split_cache_places
        from vidsgg.datasets.relation_videos import RelationVideos

        part = self._part(folder, split)
        table, learnt = self._load(folder, part, split, skip_bad), None
        for other, file in self._there(folder):
            if other != part:
                its = self._load(folder, other, other, skip_bad)
                _check_names_apart(self.file(folder, part), table, file, its)
                learnt = its.schema if other == "train" else learnt
        if learnt is not None:
            table = _in_terms_of(self.file(folder, part), table, learnt)
        return RelationVideos(folder, table, mode, split_cache_places(folder, f"{self.name}-{part}"))

    def check(self, folder: Location, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.findings import check_annotations, check_pictures
        from vidsgg.datasets.relation_sets import fact_lines, tell_other_counts
        from vidsgg.datasets.relation_videos import RelationVideos

        tables: dict[Location, RelationTable] = {}
        for part, file in self._there(folder):
            name = name_below(file, folder)
            try:
                parsed = self.parse(file, self._split_of(folder, part))
            except DataError as error:
                book.error(f"unreadable {name}", [str(error)])
                continue
            book.facts += [f"{name}:", *fact_lines(parsed.facts)]
            parsed.faults.tell(name, book)
            tell_other_counts(part, parsed.facts, self.published, book)
            tables[file] = parsed.table
        first = next(iter(tables.values()), None)
        for i, (file, table) in enumerate(tables.items()):
            try:
                for other, its in list(tables.items())[:i]:
                    _check_names_apart(file, table, other, its)
                assert first is not None
                data = RelationVideos(folder, _in_terms_of(file, table, first.schema), "predcls")
            except DataError as error:
                book.error(f"unusable {name_below(file, folder)}", [str(error)])
                continue
            check_annotations(data, book)
            check_pictures(data, pictures, book)

    def _there(self, folder: Location) -> Iterator[tuple[str, Location]]:
        """The parts that are there, with their files."""
        return ((part, file) for part in _PARTS if (file := self.file(folder, part)).is_file())

    def _split_of(self, folder: Location, part: str) -> str:
        """The split that a part is."""
        return "test" if part == "val" and not self.file(folder, "test").is_file() else part

    def _part(self, folder: Location, split: str) -> str:
        parts = {"train": ("train",), "val": ("val",), "test": ("test", "val")}.get(split)
        if parts is None:
            raise ConfigError(f"{self.title} has no split {short(split)}, only 'train', 'val' and 'test'.")
        found = [part for part in parts if self.file(folder, part).is_file()]
        if not found:
            names = " or ".join(name_below(self.file(folder, part), folder) for part in parts)
            raise MissingSplit(f"{folder}: has no {names}, which the {split} split is read from.")
        return found[0]

    def _load(self, folder: Location, part: str, split: str, skip_bad: bool) -> RelationTable:
        """A file's table, from the cache if that was made of it. Raises DataError for what is wrong
        with it."""
        from vidsgg.datasets.relation_sets import load_table

        file, name = self.file(folder, part), f"{self.name}-{part}"
        return load_table(folder, [file], split, name, lambda: self.parse(file, split), skip_bad=skip_bad)


class CocoVideoFormat(TableFormat):
    name = "coco_video"
    title = "COCO-video with relations"
    marks = ("train.json", "val.json", "test.json")

    def file(self, folder: Location, part: str) -> Location:
        return folder / f"{part}.json"

    def parse(self, file: Location, split: str) -> Parsed:
        from vidsgg.datasets.coco_video.parse import parse_coco_video

        return parse_coco_video(file, split)


def _in_terms_of(file: Location, table: RelationTable, schema: Schema) -> RelationTable:
    try:
        return table.in_terms_of(schema)
    except DataError as error:
        raise DataError(f"{file}: {error}") from error


def _check_names_apart(file: Location, table: RelationTable, other: Location, its: RelationTable) -> None:
    """A video belongs to one split. Raises DataError naming the first that stands in two files."""
    if twice := sorted({*table.video_id} & {*its.video_id}):
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise DataError(f"{file}: video {short(twice[0])}{more} is in {other.name} too; a video belongs to one split.")


FORMAT = CocoVideoFormat()
