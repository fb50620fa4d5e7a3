"""COCO-video with relations as a data set format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidsgg.datasets.format import DatasetFormat
from vidsgg.errors import ConfigError, DataError, short

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.datasets.relation_table import RelationTable
    from vidsgg.structures.schema import Schema

FILES = ("train.json", "val.json", "test.json")


class CocoVideoFormat(DatasetFormat):
    name = "coco_video"
    title = "COCO-video with relations"
    marks = FILES

    def recognises(self, folder: Path) -> bool:
        return any((folder / name).is_file() for name in FILES)

    def has_validation(self, folder: Path) -> bool:
        return (folder / "val.json").is_file() and (folder / "test.json").is_file()

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """train.json is "train"; "test" is test.json, else val.json; "val" is val.json where both
        are there. Classes and predicates are those of the training file."""
        from vidsgg.datasets.annotation_cache import split_cache_places
        from vidsgg.datasets.relation_videos import RelationVideos

        file = self._file(folder, split)
        table, learnt = self._load(folder, file, split, skip_bad), None
        others = [other for other in _there(folder) if other != file]
        for other in others:
            part = self._load(folder, other, _split_of(folder, other), skip_bad)
            _check_names_apart(file, table, other, part)
            learnt = part.schema if other.name == "train.json" else learnt
        table = table if learnt is None else self._in_terms_of(file, table, learnt)
        return RelationVideos(folder, table, mode, split_cache_places(folder, f"{self.name}-{file.stem}"))

    def check(self, folder: Path, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.coco_video.parse import parse_coco_video
        from vidsgg.datasets.findings import check_annotations, check_pictures
        from vidsgg.datasets.relation_sets import fact_lines
        from vidsgg.datasets.relation_videos import RelationVideos

        tables: dict[Path, RelationTable] = {}
        for file in _there(folder):
            try:
                parsed = parse_coco_video(file, _split_of(folder, file))
            except DataError as error:
                book.error(f"unreadable {file.name}", [str(error)])
                continue
            book.facts += [f"{file.name}:", *fact_lines(parsed.facts)]
            parsed.faults.tell(file.name, book)
            tables[file] = parsed.table
        first = next(iter(tables.values()), None)
        for file, table in tables.items():
            try:
                for other, part in tables.items():
                    if other < file:
                        _check_names_apart(file, table, other, part)
                assert first is not None
                data = RelationVideos(folder, self._in_terms_of(file, table, first.schema), "predcls")
            except DataError as error:
                book.error(f"unusable {file.name}", [str(error)])
                continue
            check_annotations(data, book)
            check_pictures(data, pictures, book)

    def _file(self, folder: Path, split: str) -> Path:
        names = {"train": ("train.json",), "val": ("val.json",), "test": ("test.json", "val.json")}.get(split)
        if names is None:
            raise ConfigError(f"{self.title} has no split {short(split)}, only 'train', 'val' and 'test'.")
        found = [folder / name for name in names if (folder / name).is_file()]
        if not found:
            raise DataError(f"{folder}: has no {' or '.join(names)}, which the {split} split is read from.")
        return found[0]

    def _load(self, folder: Path, file: Path, split: str, skip_bad: bool) -> RelationTable:
        """A file's table, from the cache if that was made of it. Raises DataError for what is wrong
        with it."""
        from vidsgg.datasets.coco_video.parse import parse_coco_video
        from vidsgg.datasets.relation_sets import load_table

        name = f"{self.name}-{file.stem}"
        return load_table(folder, [file], split, name, lambda: parse_coco_video(file, split), skip_bad=skip_bad)

    def _in_terms_of(self, file: Path, table: RelationTable, schema: Schema) -> RelationTable:
        try:
            return table.in_terms_of(schema)
        except DataError as error:
            raise DataError(f"{file}: {error}") from error


def _there(folder: Path) -> list[Path]:
    return [folder / name for name in FILES if (folder / name).is_file()]


def _split_of(folder: Path, file: Path) -> str:
    """The split that a file is, by its name and the others that are there."""
    return "test" if file.stem == "val" and not (folder / "test.json").is_file() else file.stem


def _check_names_apart(file: Path, table: RelationTable, other: Path, part: RelationTable) -> None:
    """A video belongs to one split. Raises DataError naming the first that stands in two files."""
    if twice := sorted({*table.video_id} & {*part.video_id}):
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        raise DataError(
            f"{file}: video {short(twice[0])}{more} stands in {other.name} too; a video belongs to one split."
        )


FORMAT = CocoVideoFormat()
