"""EASG as a data set format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidsgg.datasets import easg_layout
from vidsgg.datasets.format import SPLITS, DatasetFormat
from vidsgg.errors import DataError, counted
from vidsgg.io.locations import Location

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.feature_writer import FeatureWriter
    from vidsgg.datasets.findings import Book, Pictures


class EASGFormat(DatasetFormat):
    name = "easg"
    title = "EASG"
    remote = True
    marks = (
        "easg_train.pkl",
        "annts_in_new_format/easg_train.pkl",
        "easg-generation/annts_in_new_format/easg_train.pkl",
    )

    def recognises(self, folder: Location) -> bool:
        return easg_layout.has_annotations(folder)

    def refusal(self, folder: Location) -> str:
        if not easg_layout.has_full_release(folder):
            return ""
        return (
            "holds EASG's full release, which is not read; take the folder annts_in_new_format of the authors'"
            " repository (easg-generation), whose pickles their published numbers rest on."
        )

    def open(self, folder: Location, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """Its loader repairs what it can with and without ``skip_bad``."""
        from vidsgg.datasets.easg import EASG

        return EASG(folder, split, mode)

    def feature_writer(
        self, folder: Location, splits: Sequence[VideoDataset], videos: Location, out: Path | None
    ) -> FeatureWriter:
        from vidsgg.datasets.easg import EASG
        from vidsgg.datasets.easg_made import EasgFeatureWriter

        return EasgFeatureWriter(folder, [split for split in splits if isinstance(split, EASG)], videos, out)

    def check(self, folder: Location, pictures: Pictures, book: Book) -> None:
        from vidsgg.datasets.easg import EASG

        for split in SPLITS:
            try:
                data = EASG(folder, split)
            except DataError as error:
                book.error(f"unreadable {split} annotations", [str(error)])
                continue
            broken = []
            for i in range(len(data)):
                try:
                    data.annotation(i)
                except DataError as error:
                    broken.append(str(error))
            book.error(f"{split} video that contradicts itself", broken)
            counters: Mapping[str, int] = data.report()
            book.facts += [
                f"{split} split: {counted(len(data), 'video')}",
                *(f"  {name}: {count}" for name, count in counters.items()),
            ]
            files = [
                f"  features of {'actions' if name == 'action' else 'objects'}: {path}"
                for name, path in data.feature_files.items()
            ]
            if data.features_by:
                files.append(f"  {data.features_by}")
            book.facts += files or ["  features: none are there, so models learn from labels and boxes"]


FORMAT = EASGFormat()
