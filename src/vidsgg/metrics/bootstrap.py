"""How sure differences between models are, given that other videos might have been drawn: a paired
bootstrap over videos.

A resample draws as many videos as there are, with replacement (Efron & Tibshirani 1993, chapters 6
and 13); all models are measured on the same ones. A mean over predicates needs one thing more: a
resample often lacks every video of a rare predicate, whose recall then is 0 by definition, and the
mean would slide below that of all videos. So the mean of a resample is over the predicates that
occur in it, times the share of the predicates that occur in all videos; for these themselves
nothing changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.structures.checks import Array

RESAMPLES, SEED, LEVEL = 2000, 0, 0.95


@dataclass(frozen=True, eq=False)
class Interval:
    """Bounds (...) of the middle 95 % of the resamples."""

    low: Array
    high: Array

    @staticmethod
    def of(values: Array) -> Interval:
        """values (S, ...): one of every resample."""
        outside = 50 * (1 - LEVEL)
        known = np.isfinite(values).any(0)  # a resample without anything to find has no value
        of = np.percentile if np.isfinite(values).all() else np.nanpercentile
        bounds = np.full((2, *values.shape[1:]), np.nan)
        bounds[:, known] = of(values[:, known], [outside, 100 - outside], axis=0)
        return Interval(*bounds)

    @property
    def excludes_zero(self) -> Array:
        outside: Array = (self.low > 0) | (self.high < 0)
        return outside


def resample(videos: int) -> Array:
    """(S, V) float64: how often every resample draws a video; the same every time."""
    drawn = np.random.default_rng(SEED).multinomial(videos, np.full(videos, 1 / videos), size=RESAMPLES)
    return drawn.astype(np.float64)


def correction(relations: Array, whole: Array) -> Array:
    """(S,) by what to multiply a mean over C predicates. relations (S, C): of every resample; whole
    (C,): of all videos."""
    factor: Array = np.count_nonzero(whole) / np.maximum(np.count_nonzero(relations, axis=1), 1)
    return factor
