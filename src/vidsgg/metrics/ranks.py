"""What both protocols give: the rank at which every true relation is found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.structures.checks import Array

NOT_FOUND = int(np.iinfo(np.int32).max)  # beyond every K


@dataclass(frozen=True, eq=False)
class RelationRanks:
    """R true relations and X constraints, in the protocol's order.

    unit (R,): label unit, never decreasing. subject, object (R,): their classes. predicate (R,):
    global id. rank (X, R) int32: number of candidates of the unit that stand before the first one
    that matches, NOT_FOUND if none does; found within the first K means rank < K. offered (X, R)
    bool: whether one matches, also one that was cut off since too many are better.
    """

    unit: Array
    subject: Array
    object: Array
    predicate: Array
    rank: Array
    offered: Array


def spread(counts: Array) -> tuple[Array, Array]:
    """Rows of ragged segments: (S,) lengths -> segment of every row, and its position inside the
    segment."""
    segment = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    starts = np.cumsum(counts) - counts
    return segment, np.arange(len(segment), dtype=np.int64) - starts[segment]


def first(rank: Array, rows: Array, size: int) -> Array:
    """The least of ``rank`` for every one of ``size`` relations that ``rows`` points at, NOT_FOUND
    where none does."""
    best = np.full(size, NOT_FOUND, dtype=np.int32)
    np.minimum.at(best, rows, rank.astype(np.int32))
    return best
