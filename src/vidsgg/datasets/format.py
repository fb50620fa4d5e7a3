"""A data set format: how folders of one kind of data set are recognised, opened and checked.
Nothing heavy is imported here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from vidsgg.errors import DataError
from vidsgg.io.locations import Location

if TYPE_CHECKING:
    from vidsgg.datasets.base import VideoDataset
    from vidsgg.datasets.feature_writer import FeatureWriter
    from vidsgg.datasets.findings import Book, Pictures

SPLITS = ("train", "test")
# of the option -videos_path
VIDEOS_HELP = "folder with the data set's videos or dumped frames, if it is not in -data_path"


class MissingSplit(DataError):
    """A split that a data set does not have, such as a training split where only test annotations
    were published. Annotations that are there and cannot be used are a DataError."""


class DatasetFormat(ABC):
    """A data set format. Packages offer an object of such a class in the entry point group
    ``vidsgg.datasets``."""

    name: ClassVar[str]  #: as in the schema of its data sets
    title: ClassVar[str]  #: for people
    marks: ClassVar[tuple[str, ...]]  #: files below the folder, by one of which it is recognised; only shown in errors
    remote: ClassVar[bool] = False  #: whether a folder may be a ``RemotePath`` too, in object storage

    @property
    def writes_features(self) -> bool:
        """Whether features are made from videos as files of its own, see ``feature_writer``."""
        return type(self).feature_writer is not DatasetFormat.feature_writer

    @abstractmethod
    def recognises(self, folder: Path) -> bool:
        """Whether a folder holds such a data set. Look at the names of a few files only, because every
        run asks. May raise OSError."""

    @abstractmethod
    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        """Open a split.

        Args:
            folder: a folder that ``recognises`` accepts.
            split: ``train`` or ``test``; ``val`` if ``has_validation``.
            mode: ``predcls``, ``sgcls`` or ``sgdet``.
            skip_bad: skip and count unusable entries instead of raising.

        Raises:
            DataError: a file is wrong; the message names it and the fault.
            ConfigError: an unknown split or mode.
        """

    def inside(self, folder: Path) -> bool:
        """Whether a recognised folder is only a part of a data set whose folder is the one above. May
        raise OSError."""
        return False

    def has_validation(self, folder: Path) -> bool:
        """Whether the data set has its own validation videos (the split ``val``). Otherwise a part of
        the training videos is held out. May raise OSError."""
        return False

    def refusal(self, folder: Path) -> str:
        """Why a folder that looks like such a data set cannot be read, as the end of a sentence about
        it; "" if there is nothing to say."""
        return ""

    def feature_writer(
        self, folder: Path, splits: Sequence[VideoDataset], videos: Location, out: Path | None
    ) -> FeatureWriter | None:
        """The writer of feature files, for data sets without pictures that read features from files
        of their own; None for other data sets.

        Args:
            folder: the data set's folder.
            splits: the splits to write features for.
            videos: a folder with their videos, on this machine or in object storage.
            out: folder for the files; None for the place where they are looked for.

        Raises:
            ConfigError: a video is missing.
        """
        return None

    def check(self, folder: Path, pictures: Pictures, book: Book) -> None:
        """Look for all faults. By default, open every split, build the annotation of every video and
        look for its pictures.

        Args:
            folder: the data set's folder.
            pictures: read the pictures of no video, of a few per split, or of all.
            book: where to report faults.
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
