"""PVSG as a data set format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.datasets.format import DatasetFormat
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.datasets.relation_sets import Parsed

FILE = "pvsg.json"
PUBLISHED = {"train": {"videos": 338}, "test": {"videos": 62}}


class PvsgFormat(DatasetFormat):
    name = "pvsg"
    title = "PVSG"
    remote = True
    marks = (FILE,)

    def recognises(self, folder: Location) -> bool:
        return (folder / FILE).is_file()

    def open(self, folder: Location, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """ "test" is PVSG's validation part. The first opening reads every mask."""
        from vidsgg.datasets.annotation_cache import split_cache_places
        from vidsgg.datasets.pvsg.parse import PARTS, mask_folders, read_pvsg
        from vidsgg.datasets.pvsg.videos import PvsgVideos
        from vidsgg.datasets.relation_sets import load_table

        if split not in PARTS:
            raise ConfigError(f"{self.title} has no split {short(split)}, only {', '.join(PARTS)}.")
        file = folder / FILE
        folders = mask_folders(folder, read_pvsg(file), split).values()
        listing, name = Listing(), f"{self.name}-{split}"
        masks = sorted(path for _, place in folders for path in listing.glob(place, "*.png"))

        def parse() -> Parsed:
            return self._parse(folder, split, listing)

        table = load_table(folder, [file, *masks], split, name, parse, skip_bad=skip_bad, listing=listing)
        return PvsgVideos(folder, table, mode, split_cache_places(folder, name))

    def check(self, folder: Location, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.findings import check_annotations, check_pictures
        from vidsgg.datasets.pvsg.parse import PARTS
        from vidsgg.datasets.relation_sets import fact_lines, tell_other_counts
        from vidsgg.datasets.relation_videos import RelationVideos

        for split in PARTS:
            try:
                parsed = self._parse(folder, split, Listing())
                data = RelationVideos(folder, parsed.table, "predcls")
            except DataError as error:
                book.error(f"unreadable {split} annotations", [str(error)])
                continue
            book.facts += [f"{split}:", *fact_lines(parsed.facts)]
            parsed.faults.tell(split, book)
            tell_other_counts(split, parsed.facts, PUBLISHED, book)
            check_annotations(data, book)
            check_pictures(data, pictures, book)

    def _parse(self, folder: Location, split: str, listing: Listing) -> Parsed:
        from vidsgg.datasets.pvsg.parse import parse_pvsg

        return parse_pvsg(folder, folder / FILE, split, self.name, self.title, listing)


FORMAT = PvsgFormat()
