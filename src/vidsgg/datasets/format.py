"""A data set format: how folders of one kind of data set are recognised, opened and checked.
Nothing heavy is imported here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vidsgg.errors import DataError

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.feature_writer import FeatureWriter
    from vidsgg.datasets.findings import Book, Pictures

SPLITS = ("train", "test")


class MissingSplit(DataError):
    """A split that a data set does not have, such as a training split where only test annotations
    were published. Annotations that are there and cannot be used are a DataError."""


class DatasetFormat(ABC):
    """What generic code asks a format; its object is found by the name ``vidsgg.datasets`` of entry
    points."""

    name: ClassVar[str]  # as in the schema of its data sets
    title: ClassVar[str]  # for people
    marks: ClassVar[tuple[str, ...]]  # files below the folder, by one of which it is recognised; only shown in errors

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds such a data set, by the names of a few files: every run asks. May
        raise OSError."""

    @abstractmethod
    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """The videos of "train" or "test", for "predcls", "sgcls" or "sgdet".

        skip_bad: leave out and count what cannot be used, instead of raising. Raises DataError
        naming the file and what is wrong, ConfigError for an unknown split or mode.
        """

    def inside(self, folder: Path) -> bool:
        """Whether a folder that is recognised is only the inner part of a data set, whose folder is
        the one above. May raise OSError."""
        return False

    def has_validation(self, folder: Path) -> bool:
        """Whether the data set has videos of its own to validate on, opened as the split "val".
        Otherwise a part of the training videos is held out. May raise OSError."""
        return False

    def refusal(self, folder: Path) -> str:
        """Why a folder is not read that is nearly one of these, as the end of a sentence about it;
        "" where nothing is to be said."""
        return ""

    def feature_writer(
        self, folder: Path, splits: Sequence[VideoDataset], videos: Path, out: Path | None
    ) -> FeatureWriter | None:
        """For data sets without pictures whose features lie in files of their own: what writes such
        files for some splits, from a folder with their videos. out: where to; None for the place
        where they are looked for. None: there are no such files. Raises ConfigError if a video is
        missing.
        """
        return None

    def check(self, folder: Path, pictures: Pictures, book: Book) -> None:
        """Look for everything that is wrong. pictures: read those of no video, of a few per split,
        or of all.

        By default every split is opened, the annotation of every video built and its pictures
        looked for.
        """
        from vidsgg.datasets.findings import check_annotations, check_pictures

        for split in SPLITS:
            try:
                data = self.open(folder, split, "predcls", skip_bad=False)
            except DataError as error:
                book.error(f"unreadable {split} annotations", [str(error)])
                continue
            check_annotations(data, book)
            if data.schema.has_frames:
                check_pictures(data, pictures, book)
