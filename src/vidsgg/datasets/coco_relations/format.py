"""SGG-Benchmark's COCO with relations as a data set format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.datasets.coco_video.format import TableFormat

if TYPE_CHECKING:
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.io.locations import Location

_FILE = "_annotations.coco.json"


class CocoRelationsFormat(TableFormat):
    name = "coco_relations"
    title = "COCO with relations (SGG-Benchmark)"
    marks = (f"train/{_FILE}", f"val/{_FILE}", f"test/{_FILE}")

    def file(self, folder: Location, part: str) -> Location:
        """Some sets call their validation part "valid"."""
        usual, other = folder / part / _FILE, folder / "valid" / _FILE
        return other if part == "val" and not usual.is_file() and other.is_file() else usual

    def parse(self, file: Location, split: str) -> Parsed:
        from vidsgg.datasets.coco_relations.parse import parse_coco_relations

        return parse_coco_relations(file, split)


FORMAT = CocoRelationsFormat()
