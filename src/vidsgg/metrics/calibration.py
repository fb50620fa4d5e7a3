"""Calibration: of what a model says with a probability of 70 %, are 70 % right?

Statements (vidsgg.metrics.best_predicates) are sorted into bins of equal width by their confidence.
The expected calibration error is the mean over all statements of the distance between their bin's
mean confidence and the share of it that is right (Naeini et al. 2015; Guo et al. 2017, equation 3):
ECE = sum_b n_b / n |right_b - confidence_b|. Letters: V videos, G predicate groups, B bins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidsgg.metrics.accumulator import VideoAccumulator
from vidsgg.metrics.best_predicates import best_predicates
from vidsgg.metrics.recall import ratio
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.prediction import VideoPrediction

BINS = 15  # as Guo et al.; bin b holds confidences in [b / 15, (b + 1) / 15), the last one 1 as well


@dataclass(frozen=True, eq=False)
class CalibrationResult:
    """groups: names (G). statements, right (G, B): how many, and how many of them are right.
    confidence (G, B): sum of their confidences."""

    groups: tuple[str, ...]
    statements: Array
    right: Array
    confidence: Array

    @property
    def accuracy(self) -> Array:
        """(G, B) share of the statements of a bin that are right; 0 for an empty bin."""
        return ratio(self.right, self.statements)

    @property
    def mean_confidence(self) -> Array:
        """(G, B); 0 for an empty bin."""
        return ratio(self.confidence, self.statements)

    @property
    def error(self) -> Array:
        """(G,) expected calibration error, a fraction of 1; NaN for a group without statements."""
        total = self.statements.sum(1).astype(np.float64)
        weighted = (self.statements * np.abs(self.accuracy - self.mean_confidence)).sum(1)
        error: Array = np.divide(weighted, total, out=np.full(len(total), np.nan), where=total > 0)
        return error

    def describe(self) -> str:
        """One line: the errors in percent."""
        errors = [f"{name} {100 * e:.2f}" for name, e in zip(self.groups, self.error, strict=True) if not np.isnan(e)]
        return f"expected calibration error, in percent: {', '.join(errors) or 'nothing that is annotated was found'}"

    def to_json(self) -> dict[str, Any]:
        """Everything as plain Python values."""
        return {
            name: {
                "expected_calibration_error": None if np.isnan(self.error[g]) else float(self.error[g]),
                "statements": self.statements[g].tolist(),
                "right": self.right[g].tolist(),
                "confidence_sum": self.confidence[g].tolist(),
            }
            for g, name in enumerate(self.groups)
        }


class CalibrationAccumulator(VideoAccumulator[Array]):
    """The counters of a video are (3, G, B) float64: statements, those that are right, sum of
    confidences."""

    def compute(self) -> CalibrationResult:
        """Of all videos so far, also if nothing was found in any."""
        counts = self.state().counts.values()
        groups = tuple(group.name for group in self.vocabulary.groups)
        statements, right, confidence = np.sum([np.zeros((3, len(groups), BINS)), *counts], axis=0)
        return CalibrationResult(groups, statements.astype(np.int64), right.astype(np.int64), confidence)

    def _count(self, annotations: Sequence[VideoAnnotation], predictions: Sequence[VideoPrediction]) -> Sequence[Array]:
        videos, found = len(annotations), best_predicates(annotations, predictions, self.vocabulary, self.protocol)
        counts = np.zeros((3, len(found), videos * BINS))
        for g, statements in enumerate(found.values()):
            confidence = statements.confidence.astype(np.float64)
            cell = statements.video * BINS + np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
            for table, weights in zip(counts[:, g], (None, statements.right, confidence), strict=True):
                table[:] = np.bincount(cell, weights, minlength=videos * BINS)
        return list(np.moveaxis(counts.reshape(3, len(found), videos, BINS), 2, 0).copy())
