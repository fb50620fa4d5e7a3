"""Action Genome as a data set format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidsgg.datasets import action_genome_layout
from vidsgg.datasets.format import DatasetFormat

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures
    from vidsgg.io.locations import Location


class ActionGenomeFormat(DatasetFormat):
    name = "action_genome"
    title = "Action Genome"
    remote = True
    marks = ("annotations/person_bbox.pkl", "annotations/object_bbox_and_relationship.pkl")

    def recognises(self, folder: Location) -> bool:
        return action_genome_layout.has_annotations(folder)

    def inside(self, folder: Location) -> bool:
        return action_genome_layout.is_inner_folder(folder)

    def open(self, folder: Location, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        from vidsgg.datasets.action_genome import ActionGenome

        return ActionGenome(folder, split, mode, skip_bad=skip_bad)

    def check(self, folder: Location, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.action_genome_check import check_action_genome

        check_action_genome(folder, pictures, book)


FORMAT = ActionGenomeFormat()
