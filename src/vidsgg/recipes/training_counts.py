"""What a data set's training annotations say about the predicates and triplets of the others."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vidsgg.assembly.data import open_split
from vidsgg.datasets.base import VideoDataset, counts_of_predicates
from vidsgg.datasets.registry import open_whole_split
from vidsgg.metrics.long_tail import LongTail
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import Triplet


@dataclass(frozen=True, eq=False)
class TrainingCounts:
    """tail: how often predicates are annotated in the training split. seen (T,): the triplets of
    classes that the videos to learn from have, for zero-shot recall. over_time: those of relations
    over time, as the files list them.
    """

    tail: LongTail
    seen: Array
    over_time: AbstractSet[Triplet]

    def unseen(self, dataset: VideoDataset) -> Array:
        """(T,) the triplets that ``dataset`` has and training lacks, ascending."""
        return np.setdiff1d(dataset.triplet_counts()[0], self.seen)


def open_training_counts(root: Path, split: str) -> TrainingCounts:
    """The training split as PredCLS reads it: the same for all modes and models.

    split: the one that is scored. Its own videos are none that were learnt from: for "val" a
    triplet is new if the rest of the training videos lack it. Raises DataError if there are no
    training annotations.
    """
    whole = open_whole_split(root, "train", "predcls", skip_bad=True)
    codes, counts = whole.triplet_counts()
    tail = LongTail.of(counts_of_predicates(whole.schema, codes, counts))
    if split == "val":
        codes, _ = open_split(root, "predcls", "train", datasize="large", skip_bad=True).triplet_counts()
    return TrainingCounts(tail, codes, whole.true_triplets())


def triplets_digest(codes: Array) -> str:
    """Tells apart sets of triplets, whose numbers are given in ascending order."""
    return hashlib.sha256(np.ascontiguousarray(codes, dtype="<i8").tobytes()).hexdigest()
