"""Action Genome in COCO style as a data set format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.datasets.coco_video.format import TableFormat

if TYPE_CHECKING:
    from vidsgg.datasets.relation_sets import Parsed
    from vidsgg.io.locations import Location

FILES = {part: f"ag_{part}_coco_style.json" for part in ("train", "val", "test")}


class ActionGenomeCocoFormat(TableFormat):
    name = "action_genome_coco"
    title = "Action Genome in COCO style"
    marks = (FILES["train"], FILES["test"])

    def file(self, folder: Location, part: str) -> Location:
        return folder / FILES[part]

    def parse(self, file: Location, split: str) -> Parsed:
        from vidsgg.datasets.action_genome_coco import parse_action_genome_coco

        return parse_action_genome_coco(file, split)


FORMAT = ActionGenomeCocoFormat()
