"""Single annotated frames of many videos: what a detector learns from and is scored on. Worker
processes read them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vidsgg.datasets.base import VideoDataset
from vidsgg.engine.workers import init_worker, start_method
from vidsgg.errors import DataError, VidsggError
from vidsgg.io.images import Image

FrameKey = tuple[int, int]  # positions of a video and of a frame in it
KEPT = 2**29  # bytes of decoded pictures that a loader keeps in all of its workers
RARE = 0.1  # share of the frames below which a class is shown more often


@dataclass(frozen=True, eq=False)
class Frame:
    """An annotated frame. image: RGB (H, W, 3) uint8. box (n, 4) float32: xyxy in its pixels. klass
    (n,) long. name: its key."""

    image: Image
    box: Tensor
    klass: Tensor
    name: str


# What is done to a frame before it is learnt from; draws from the given generator only.
Augment = Callable[[Frame, np.random.Generator], Frame]


def flip_half(frame: Frame, random: np.random.Generator) -> Frame:
    """Every other frame mirrored left to right. No class of ours tells left from right."""
    if random.random() < 0.5:
        return frame
    x1, y1, x2, y2 = frame.box.unbind(1)
    width = frame.image.shape[1]
    return Frame(
        np.ascontiguousarray(frame.image[:, ::-1]),
        torch.stack([width - x2, y1, width - x1, y2], 1),
        frame.klass,
        frame.name,
    )


@dataclass
class KeptPictures:
    """Decoded pictures by video and frame, up to ``most`` bytes.

    The first ones stay: in a random order every frame is as likely to come next as any other.
    """

    most: int
    _pictures: dict[FrameKey, Image] = field(default_factory=dict)
    _bytes: int = 0

    def read(self, dataset: VideoDataset, video: int, rows: list[int]) -> list[Image]:
        """The pictures of some frames of a video; those that are kept are not read again."""
        lacking = sorted({row for row in rows if (video, row) not in self._pictures})
        read = dict(zip(lacking, dataset.images(video, lacking), strict=True)) if lacking else {}
        found = [read[row] if row in read else self._pictures[video, row] for row in rows]
        for row, image in read.items():
            if self._bytes + image.nbytes <= self.most:
                image.setflags(write=False)  # whoever changed it would change later epochs
                self._pictures[video, row] = image
                self._bytes += image.nbytes
        return found


@dataclass(frozen=True)
class _Batches(Dataset[list[Frame | VidsggError]]):
    """The frames of a whole batch, given their keys and the epoch. Errors of the data travel as
    values, as in ClipLoader."""

    dataset: VideoDataset
    augment: Augment | None
    seed: int
    kept: KeptPictures  # each worker has its own

    def __getitem__(self, asked: tuple[int, list[FrameKey]]) -> list[Frame | VidsggError]:
        epoch, keys = asked
        read: list[Frame | VidsggError] = []
        for video, group in groupby(keys, key=itemgetter(0)):
            try:
                read += self._read(epoch, video, [frame for _, frame in group])
            except VidsggError as error:
                read.append(error)
        return read

    def _read(self, epoch: int, video: int, rows: list[int]) -> list[Frame]:
        annotation = self.dataset.annotation(video)
        frames = []
        for row, image in zip(rows, self.kept.read(self.dataset, video, rows), strict=True):
            nodes = annotation.node_frame == row
            box, klass = (
                torch.from_numpy(annotation.node_box[nodes]),
                torch.from_numpy(annotation.node_class[nodes].astype(np.int64)),
            )
            frame = Frame(image, box, klass, annotation.frame_key[row])
            if self.augment is not None:
                frame = self.augment(frame, np.random.default_rng([self.seed, epoch, video, row]))
            frames.append(frame)
        return frames


@dataclass
class FrameLoader:
    """Batches of frames.

    shuffle: frames of all videos in a new order every epoch, a function of seed and epoch alone,
    and those with rare classes several times; otherwise videos follow each other as they are, and
    no batch has frames of two. Shuffled pictures are kept, up to KEPT bytes, for later epochs. augment: what is done to each. skip_bad: leave out what cannot be
    read and list it in ``skipped``; otherwise it ends the run with its message.
    """

    dataset: VideoDataset
    batch_size: int
    shuffle: bool = False
    seed: int = 0
    workers: int = 0
    augment: Augment | None = None
    skip_bad: bool = False
    skipped: dict[str, None] = field(default_factory=dict)
    # As in ClipLoader, workers live as long as this object and only the list of batches changes.
    _asked: list[tuple[int, list[FrameKey]]] = field(default_factory=list, init=False, repr=False)
    _loader: DataLoader[Any] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self._keys = [
            [(video, frame) for frame in range(annotation.frames)] for video, annotation in enumerate(self.dataset)
        ]
        self.frames = sum(map(len, self._keys))
        self._times = _repetitions(self.dataset) if self.shuffle else np.ones(self.frames)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return len(self.order(0))

    def order(self, epoch: int) -> list[list[FrameKey]]:
        """The batches of ``epoch``."""
        lists = self._keys
        if self.shuffle:
            draw = random.Random(f"{self.seed}/{epoch}")
            # Every frame as often as its number says, rounded up or down at random, and all epochs
            # equally long.
            until = np.floor(np.cumsum(self._times) + draw.random()).astype(int)
            keys = [key for keys in self._keys for key in keys]
            lists = [[key for key, times in zip(keys, np.diff(until, prepend=0), strict=True) for _ in range(times)]]
            draw.shuffle(lists[0])
        return [keys[i : i + self.batch_size] for keys in lists for i in range(0, len(keys), self.batch_size)]

    def batches(self, epoch: int = 0) -> Iterator[list[Frame]]:
        """One pass over the data. Raises the DataError of a video that cannot be read, unless
        skip_bad."""
        self._asked[:] = [(epoch, keys) for keys in self.order(epoch)]
        if self._loader is None:
            kept = KEPT // max(1, self.workers) if self.shuffle else 0  # in their order frames are decoded once a pass
            self._loader = DataLoader(
                _Batches(self.dataset, self.augment, self.seed, KeptPictures(kept)),
                batch_size=None,
                sampler=self._asked,
                num_workers=min(self.workers, len(self._asked)),
                persistent_workers=self.workers > 0,
                multiprocessing_context=start_method() if self.workers else None,
                worker_init_fn=init_worker if self.workers else None,
                generator=torch.Generator().manual_seed(self.seed),  # else the loader draws from the global generator
            )
        seen = 0
        for read in self._loader:
            good = []
            for frame in read:
                if not isinstance(frame, VidsggError):
                    good.append(frame)
                elif self.skip_bad:
                    self.skipped[str(frame)] = None
                else:
                    raise frame
            if good:
                seen += len(good)
                yield good
        if not seen:
            raise DataError(
                f"{self.dataset.root}: no frame could be read; the first message was: {next(iter(self.skipped))}"
            )


def _repetitions(dataset: VideoDataset) -> npt.NDArray[np.float64]:
    """How often each frame of all videos is shown in an epoch, at least once on average.

    A frame counts as its rarest class does: sqrt(RARE / f) for one that is in a share f of the
    frames (Gupta et al. 2019, arXiv:1908.03195, section 6).
    """
    present = []
    for annotation in dataset:
        has = np.zeros((annotation.frames, len(dataset.schema.vocabulary.objects)), np.bool_)
        has[annotation.node_frame, annotation.node_class] = True
        present.append(has)
    every = np.concatenate(present)
    times = np.sqrt(RARE / every.mean(0).clip(min=1e-9)).clip(min=1)
    rarest: npt.NDArray[np.float64] = np.where(every, times, 1).max(1)
    return rarest
