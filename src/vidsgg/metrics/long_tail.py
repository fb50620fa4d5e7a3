"""Head, body and tail: predicates by how often they are annotated in the training split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.structures.checks import Array

PARTS = ("head", "body", "tail")


@dataclass(frozen=True, eq=False)
class LongTail:
    """instances (C,): annotated relations of every predicate in the training split. part (C,):
    index into ``PARTS``.

    Predicates are ranked by their instances, the most frequent first and equal ones by id, and the
    ranking is cut into three parts with as many predicates each; what does not divide goes to the
    first parts (Action Genome's 26: 9, 9, 8). So the definition needs no thresholds and suits every
    data set.
    """

    instances: Array
    part: Array

    @staticmethod
    def of(instances: Array) -> LongTail:
        part = np.empty(len(instances), dtype=np.int64)
        for i, predicates in enumerate(np.array_split(np.argsort(-instances, kind="stable"), len(PARTS))):
            part[predicates] = i
        return LongTail(instances, part)

    @property
    def order(self) -> Array:
        """(C,) predicates, the most frequent first."""
        ranked: Array = np.argsort(-self.instances, kind="stable")
        return ranked

    def means(self, per_predicate: Array) -> Array:
        """(..., C) -> (..., 3): the mean over the predicates of every part, NaN for a part without
        any.

        As in mean recall, one that does not occur among what is scored counts 0: weighted by their
        sizes, the means of recall give mR.
        """
        empty = np.full(per_predicate.shape[:-1], np.nan)
        means = [
            per_predicate[..., self.part == i].mean(-1) if (self.part == i).any() else empty for i in range(len(PARTS))
        ]
        return np.stack(means, -1)
