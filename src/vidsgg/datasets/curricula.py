"""From easy to hard: how difficult a video is, and training that starts with the easy ones (Bengio
et al., ICML 2009).

Difficulty follows from the annotations alone. A video has three marks: its pairs, its frames, and
the rarity of its predicates, which is the mean over its labels of -log2(share of the data set's
pairs that carry the label's predicate). Each mark is turned into a rank among the videos of the
data set, from 0 (lowest) to 1 (highest), equal marks sharing the mean of their ranks; the
difficulty is the mean of the three ranks. Ranks, because the marks have different units and a few
very long videos."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from vidsgg.datasets.base import Subset, VideoDataset
from vidsgg.errors import ConfigError
from vidsgg.options import closest

# What share of the videos a level takes, the easiest first. Every level contains the one before:
# what was learned is not forgotten.
LEVELS = {"easy": 1 / 3, "medium": 2 / 3, "full": 1.0}

_known: weakref.WeakKeyDictionary[VideoDataset, npt.NDArray[np.float64]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class CurriculumStage:
    """After ``start`` epochs, training is on the videos of ``level``."""

    start: int
    level: str


def parse_curriculum(text: str) -> tuple[CurriculumStage, ...]:
    """The stages of ``0:easy,20:medium,60:full``. Raises ConfigError naming the stage that is
    wrong."""
    stages: list[CurriculumStage] = []
    for number, part in enumerate(text.split(","), 1):
        where = f"option -curriculum: stage {number} is {part!r};"
        start, colon, level = (word.strip() for word in part.partition(":"))
        if not colon or not start.isdecimal():
            raise ConfigError(f"{where} write EPOCH:LEVEL, such as 20:medium")
        if level not in LEVELS:
            raise ConfigError(f"{where} the levels are {', '.join(LEVELS)}{closest(level, list(LEVELS))}")
        if not stages and int(start) != 0:
            raise ConfigError(f"{where} the first stage starts at epoch 0")
        if stages and int(start) <= stages[-1].start:
            raise ConfigError(f"{where} it must start after the stage before, which starts at {stages[-1].start}")
        stages.append(CurriculumStage(int(start), level))
    return tuple(stages)


def difficulty(dataset: VideoDataset) -> npt.NDArray[np.float64]:
    """(V,) from 0 to 1, higher is harder; see above. Reads every annotation once, then remembers.
    Raises DataError as they do."""
    if dataset not in _known:
        marks = _marks(dataset)
        _known[dataset] = np.mean([_ranks(mark) for mark in marks], axis=0)
    return _known[dataset]


def easiest(dataset: VideoDataset, level: str) -> list[int]:
    """Positions of the videos of a level, ascending; at least one. Equally difficult videos are
    taken by their names."""
    names = np.array(dataset.video_ids)
    order = np.lexsort((names, difficulty(dataset)))  # the last key counts first
    return sorted(order[: max(1, round(LEVELS[level] * len(dataset)))].tolist())


def get_easy_samples(dataset: VideoDataset) -> Subset:
    """The easiest third of the videos, in the data set's order."""
    return Subset(dataset, easiest(dataset, "easy"))


def get_medium_samples(dataset: VideoDataset) -> Subset:
    """The easiest two thirds of the videos, in the data set's order: easy and medium ones."""
    return Subset(dataset, easiest(dataset, "medium"))


def get_full_dataset(dataset: VideoDataset) -> Subset:
    """All videos, in the data set's order."""
    return Subset(dataset, easiest(dataset, "full"))


def _marks(dataset: VideoDataset) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    """Pairs, frames and rarity of every video."""
    pairs, frames, labels = [], [], []
    for annotation in dataset:
        pairs.append(annotation.pairs)
        frames.append(annotation.frames)
        labels.append(
            np.concatenate([annotation.labels[group.name].sum(0) for group in dataset.schema.vocabulary.groups])
        )
    carried = np.stack(labels).astype(np.float64)  # (V, all predicates), pairs of a video that carry each
    with np.errstate(divide="ignore"):
        bits = -np.log2(carried.sum(0) / max(sum(pairs), 1))
    bits[np.isinf(bits)] = 0.0  # a predicate that never occurs
    rarity = carried @ bits / np.maximum(carried.sum(1), 1)
    return pairs, frames, rarity.tolist()


def _ranks(mark: Sequence[float]) -> npt.NDArray[np.float64]:
    """Ranks from 0 to 1; equal values share the mean of theirs."""
    # sums differ in their last bits
    _, group, count = np.unique(np.round(mark, 9), return_inverse=True, return_counts=True)
    last = np.cumsum(count) - 1
    return ((last - (count - 1) / 2) / max(len(mark) - 1, 1))[group]
