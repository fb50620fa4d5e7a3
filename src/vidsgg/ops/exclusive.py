"""Predicates that hold for one object of a label unit only, such as EASG's direct object."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vidsgg.structures.checks import Array

_SURE = 1e-7  # probabilities are held this far from 0 and 1: their odds must be finite


def resolve_exclusive(
    probabilities: Array, unit: Array, exclusive: Sequence[int], identity: Array | None = None
) -> Array:
    """``probabilities`` (P, C) with those of the exclusive predicates shared out among the objects
    of each unit: they sum to 1.

    A model scores every object by itself. Given that the predicate holds for exactly one of
    independent objects, object i is the one with probability odds_i / sum of odds, where odds = p /
    (1 - p): a softmax of the logits over the unit.

    unit (P,): label unit of each row. exclusive: columns of the exclusive predicates. identity
    (P,): rows of a unit with the same value are one object seen in several frames and get one
    value, from their mean; without it, or where it is -1, every row is an object of its own. The
    order of rows changes nothing.
    """
    resolved = probabilities.copy()
    if not len(exclusive) or not len(unit):
        return resolved
    rows = np.arange(len(unit))
    identity = rows if identity is None else np.where(identity < 0, rows + identity.max() + 1, identity)
    order = np.lexsort((identity, unit))
    new_unit = np.diff(unit[order], prepend=unit[order[0]] - 1) != 0
    new_object = new_unit | (np.diff(identity[order], prepend=identity[order[0]]) != 0)
    first = np.flatnonzero(new_object)
    count = np.diff(first, append=len(rows))
    columns = np.asarray(exclusive)
    # (objects, exclusive)
    mean = np.add.reduceat(probabilities[order][:, columns].astype(np.float64), first, axis=0) / count[:, None]
    mean = mean.clip(_SURE, 1 - _SURE)
    odds = mean / (1 - mean)
    unit_first = np.flatnonzero(new_unit[first])
    total = np.add.reduceat(odds, unit_first, axis=0)
    share = odds / np.repeat(total, np.diff(unit_first, append=len(first)), axis=0)
    resolved[order[:, None], columns] = np.repeat(share, count, axis=0)
    return resolved
