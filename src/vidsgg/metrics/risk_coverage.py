"""Does a model know where it errs? Risk over coverage, of models that estimate their uncertainty.

Whoever keeps only the share c of the statements (vidsgg.metrics.best_predicates) that a model is
surest of has the coverage c, and the share of these that is wrong is the risk (El-Yaniv & Wiener
2010). The area under the curve (AURC; Geifman & El-Yaniv 2017) is its mean over the coverages 1/n,
2/n, ..., 1 of n statements: 0 for a model without errors, the error rate if the order tells
nothing. The oracle puts all right statements before all wrong ones, and no order is better.
Statements of equal uncertainty count as in random order: each is wrong by the share of them that is
wrong.

Curves are exact. For that every statement is kept, as 21 bytes: some 4 kB for a video of Action
Genome's, less than the counters of its recall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.metrics.best_predicates import Statements, best_predicates
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction

POINTS = 100  # of a curve that is kept to be drawn


def risk_curve(doubt: Array, right: Array) -> Array:
    """(E,) risk at the coverages 1/E, 2/E, ..., 1. doubt (E,): larger is less sure. right (E,)
    bool."""
    order = np.argsort(doubt, kind="stable")
    _, tie = np.unique(doubt, return_inverse=True)
    wrong = (np.bincount(tie, ~right) / np.bincount(tie))[tie]
    risk: Array = np.cumsum(wrong[order]) / np.arange(1, len(right) + 1)
    return risk


@dataclass(frozen=True, eq=False)
class GroupRisk:
    """One predicate group. statements: how many, at least one. error_rate: of all of them. area: by
    order ("confidence", "aleatoric", "epistemic" and "oracle", those that there are). curves
    (POINTS,): risk at the coverages 1/POINTS, ..., 1, rounded up to whole statements.
    """

    statements: int
    error_rate: float
    area: Mapping[str, float]
    curves: Mapping[str, Array]

    @staticmethod
    def of(statements: Statements) -> GroupRisk:
        doubts = {
            "confidence": -statements.confidence,
            "aleatoric": statements.aleatoric,
            "epistemic": statements.epistemic,
            "oracle": ~statements.right,
        }
        curves = {name: risk_curve(doubt, statements.right) for name, doubt in doubts.items() if doubt is not None}
        shown = -(-np.arange(1, POINTS + 1) * len(statements) // POINTS) - 1
        return GroupRisk(
            len(statements),
            float((~statements.right).mean()),
            {name: float(curve.mean()) for name, curve in curves.items()},
            {name: curve[shown] for name, curve in curves.items()},
        )


@dataclass(frozen=True, eq=False)
class RiskCoverageResult:
    """groups: those with a statement, by name."""

    groups: Mapping[str, GroupRisk]

    def describe(self) -> str:
        """A line for every group: areas in percent."""
        head = "area under risk over coverage, in percent (least is best), statements ordered by"
        lines = [
            f"  {name}: {', '.join(f'{order} {100 * area:.2f}' for order, area in group.area.items())}, nothing"
            f" {100 * group.error_rate:.2f}"
            for name, group in self.groups.items()
        ]
        return "\n".join([head, *lines])

    def to_json(self) -> dict[str, Any]:
        """Everything but the curves as plain Python values."""
        return {
            name: {"statements": group.statements, "error_rate": group.error_rate, "area": dict(group.area)}
            for name, group in self.groups.items()
        }


class RiskCoverageAccumulator(VideoAccumulator[dict[str, Statements]]):
    """Keeps the statements of predictions with uncertainties, and nothing of others."""

    def update(self, annotation: VideoAnnotation, prediction: VideoPrediction) -> None:
        if prediction.aleatoric is not None or prediction.epistemic is not None:
            super().update(annotation, prediction)

    def compute(self) -> RiskCoverageResult | None:
        """Of all videos so far; None if there is no statement, so always for models without
        uncertainties."""
        videos = self.state().counts.values()
        groups = {
            group.name: Statements.cat([video[group.name] for video in videos])
            for group in self.vocabulary.groups
            if videos
        }
        found = {name: GroupRisk.of(statements) for name, statements in groups.items() if len(statements)}
        return RiskCoverageResult(found) if found else None

    def _count(
        self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]
    ) -> Sequence[dict[str, Statements]]:
        found = best_predicates(annotations, predictions, self.vocabulary, self.protocol)
        return [{name: statements.of_video(i) for name, statements in found.items()} for i in range(len(annotations))]
