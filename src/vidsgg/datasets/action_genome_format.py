"""Action Genome as a data set format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vidsgg.datasets import action_genome_layout
from vidsgg.datasets.format import DatasetFormat

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.findings import Book, Pictures


class ActionGenomeFormat(DatasetFormat):
    name = "action_genome"
    title = "Action Genome"
    marks = ("annotations/person_bbox.pkl", "annotations/object_bbox_and_relationship.pkl")

    def recognises(self, folder: Path) -> bool:
        return action_genome_layout.has_annotations(folder)

    def inside(self, folder: Path) -> bool:
        return action_genome_layout.is_inner_folder(folder)

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        from vidsgg.datasets.action_genome import ActionGenome

        return ActionGenome(folder, split, mode, skip_bad=skip_bad)

    def check(self, folder: Path, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.action_genome_check import check_action_genome

        check_action_genome(folder, pictures, book)


FORMAT = ActionGenomeFormat()
