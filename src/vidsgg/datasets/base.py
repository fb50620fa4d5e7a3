"""What every data set offers, and subsets of one."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from vidsgg.errors import ConfigError
from vidsgg.io.images import Image
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location
from vidsgg.options import closest
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import RelationInstance, TrackRelation, Triplet
from vidsgg.structures.schema import Schema
from vidsgg.structures.triplets import triplet_codes


@dataclass(frozen=True)
class FrameSource:
    """Where the picture of an annotated frame is read from."""

    file: Location  #: a picture, or a video
    number: int | None = None  #: the frame's number in the video, from 1; None if the file is a picture
    there: bool = True  #: whether the file exists; if not, the frame has no picture
    instead_of: Location | None = None  #: the missing picture, if the video has a folder of dumped frames
    name: str = ""  #: the file's name below the data set's folder, if it is in another


class VideoDataset(ABC):
    """Annotated videos of one split, in a fixed order.

    Opening is cheap; each video is built when it is asked for.
    """

    schema: Schema  #: classes, predicates and rules
    root: Location  #: the data set's folder
    videos_path: Location | None = None  #: the folder with its videos or pictures, if that is another
    split: str  #: ``train`` or ``test``
    video_ids: Sequence[str]  #: one name per video, by position
    features_by: str = ""  #: who made the features of ``features``, if users should know
    has_masks: bool = False  #: whether objects have masks; ``annotation`` returns their boxes
    mode: str = ""  #: the mode of the annotations; empty if they are the same in all modes

    def __len__(self) -> int:
        return len(self.video_ids)

    @abstractmethod
    def annotation(self, index: int) -> VideoAnnotation:
        """Ground truth of video ``index``. Raises DataError if the files contradict each other."""

    @abstractmethod
    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        """The annotated frames of video ``index``, RGB (H, W, 3) uint8, in order.

        Args:
            index: position of the video.
            frames: positions of the frames to read, in any order; by default all.

        Raises:
            DataError: a frame cannot be read.
        """

    def frame_sources(self, index: int, frames: Sequence[int] | None = None) -> list[FrameSource]:
        """Where ``images`` reads each frame at present; empty for data without pictures.

        Raises DataError naming a folder that cannot be entered.
        """
        return []

    @property
    def picture_root(self) -> Location:
        """The folder below which pictures and videos are."""
        return self.root if self.videos_path is None else self.videos_path

    def with_videos_in(self, folder: Location) -> VideoDataset:
        """The same videos, read from another folder: one that has them as ``root`` would, or the folder
        of videos or of dumped frames itself. Raises ConfigError for data that cannot be read so."""
        raise ConfigError(
            f"option -videos_path: {self.schema.title} reads no videos or pictures from another folder; leave the option"
            " out."
        )

    def picture_files(self, index: int) -> list[Location]:
        """The files under ``picture_root`` that ``images`` reads, each once, whether or not they are
        there."""
        return list(dict.fromkeys(source.file for source in self.frame_sources(index)))

    def picture_size(self, file: Location) -> int | None:
        """Bytes of one of ``picture_files``; None if it is not there."""
        return Listing().size(file)

    def video_frames(self, index: int) -> list[int]:
        """The number in the video file of each frame of video ``index``, from 1. By default those
        of the annotation. Raises DataError if the video cannot be read."""
        numbers: list[int] = self.annotation(index).frame_number.tolist()
        return numbers

    def uneven(self, index: int) -> str | None:
        """How the numbers of a video's frames differ from those of the pictures in its file; None if
        frame N is the N-th picture, or if no video file is read. Raises DataError if the video
        cannot be read."""
        return None

    def features(self, index: int) -> Mapping[str, npt.NDArray[Any]]:
        """Columns of the clip that the data set's own files contain (``node_feature``,
        ``action_feature``); see ``Schema.features``."""
        return {}

    def predicate_counts(self) -> npt.NDArray[np.int64]:
        """(C,) number of annotated relations of every predicate, by global id. A relation that an
        event shows in several frames counts once."""
        return counts_of_predicates(self.schema, *self.triplet_counts())

    def triplet_counts(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(T,) the annotated triplets of classes (``structures.triplets``), ascending, and (T,) the
        number of relations of each, counted as in ``predicate_counts``."""
        return count_triplets(_annotated_triplets(self.schema, annotation) for annotation in self)

    def in_mode(self, mode: str) -> VideoDataset:
        """The same videos with the annotations of another mode. Raises ConfigError if the data set
        must be opened again for it."""
        if self.mode in ("", mode):
            return self
        raise ConfigError(f"the videos of {self.root} were opened for mode {self.mode!r}; open them for {mode!r}.")

    def fingerprint(self) -> str | None:
        """SHA-256 of all annotations, in hexadecimal; None if computing it would mean building every
        video."""
        return None

    def masks(self, index: int) -> Iterator[npt.NDArray[np.bool_]]:
        """The masks of the nodes of video ``index``, (H, W) bool, in the order of the nodes; none for
        data without masks. Raises DataError if one cannot be read."""
        return iter(())

    def nodes(self, index: int) -> tuple[Array, Array, int]:
        """The frame (N,) and the class (N,) of every node of video ``index``, and its number of frames."""
        annotation = self.annotation(index)
        return annotation.node_frame, annotation.node_class, annotation.frames

    def every_frame(self) -> VideoDataset:
        """The same videos with all labelled frames, for data sets that use only some of them."""
        return self

    def intervals(self, index: int) -> list[TrackRelation]:
        """The relations over time that the file of video ``index`` lists; empty for other data."""
        return []

    def true_triplets(self) -> set[Triplet]:
        """The triplets of all relations over time, as the files list them."""
        return set()

    def true_instances(self) -> Mapping[str, list[RelationInstance]]:
        """The relations over time of every video, as the files list them; empty for other data.

        Raises DataError if an object of a relation lacks a box in one of its frames.
        """
        return {}

    def cache_places(self) -> list[Path]:
        """Folders in which counts of the annotations may be cached, best first; empty if nothing is
        cached."""
        return []

    def find(self, video: str) -> int:
        """Position of a video, given its name or its number from 0. Raises ConfigError that suggests
        the closest name."""
        names = list(self.video_ids)
        if video in names:
            return names.index(video)
        if video.isdecimal() and int(video) < len(names):
            return int(video)
        if video.isdecimal():
            raise ConfigError(f"option -video: the {self.split} split has the videos 0..{len(names) - 1}, not {video}")
        some = f"{names[0]!r}, ..." if len(names) > 1 else f"{names[0]!r} only"
        raise ConfigError(
            f"option -video: no video {video!r} in the {self.split} split, which has {some}{closest(video, names)}"
        )

    def __iter__(self) -> Iterator[VideoAnnotation]:
        return (self.annotation(i) for i in range(len(self)))


def count_triplets(
    parts: Iterable[npt.NDArray[np.int64]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct numbers of all parts, ascending, and how often each occurs."""
    found, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for part in parts:
        codes, often = np.unique(part, return_counts=True)
        found, place = np.unique(np.concatenate([found, codes]), return_inverse=True)
        total = np.zeros(len(found), np.int64)
        np.add.at(total, place, np.concatenate([counts, often]))
        counts = total
    return found, counts


def counts_of_predicates(
    schema: Schema, codes: npt.NDArray[np.int64], counts: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """(C,) how many relations every predicate has, of triplets and how many each of them has."""
    predicates = len(schema.vocabulary.predicates)
    of_predicate = np.zeros(predicates, np.int64)
    np.add.at(of_predicate, codes % predicates, counts)
    return of_predicate


def _annotated_triplets(schema: Schema, annotation: VideoAnnotation) -> npt.NDArray[np.int64]:
    """(R,) the triplets of all relations of a video."""
    labels = np.concatenate([annotation.labels[group.name] for group in schema.vocabulary.groups], axis=1)
    subject = (annotation.node_class if schema.subject_has_box else annotation.action_class)[annotation.pair_subject]
    thing = annotation.node_class[annotation.pair_object]
    if schema.unit == "event":
        things = np.stack(
            [annotation.frame_unit[annotation.pair_frame], annotation.node_identity[annotation.pair_object]]
        )
        once = np.unique(things, axis=1, return_index=True)[1]
        labels, subject, thing = labels[once], subject[once], thing[once]
    pair, predicate = np.nonzero(labels)
    return triplet_codes(schema.vocabulary, subject[pair], thing[pair], predicate)


class Subset(VideoDataset):
    """Some videos of a data set, in the given order."""

    def __init__(self, whole: VideoDataset, indices: Sequence[int]) -> None:
        self.whole, self.indices = whole, list(indices)
        self.schema, self.root, self.split = whole.schema, whole.root, whole.split
        self.video_ids = [whole.video_ids[i] for i in self.indices]
        self.mode, self.features_by, self.has_masks = whole.mode, whole.features_by, whole.has_masks
        self.videos_path = whole.videos_path

    def with_videos_in(self, folder: Location) -> VideoDataset:
        same = copy(self)
        same.whole, same.videos_path = self.whole.with_videos_in(folder), folder
        return same

    def in_mode(self, mode: str) -> VideoDataset:
        if self.mode in ("", mode):
            return self
        whole = self.whole.in_mode(mode)
        place = {video: i for i, video in enumerate(whole.video_ids)}
        return Subset(whole, [place[video] for video in self.video_ids if video in place])

    def annotation(self, index: int) -> VideoAnnotation:
        return self.whole.annotation(self.indices[index])

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        return self.whole.images(self.indices[index], frames)

    def frame_sources(self, index: int, frames: Sequence[int] | None = None) -> list[FrameSource]:
        return self.whole.frame_sources(self.indices[index], frames)

    def picture_files(self, index: int) -> list[Location]:
        return self.whole.picture_files(self.indices[index])

    def picture_size(self, file: Location) -> int | None:
        return self.whole.picture_size(file)

    def video_frames(self, index: int) -> list[int]:
        return self.whole.video_frames(self.indices[index])

    def uneven(self, index: int) -> str | None:
        return self.whole.uneven(self.indices[index])

    def features(self, index: int) -> Mapping[str, npt.NDArray[Any]]:
        return self.whole.features(self.indices[index])

    def fingerprint(self) -> str | None:
        whole = self.whole.fingerprint()
        return None if whole is None else hashlib.sha256(f"{whole} {self.indices}".encode()).hexdigest()

    def cache_places(self) -> list[Path]:
        return self.whole.cache_places()

    def true_instances(self) -> Mapping[str, list[RelationInstance]]:
        whole = self.whole.true_instances()
        return {video: whole[video] for video in self.video_ids if video in whole}

    def nodes(self, index: int) -> tuple[Array, Array, int]:
        return self.whole.nodes(self.indices[index])

    def every_frame(self) -> VideoDataset:
        return Subset(self.whole.every_frame(), self.indices)

    def intervals(self, index: int) -> list[TrackRelation]:
        return self.whole.intervals(self.indices[index])

    def masks(self, index: int) -> Iterator[npt.NDArray[np.bool_]]:
        return self.whole.masks(self.indices[index])


class WithoutFeatures(Subset):
    """The same videos without the features that their files bring along."""

    def __init__(self, whole: VideoDataset) -> None:
        super().__init__(whole, range(len(whole)))

    def features(self, index: int) -> Mapping[str, npt.NDArray[Any]]:
        return {}
