"""Recall and mean recall from the ranks of true relations: pure functions and the counters between
them.

Recall of a unit at K is the share of its true relations with a rank below K; R@K is its mean over
units that have a relation. Mean recall has three definitions in use. Each is a mean over all
predicates of the vocabulary, one that never occurs counting 0:

* mR: relations of a predicate found, divided by its relations, over the whole data set (TEMPURA).
* mR_frame: that share within a unit, averaged over the units that contain the predicate (DSG-DETR).
* mR_frame_all: the same, averaged over all units, so that a unit without the predicate counts 0
  (STKET).

F@K is the harmonic mean of R@K and mR@K of the whole data set (IETrans, SGG-Benchmark), hR@K that of
R@K and mR_frame@K (ImparTail). Both are 0 where both means are 0; ImparTail gives NaN there.

Zero-shot recall zR@K is recall of the relations whose triplet (class, class, predicate) training
lacks, averaged over the units that have one. Predictions of other triplets stay in the list (Tang et
al. 2020 and SGG-Benchmark; the rule that VidVRD calls "new" takes them out, see
vidsgg.metrics.tracks).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np

from vidsgg.metrics.images import f_score
from vidsgg.metrics.ranks import RelationRanks
from vidsgg.structures.checks import Array

ZERO_SHOT = "zR"


@dataclass(frozen=True, eq=False)
class RecallCounts:
    """What recall is made of, for V videos, X constraints, K cut-offs and C predicates.

    units (V,): units that have a relation. relations, containing (V, C): relations of a predicate,
    units that contain it. recall (V, X, K): sum of the units' recalls. hits (V, X, K, C): relations
    found. share (V, X, K, C): sum over units of the share of the predicate's relations found.
    unseen_units, unseen_relations (V,), unseen_recall (V, X, K): as above, of relations whose triplet
    training lacks; 0 where that is not asked.
    """

    units: Array
    relations: Array
    containing: Array
    recall: Array
    hits: Array
    share: Array
    unseen_units: Array
    unseen_relations: Array
    unseen_recall: Array

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
            unseen_units=np.zeros(0, dtype=np.int64),
            unseen_relations=np.zeros(0, dtype=np.int64),
            unseen_recall=np.zeros((0, constraints, ks), dtype=np.float64),
        )

    def check(self, videos: int, constraints: int, ks: int, predicates: int) -> None:
        """Raises ValueError if these are no counters of that size."""
        for f in fields(self):
            table, wanted = getattr(self, f.name), getattr(RecallCounts.empty(constraints, ks, predicates), f.name)
            if (table.shape, table.dtype) != ((videos, *wanted.shape[1:]), wanted.dtype):
                raise ValueError(
                    f"{f.name} is {table.dtype} of shape {table.shape}, not {wanted.dtype} of"
                    f" {(videos, *wanted.shape[1:])}"
                )

    @staticmethod
    def cat(parts: Sequence[RecallCounts]) -> RecallCounts:
        return RecallCounts(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(RecallCounts)))

    def total(self) -> RecallCounts:
        """All videos as one."""
        return RecallCounts(*(getattr(self, f.name).sum(0, keepdims=True) for f in fields(self)))

    def weighted(self, weights: Array) -> RecallCounts:
        """S sums over all videos, in each of which a video counts as often as ``weights`` (S, V)
        float64 says."""
        tables = (getattr(self, f.name) for f in fields(self))
        return RecallCounts(
            *((weights @ table.reshape(len(table), -1)).reshape(len(weights), *table.shape[1:]) for table in tables)
        )


def predicate_recall(counts: RecallCounts) -> Array:
    """(V, X, K, C) relations of every predicate found, divided by its relations; 0 for one that
    does not occur."""
    return ratio(counts.hits, counts.relations[:, None, None])


def averages(counts: RecallCounts) -> dict[str, Array]:
    """R, the three mean recalls, F, hR and zR (V, X, K), of every row of the counters by itself. All
    are 0 in a row without a unit, but zR is NaN in a row without an unseen triplet."""
    units = counts.units[:, None, None]
    found = {
        "R": ratio(counts.recall, units),
        "mR": predicate_recall(counts).mean(-1),
        "mR_frame": ratio(counts.share, counts.containing[:, None, None]).mean(-1),
        "mR_frame_all": ratio(counts.share, units[..., None]).mean(-1),
    }
    new = counts.unseen_units[:, None, None]
    return {
        **found,
        **harmonic_means(found),
        ZERO_SHOT: np.where(new > 0, ratio(counts.unseen_recall, new), np.nan),
    }


def harmonic_means(found: Mapping[str, Array]) -> dict[str, Array]:
    """F and hR of R and the mean recalls."""
    return {"F": f_score(found["R"], found["mR"]), "hR": f_score(found["R"], found["mR_frame"])}


def unit_recall(ranks: RelationRanks, units: int, ks: Sequence[int]) -> Array:
    """(X, K, U) recall of every unit, NaN for units without a relation."""
    relations = np.bincount(ranks.unit, minlength=units)
    hits = _found(_first_k(ranks, ks), ranks.unit, units, len(ks))
    recall: Array = np.divide(hits, relations, out=np.full(hits.shape, np.nan), where=relations > 0)
    return recall


def count_recall(
    ranks: RelationRanks,
    unit_video: Array,
    videos: int,
    predicates: int,
    ks: Sequence[int],
    unseen: Array | None = None,
) -> RecallCounts:
    """Counters of every video. unit_video (U,): video of every unit, never decreasing; a video has
    at least one unit. unseen (R,) bool: relations whose triplet training lacks."""
    units, starts = len(unit_video), np.searchsorted(unit_video, np.arange(videos))
    first_k = _first_k(ranks, ks)
    new = np.zeros(len(ranks.unit), np.bool_) if unseen is None else unseen

    def by_unit(of: Array | slice) -> tuple[Array, Array]:
        """Units of every video that have some of these relations, and the sums of their recalls."""
        relations = np.bincount(ranks.unit[of], minlength=units)
        recall = ratio(_found(first_k[:, of], ranks.unit[of], units, len(ks)), relations)
        having = np.add.reduceat((relations > 0).astype(np.int64), starts)
        return having, np.moveaxis(np.add.reduceat(recall, starts, axis=2), 2, 0)

    having, recall = by_unit(slice(None))
    if new.any():
        unseen_units, unseen_recall = by_unit(new)
    else:
        unseen_units, unseen_recall = np.zeros_like(having), np.zeros_like(recall)

    # One row per (unit, predicate) that occurs: they are far fewer than units times predicates.
    cell = ranks.unit * predicates + ranks.predicate
    per_cell = np.bincount(cell, minlength=units * predicates)
    occurring = np.flatnonzero(per_cell)
    row = np.zeros(len(per_cell), dtype=np.int64)
    row[occurring] = np.arange(len(occurring), dtype=np.int64)
    share = _found(first_k, row[cell], len(occurring), len(ks)) / per_cell[occurring]
    of_row = unit_video[occurring // predicates] * predicates + occurring % predicates  # (video, predicate)
    of_relation = of_row[row[cell]]
    size = videos * predicates
    shares = np.stack([[np.bincount(of_row, weights=column, minlength=size) for column in table] for table in share])

    def by_video(table: Array) -> Array:
        """(X, K, V * C) -> (V, X, K, C)."""
        return np.moveaxis(table.reshape(*table.shape[:2], videos, predicates), 2, 0)

    return RecallCounts(
        units=having,
        relations=np.bincount(of_relation, minlength=size).reshape(videos, predicates),
        containing=np.bincount(of_row, minlength=size).reshape(videos, predicates),
        recall=recall,
        hits=by_video(_found(first_k, of_relation, size, len(ks))),
        share=by_video(shares),
        unseen_units=unseen_units,
        unseen_relations=np.bincount(unit_video[ranks.unit[new]], minlength=videos),
        unseen_recall=unseen_recall,
    )


def _first_k(ranks: RelationRanks, ks: Sequence[int]) -> Array:
    """(X, R) index of the least K that finds a relation, len(ks) if none does."""
    index = np.zeros(ranks.rank.shape, dtype=np.int64)
    for k in ks:
        index += ranks.rank >= k
    return index


def _found(first_k: Array, row: Array, rows: int, ks: int) -> Array:
    """(X, K, rows) number of relations of a row that are found at K."""
    found = np.empty((len(first_k), ks, rows), dtype=np.int64)
    for x, index in enumerate(first_k):
        hit = np.flatnonzero(index < ks)  # without constraint most relations are not
        found[x] = np.bincount(index[hit] * rows + row[hit], minlength=ks * rows).reshape(ks, rows)
    for k in range(1, ks):
        found[:, k] += found[:, k - 1]
    return found


def ratio(part: Array, whole: Array) -> Array:
    """part / whole, 0 where whole is 0; shapes broadcast."""
    whole = np.broadcast_to(whole, part.shape)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
