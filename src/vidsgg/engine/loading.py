"""From a data set to batches: annotations, pictures and stored features are read in worker
processes; what is to be computed of them is computed where the model is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.box_noise import BoxNoise
from vidsgg.datasets.partial_labels import PartialLabels
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.workers import init_worker, start_method
from vidsgg.errors import DataError, VidsggError
from vidsgg.features.store import FeatureStore
from vidsgg.features.stored_clip import RecordSource
from vidsgg.io.images import Image
from vidsgg.io.records import Record
from vidsgg.ops.candidates import annotated_clip
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip

Extractor = Callable[[Sequence[Image], Clip], Clip]


@dataclass(frozen=True, eq=False)
class Batch:
    """Several videos as one clip, with the ground truth of each. number: its place in the pass over
    the data, from 0."""

    clip: Clip
    annotations: tuple[VideoAnnotation, ...]
    number: int


@dataclass(frozen=True, eq=False)
class NoBatch:
    """A place in the pass without a video for this process: none could be read, or the last ones
    are those of other processes."""

    number: int


@dataclass(frozen=True, eq=False)
class _Sample:
    """A video as a worker has read it: its clip and perhaps its pictures, or its record in a
    feature store."""

    annotation: VideoAnnotation
    read: Clip | Record
    images: list[Image] | None = None


@dataclass(frozen=True)
class _Samples(Dataset[_Sample | VidsggError]):
    """One video per index. Errors of the data travel as values: a worker would bury their message
    in its traceback."""

    dataset: VideoDataset
    mode: str
    with_images: bool
    store: FeatureStore | None
    learn: bool

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> _Sample | VidsggError:
        try:
            annotation = self.dataset.annotation(index)
            if self.store is not None:
                return _Sample(
                    annotation,
                    self.store.open_record(RecordSource.of(self.dataset, index, annotation), learn=self.learn),
                )
            columns = {name: torch.from_numpy(array) for name, array in self.dataset.features(index).items()}
            clip = annotated_clip(annotation, self.mode, **columns)
            return _Sample(annotation, clip, self.dataset.images(index) if self.with_images else None)
        except VidsggError as error:
            return error


@dataclass
class ClipLoader:
    """Batches of whole videos.

    extractor: fills in features from the pictures (a frozen detector); None when the data set
    brings them or there are none.
    store: where features are read instead; then no picture is looked at. learn: which of its clips,
    those to learn from or to be scored.
    shuffle: a new order every epoch, a function of seed and epoch alone. skip_bad: leave out videos
    that cannot be read and list them in ``skipped``; otherwise the first one ends the run with its
    message. stages: pairs of a number of epochs, ascending, and the positions of the videos that
    are read after so many; by default all videos always. team: every process reads its part of as
    many videos as ``batch_size`` times the processes. partial: which labels take part in an epoch;
    all by default. noise: how boxes are moved and left out in an epoch; not at all by default.
    """

    dataset: VideoDataset
    mode: str
    batch_size: int = 1
    shuffle: bool = False
    seed: int = 0
    workers: int = 0
    device: torch.device | str = "cpu"
    extractor: Extractor | None = None
    skip_bad: bool = False
    store: FeatureStore | None = None
    learn: bool = False
    stages: Sequence[tuple[int, Sequence[int]]] = ()
    team: Team = ALONE
    partial: PartialLabels | None = None
    noise: BoxNoise | None = None
    skipped: dict[str, None] = field(default_factory=dict)
    # The workers live as long as this object: only the list of batches, which stays in this
    # process, changes between passes.
    _groups: list[list[int]] = field(default_factory=list, init=False, repr=False)
    _loader: DataLoader[Any] | None = field(default=None, init=False, repr=False)

    def __len__(self) -> int:
        """Batches of a pass over all videos."""
        return math.ceil(len(self.dataset) / self._batch)

    def steps(self, epoch: int) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.videos(epoch)) / self._batch)

    def videos(self, epoch: int) -> Sequence[int]:
        """Positions of the videos of an epoch (from 1; epoch 0 is a pass over all), in the data
        set's order."""
        begun = [videos for start, videos in self.stages if start < epoch]
        return begun[-1] if begun else range(len(self.dataset))

    def close(self) -> None:
        """End the worker processes; another pass would start new ones."""
        self._loader = None

    def order(self, epoch: int) -> list[int]:
        """Positions of the videos in the order of ``epoch``."""
        order = list(self.videos(epoch))
        if self.shuffle:
            random.Random(f"{self.seed}/{epoch}").shuffle(order)
        return order

    def batches(self, epoch: int = 0, first: int = 0) -> Iterator[Batch]:
        """One pass over the data, or what is left of it from batch number ``first``; nothing before
        that is read.

        Raises the DataError of a video that cannot be read, unless skip_bad.
        """
        for batch in self.places(epoch, first):
            if isinstance(batch, Batch):
                yield batch

    def places(self, epoch: int = 0, first: int = 0) -> Iterator[Batch | NoBatch]:
        """The same, with a place in every process for every batch of any."""
        order = self.order(epoch)
        steps = [order[i : i + self._batch] for i in range(first * self._batch, len(order), self._batch)]
        self._groups[:] = [list(self.team.share(step)) for step in steps]
        if self._loader is None:
            self._loader = DataLoader(
                _Samples(self.dataset, self.mode, self.extractor is not None, self.store, self.learn),
                batch_sampler=self._groups,
                num_workers=min(self.workers, len(self)),
                persistent_workers=self.workers > 0,
                multiprocessing_context=start_method() if self.workers else None,
                worker_init_fn=init_worker if self.workers else None,
                collate_fn=list,
                generator=torch.Generator().manual_seed(self.seed),  # else the loader draws from the global generator
            )
        any_good = first > 0
        for number, samples in enumerate(self._loader, first):
            good = []
            for sample in samples:
                if not isinstance(sample, VidsggError):
                    good.append(sample)
                elif self.skip_bad:
                    self.skipped[str(sample)] = None
                else:
                    raise sample
            if good:
                any_good = True
                clips = [self._lesson(self._with_features(s), s.annotation, epoch) for s in good]
                yield Batch(Clip.cat(clips), tuple(s.annotation for s in good), number)
            else:
                yield NoBatch(number)
        if self.skipped and not any_good and self.team.size == 1:
            raise DataError(
                f"{self.dataset.root}: no video could be read; the first message was: {next(iter(self.skipped))}"
            )

    @property
    def _batch(self) -> int:
        """Videos of a batch, in all processes."""
        return self.batch_size * self.team.size

    def _lesson(self, clip: Clip, annotation: VideoAnnotation, epoch: int) -> Clip:
        """What is learnt from a clip in an epoch; in epoch 0, a pass over all, it stays as it is."""
        if epoch and self.partial is not None:
            clip = self.partial.applied(clip, annotation, epoch)
        return clip if not epoch or self.noise is None else self.noise.applied(clip, epoch)

    def _with_features(self, sample: _Sample) -> Clip:
        if isinstance(sample.read, Record):
            assert self.store is not None
            stored = self.store.clip(sample.read, self.device)
            if stored.frame_number is None:  # stores of version 0.1.0 do not hold it
                number = torch.from_numpy(sample.annotation.frame_number.copy()).to(stored.device)
                stored = replace(stored, frame_number=number)
            return stored
        clip = sample.read.to(self.device)
        if self.extractor is None:
            return clip
        assert sample.images is not None
        return self.extractor(sample.images, clip)
