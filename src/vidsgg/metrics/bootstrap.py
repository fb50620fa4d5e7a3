"""How sure differences between models are, given that other videos might have been drawn: a paired bootstrap over videos.

The Bayesian bootstrap (Rubin 1981, The Annals of Statistics 9:130): a resample gives all videos random weights, uniform among those that
sum to their number, instead of drawing some of them several times and others not at all. Means have the same spread either way; but where
a drawn resample lacks every video of a rare predicate, whose recall then counts 0, a weighted one still knows it, so that the intervals
of mean recall do not slide below the estimate.
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
        low, high = np.percentile(values, [outside, 100 - outside], axis=0)
        return Interval(low, high)

    @property
    def excludes_zero(self) -> Array:
        outside: Array = (self.low > 0) | (self.high < 0)
        return outside


def resample(videos: int) -> Array:
    """(S, V) float64 weights of the videos in every resample, the same every time: to compare models, weigh the videos of all by them."""
    weights = np.random.default_rng(SEED).standard_exponential((RESAMPLES, videos))
    scaled: Array = weights * (videos / weights.sum(1, keepdims=True))
    return scaled
