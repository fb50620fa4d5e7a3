"""What a data set's training annotations say about the predicates and triplets of the others."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vidsgg.assembly.data import open_split
from vidsgg.datasets.base import VideoDataset, counts_of_predicates
from vidsgg.datasets.format import MissingSplit
from vidsgg.datasets.registry import open_whole_split
from vidsgg.io.locations import Location
from vidsgg.metrics.long_tail import LongTail
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import Triplet
from vidsgg.structures.triplets import triplet_names


@dataclass(frozen=True)
class UnseenTriplet:
    """A triplet of a split that training lacks, in the direction in which it reads. relations: that
    have it. predicate_in_training, classes_in_training: relations of the training videos with its
    predicate, and with its two classes."""

    subject: str
    predicate: str
    object: str
    relations: int
    predicate_in_training: int
    classes_in_training: int


@dataclass(frozen=True, eq=False)
class TrainingCounts:
    """tail: how often predicates are annotated in the training split. seen (T,): the triplets of
    classes that the videos to learn from have, ascending; counts (T,): how many relations have each.
    over_time: those of relations over time, as the files list them.
    """

    tail: LongTail
    seen: Array
    counts: Array
    over_time: AbstractSet[Triplet]

    def unseen(self, dataset: VideoDataset) -> Array:
        """(T,) the triplets that ``dataset`` has and training lacks, ascending."""
        return np.setdiff1d(dataset.triplet_counts()[0], self.seen)

    def unseen_rows(self, dataset: VideoDataset) -> list[UnseenTriplet]:
        """The same with their names, the most frequent first."""
        predicates = len(dataset.schema.vocabulary.predicates)
        codes, relations = dataset.triplet_counts()
        of_predicate = counts_of_predicates(dataset.schema, self.seen, self.counts)
        rows = [
            UnseenTriplet(
                *triplet_names(dataset.schema, code),
                int(often),
                int(of_predicate[code % predicates]),
                int(self.counts[self.seen // predicates == code // predicates].sum()),
            )
            for code, often in zip(codes.tolist(), relations.tolist(), strict=True)
            if code not in self._seen
        ]
        return sorted(rows, key=lambda row: -row.relations)

    @cached_property
    def _seen(self) -> frozenset[int]:
        return frozenset(self.seen.tolist())


def open_training_counts(root: Location, split: str) -> TrainingCounts | None:
    """The training split as PredCLS reads it: the same for all modes and models; None for a data set
    without one.

    split: the one that is scored. Its own videos are none that were learnt from: for "val" a
    triplet is new if the rest of the training videos lack it. Raises DataError for training
    annotations that cannot be used.
    """
    try:
        whole = open_whole_split(root, "train", "predcls", skip_bad=True)
    except MissingSplit:
        return None
    codes, counts = whole.triplet_counts()
    tail = LongTail.of(counts_of_predicates(whole.schema, codes, counts))
    if split == "val":
        codes, counts = open_split(root, "predcls", "train", datasize="large", skip_bad=True).triplet_counts()
    return TrainingCounts(tail, codes, counts, whole.true_triplets())


def triplets_digest(codes: Array) -> str:
    """Tells apart sets of triplets, whose numbers are given in ascending order."""
    return hashlib.sha256(np.ascontiguousarray(codes, dtype="<i8").tobytes()).hexdigest()
