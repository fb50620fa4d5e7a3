"""Recall and mean recall from the ranks of true relations: pure functions and the counters between them.

Recall of a unit at K is the share of its true relations with a rank below K; R@K is its mean over units that have a relation.
Mean recall has three definitions in use. Each is a mean over all predicates of the vocabulary, one that never occurs counting 0:

* mR: relations of a predicate found, divided by its relations, over the whole data set (TEMPURA).
* mR_frame: that share within a unit, averaged over the units that contain the predicate (DSG-DETR).
* mR_frame_all: the same, averaged over all units, so that a unit without the predicate counts 0 (STKET).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from vidsgg.metrics.ranks import RelationRanks
from vidsgg.structures.checks import Array


@dataclass(frozen=True, eq=False)
class RecallCounts:
    """What recall is made of, for V videos, X constraints, K cut-offs and C predicates.

    units (V,): units that have a relation. relations, containing (V, C): relations of a predicate, units that contain it.
    recall (V, X, K): sum of the units' recalls. hits (V, X, K, C): relations found. share (V, X, K, C): sum over units of the
    share of the predicate's relations found.
    """

    units: Array
    relations: Array
    containing: Array
    recall: Array
    hits: Array
    share: Array

    def __len__(self) -> int:
        return len(self.units)

    def video(self, index: int) -> RecallCounts:
        """The counters of one video, as arrays of their own."""
        return RecallCounts(*(getattr(self, f.name)[index : index + 1].copy() for f in fields(self)))

    @staticmethod
    def empty(constraints: int, ks: int, predicates: int) -> RecallCounts:
        """The counters of no video."""
        by_predicate = (0, constraints, ks, predicates)
        return RecallCounts(
            units=np.zeros(0, dtype=np.int64),
            relations=np.zeros((0, predicates), dtype=np.int64),
            containing=np.zeros((0, predicates), dtype=np.int64),
            recall=np.zeros((0, constraints, ks), dtype=np.float64),
            hits=np.zeros(by_predicate, dtype=np.int64),
            share=np.zeros(by_predicate, dtype=np.float64),
        )

    @staticmethod
    def cat(parts: Sequence[RecallCounts]) -> RecallCounts:
        return RecallCounts(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(RecallCounts)))

    def total(self) -> RecallCounts:
        """All videos as one."""
        return RecallCounts(*(getattr(self, f.name).sum(0, keepdims=True) for f in fields(self)))


def unit_recall(ranks: RelationRanks, units: int, ks: Sequence[int]) -> Array:
    """(U, X, K) recall of every unit, NaN for units without a relation."""
    relations = np.bincount(ranks.unit, minlength=units)
    hits = _found(ranks, ranks.unit, units, ks)
    empty = np.full(hits.shape, np.nan)
    recall: Array = np.divide(hits, relations[:, None, None], out=empty, where=(relations > 0)[:, None, None])
    return recall


def count_recall(ranks: RelationRanks, unit_video: Array, videos: int, predicates: int, ks: Sequence[int]) -> RecallCounts:
    """Counters of every video. unit_video (U,): video of every unit, never decreasing; a video has at least one unit."""
    units = len(unit_video)
    starts = np.searchsorted(unit_video, np.arange(videos))
    recall = np.nan_to_num(unit_recall(ranks, units, ks))
    has_relation = np.bincount(ranks.unit, minlength=units) > 0

    # One row per (unit, predicate) that occurs: they are far fewer than units times predicates.
    cell = ranks.unit * predicates + ranks.predicate
    per_cell = np.bincount(cell, minlength=units * predicates)
    occurring = np.flatnonzero(per_cell)
    row = np.zeros(len(per_cell), dtype=np.int64)
    row[occurring] = np.arange(len(occurring), dtype=np.int64)
    hits = _found(ranks, row[cell], len(occurring), ks)
    there = unit_video[occurring // predicates] * predicates + occurring % predicates

    def by_predicate(values: Array) -> Array:
        """(rows, ...) summed into (V, ..., C)."""
        flat = values.reshape(len(values), -1)
        sums = [np.bincount(there, weights=flat[:, i], minlength=videos * predicates) for i in range(flat.shape[1])]
        table = np.stack(sums).reshape(*values.shape[1:], videos, predicates)
        return np.moveaxis(table, -2, 0)

    relations = per_cell[occurring]
    return RecallCounts(
        units=np.add.reduceat(has_relation.astype(np.int64), starts),
        relations=by_predicate(relations).astype(np.int64),
        containing=by_predicate(np.ones_like(relations)).astype(np.int64),
        recall=np.add.reduceat(recall, starts, axis=0),
        hits=by_predicate(hits).astype(np.int64),
        share=by_predicate(hits / relations[:, None, None]),
    )


def _found(ranks: RelationRanks, row: Array, rows: int, ks: Sequence[int]) -> Array:
    """(rows, X, K) number of relations of a row with a rank below K."""
    bins = len(ks) + 1
    counts = [
        np.bincount(row * bins + np.searchsorted(np.asarray(ks), rank, side="right"), minlength=rows * bins).reshape(rows, bins)
        for rank in ranks.rank
    ]
    return np.stack(counts, axis=1)[:, :, :-1].cumsum(-1)


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, 0 where whole is 0; shapes broadcast."""
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
