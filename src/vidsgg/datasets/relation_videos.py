"""A data set that is a table of things and relations, with pictures in files of their own or in
video files."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from pathlib import Path

import numpy as np

from vidsgg.datasets.base import FrameSource, VideoDataset, count_triplets
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.images import Image, read_image
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location
from vidsgg.io.names import is_one_name
from vidsgg.io.video import VideoReader
from vidsgg.options import closest
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import RelationInstance, TrackRelation, Triplet
from vidsgg.structures.triplets import triplet_codes

_SUFFIXES = (".jpg", ".png", ".JPEG")
_FRAMES = "frames"
_MEDIA = (_FRAMES, "videos", "video")  # what formats call the folders of pictures and of videos


class RelationVideos(VideoDataset):
    """The videos of a table that have a frame whose relations are labelled.

    Pictures: each frame's file below the folder if that is there, else its number in the video's
    file, counted from 1. every: take each so-manieth of the labelled frames, and the first and the
    last frame of every relation over time. caches: where ``cache_places`` says that what is counted
    of them may be kept. Raises ConfigError for an unknown mode, DataError if no video is left.
    """

    def __init__(
        self, root: Location, table: RelationTable, mode: str, caches: Sequence[Path] = (), every: int = 1
    ) -> None:
        if mode not in table.schema.modes:
            modes = table.schema.modes
            raise ConfigError(
                f"{table.schema.title} has no mode {short(mode)}, only {', '.join(modes)}{closest(mode, modes)}"
            )
        self.root, self.split, self.schema, self._table, self._caches = (
            root,
            table.split,
            table.schema,
            table,
            list(caches),
        )
        self._every, self._listing = every, Listing()
        self._rows = table.take(range(len(table)))
        self.video_ids = [table.video_id[i] for i in self._rows]
        if not self.video_ids:
            raise DataError(f"{root}: the {table.split} split has no video with a frame whose relations are labelled.")

    def annotation(self, index: int) -> VideoAnnotation:
        return self._table.annotation(self._rows[index], self._frames(index))

    def nodes(self, index: int) -> tuple[Array, Array, int]:
        """As everywhere, without building the video."""
        row = self._rows[index]
        frames, kept = self._table.rows("frame", row), self._frames(index)
        position = np.full(frames.stop - frames.start, -1, np.int64)
        position[kept] = np.arange(len(kept))
        of_node = np.repeat(position, np.diff(self._table.start["node"][frames.start : frames.stop + 1]))
        klass = self._table.columns["node_class"][self._table.rows("node", row)]
        return of_node[of_node >= 0], klass[of_node >= 0], len(kept)

    def relation_instances(self, index: int) -> list[RelationInstance]:
        """See ``RelationTable.relation_instances``."""
        return self._table.relation_instances(self._rows[index])

    def every_frame(self) -> RelationVideos:
        same = type(self)(self.root, self._table, self.schema.modes[0], self._caches)
        return same if self.videos_path is None else same.with_videos_in(self.videos_path)

    def with_videos_in(self, folder: Location) -> RelationVideos:
        same = copy(self)
        same.videos_path, same._listing = folder, Listing()
        return same

    def true_triplets(self) -> set[Triplet]:
        vocabulary, found = self.schema.vocabulary, set[Triplet]()
        for index, row in enumerate(self._rows):
            nodes = self._table.rows("node", row)
            identity, klass = (self._table.columns[f"node_{name}"][nodes].tolist() for name in ("identity", "class"))
            of = dict(zip(identity, klass, strict=True))
            for relation in self.intervals(index):
                if relation.subject in of and relation.object in of:
                    ends = (vocabulary.objects[of[end]] for end in (relation.subject, relation.object))
                    found.add((next(ends), vocabulary.predicates[relation.predicate], next(ends)))
        return found

    def true_instances(self) -> dict[str, list[RelationInstance]]:
        return {video: self.relation_instances(index) for index, video in enumerate(self.video_ids)}

    def _frames(self, index: int) -> Array:
        """Positions of the frames of video ``index`` that are taken, increasing."""
        span = self._table.rows("frame", self._rows[index])
        labelled = self._table.columns["frame_labelled"][span]
        if self._every == 1:
            return np.flatnonzero(labelled)
        number = self._table.columns["frame_number"][span]
        ends = [n for r in self.intervals(index) for n in (r.begin, r.end - 1)]
        return np.flatnonzero(labelled & ((np.arange(len(number)) % self._every == 0) | np.isin(number, ends)))

    def intervals(self, index: int) -> list[TrackRelation]:
        """The relations over time of video ``index``, as its file lists them."""
        return self._table.intervals(self._rows[index])

    def frame_sources(self, index: int, frames: Sequence[int] | None = None) -> list[FrameSource]:
        row = self._rows[index]
        span = self._table.rows("frame", row)
        kept = self._frames(index) if frames is None else self._frames(index)[list(frames)]
        keys, numbers = self._table.frame_key.span(span.start, span.stop), self._table.columns["frame_number"][span]
        file = self._table.video_file[row]
        video = self._media(file) if file else None
        there = video is not None and self._listing.is_file(video)
        sources = []
        try:
            for position in kept.tolist():
                picture, name = self._picture(keys[position])
                if self._listing.is_file(picture):
                    sources.append(FrameSource(picture, name=name if self.videos_path else ""))
                elif video is not None and there:
                    sources.append(FrameSource(video, int(numbers[position]), name=file if self.videos_path else ""))
                else:
                    sources.append(FrameSource(picture, there=False))
        except OSError as error:
            raise DataError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions.") from error
        return sources

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        """The annotated frames, each from where ``frame_sources`` finds it. Raises DataError naming
        the file if one is missing, damaged or of another size than annotated."""
        sources = self.frame_sources(index, frames)
        sizes = self._table.columns["frame_size"][self._table.rows("frame", self._rows[index])][self._frames(index)]
        sizes = sizes if frames is None else sizes[list(frames)]
        if lacking := next((source for source in sources if not source.there), None):
            raise DataError(
                f"{lacking.file}: no such picture, and video {short(self.video_ids[index])} has no video file to take it"
                " from."
            )
        numbers = [source.number for source in sources if source.number is not None]
        file = next((source.file for source in sources if source.number is not None), None)
        decoded = iter([] if file is None else VideoReader(file).read(numbers))
        pictures: list[Image] = [read_image(s.file) if s.number is None else next(decoded) for s in sources]
        for source, picture, (width, height) in zip(sources, pictures, sizes.tolist(), strict=True):
            if picture.shape[:2] != (height, width):
                place = source.file if source.number is None else f"{source.file}, frame {source.number}"
                raise DataError(
                    f"{place}: is {picture.shape[1]} x {picture.shape[0]} pixels, annotated as {width:g} x {height:g}."
                )
        return pictures

    def fingerprint(self) -> str:
        return self._digest

    def cache_places(self) -> list[Path]:
        return self._caches

    @cached_property
    def _digest(self) -> str:
        return self._table.digest()

    def triplet_counts(self) -> tuple[Array, Array]:
        """As everywhere, without building the videos."""
        return count_triplets(self._triplets(index) for index in range(len(self)))

    def _triplets(self, index: int) -> Array:
        """(R,) the triplets of all relations in the frames of video ``index`` that are taken."""
        row = self._rows[index]
        frames = self._table.rows("frame", row)
        taken = np.zeros(frames.stop - frames.start, np.bool_)
        taken[self._frames(index)] = True
        of_node = np.repeat(taken, np.diff(self._table.start["node"][frames.start : frames.stop + 1]))
        subject, thing, predicate = self._table.labels(row)
        kept, klass = of_node[subject], self._table.columns["node_class"][self._table.rows("node", row)]
        return triplet_codes(self.schema.vocabulary, klass[subject[kept]], klass[thing[kept]], predicate[kept])

    def picture_size(self, file: Location) -> int | None:
        return self._listing.size(file)

    def _picture(self, key: str) -> tuple[Location, str]:
        """The picture of a frame, below the folder or below ``frames`` in it, and its name. A key without
        a suffix stands for any of the usual ones."""
        is_file = self._listing.is_file
        if self._media(key).suffix:
            names = [key, f"{_FRAMES}/{key}"]
        else:
            names = [key + suffix for suffix in _SUFFIXES]
        found = ((picture, name) for name in names if is_file(picture := self._media(name)))
        return next(found, (self._media(names[0]), names[0]))

    def _media(self, name: str) -> Location:
        """A video or picture. Where videos are in another folder, that may be the one that the name
        begins with."""
        if self.videos_path is None:
            return self._below(name)
        self._check(name)
        first, _, rest = name.partition("/")
        direct = rest and first in _MEDIA and not self._listing.is_dir(self.videos_path / first)
        return self.videos_path / (rest if direct else name)

    def _below(self, name: str) -> Location:
        """A file below the data set's folder."""
        self._check(name)
        return self.root / name

    def _check(self, name: str) -> None:
        """Names out of a cache are as foreign as those out of annotations: raises DataError if one
        leaves the folder."""
        if not all(map(is_one_name, name.split("/"))):
            raise DataError(f"{self.root}: {short(name)} is no path below this folder.")
