"""The bootstrap: resamples that repeat, intervals that cover as often as they say, means that do
not slide."""

from __future__ import annotations

import numpy as np
import pytest

from vidsgg.metrics import bootstrap
from vidsgg.metrics.bootstrap import RESAMPLES, Interval, correction, resample
from vidsgg.metrics.recall import RecallCounts, averages


def counters(rng: np.random.Generator, videos: int, predicates: int = 4) -> RecallCounts:
    relations = rng.integers(0, 6, (videos, predicates))
    hits = rng.binomial(relations[:, None, None], 0.6, (videos, 2, 3, predicates))
    units = rng.integers(1, 5, videos)
    share = rng.random((videos, 2, 3, predicates)) * (relations > 0)[:, None, None]
    return RecallCounts(
        units,
        relations,
        (relations > 0).astype(np.int64),
        rng.random((videos, 2, 3)) * units[:, None, None],
        hits,
        share,
        np.ones(videos, np.int64),
        np.ones(videos, np.int64),
        rng.random((videos, 2, 3)),
    )


def test_resamples_draw_as_many_videos_as_there_are_and_repeat():
    drawn = resample(17)
    assert drawn.shape == (RESAMPLES, 17)
    assert (drawn.sum(1) == 17).all()
    assert drawn.mean(0) == pytest.approx(np.ones(17), abs=0.1)
    np.testing.assert_array_equal(resample(17), drawn)


def test_weights_are_how_often_a_video_counts():
    counts = counters(np.random.default_rng(0), 5)
    order = [0, 3, 3, 1, 0]
    drawn = RecallCounts.cat([counts.video(i) for i in order]).total()
    weighted = counts.weighted(np.bincount(order, minlength=5)[None].astype(np.float64))
    for name, table in averages(drawn).items():
        np.testing.assert_allclose(averages(weighted)[name], table, rtol=1e-14)


def test_intervals_cover_the_truth_as_often_as_they_say(monkeypatch):
    """Means of 40 videos out of a population whose mean is known."""
    monkeypatch.setattr(bootstrap, "RESAMPLES", 500)
    rng, inside = np.random.default_rng(1), 0
    for _ in range(400):
        values = rng.beta(2, 1, 40)
        interval = Interval.of(resample(40) @ values / 40)
        inside += interval.low <= 2 / 3 <= interval.high
    assert 0.90 < inside / 400 < 0.98


def test_zero_is_left_out_or_not():
    values = np.array([[-1.0, 1.0, -1.0], [-2.0, 2.0, 1.0]])
    assert Interval.of(values).excludes_zero.tolist() == [True, True, False]


def test_a_resample_without_anything_to_find_has_no_say():
    values = np.array([[1.0, np.nan, np.nan], [3.0, 5.0, np.nan], [2.0, 5.0, np.nan]])
    interval = Interval.of(values)
    assert interval.low[:2].tolist() == pytest.approx([1.05, 5]) and np.isnan(interval.low[2])
    assert interval.excludes_zero.tolist() == [True, True, False]


def test_means_over_predicates_do_not_slide_where_resamples_lack_rare_ones():
    """Twenty predicates of which each occurs in one video of twenty and is always found: every
    resample finds all that it has."""
    relations = np.eye(20, dtype=np.int64)
    hits = np.broadcast_to(relations[:, None, None], (20, 1, 1, 20))
    counts = RecallCounts(
        np.ones(20, np.int64),
        relations,
        relations,
        np.ones((20, 1, 1)),
        hits,
        hits.astype(np.float64),
        np.zeros(20, np.int64),
        np.zeros(20, np.int64),
        np.zeros((20, 1, 1)),
    )
    rows = counts.weighted(resample(20))
    mean = averages(rows)["mR"][:, 0, 0]
    assert mean.mean() < 0.7
    np.testing.assert_allclose(mean * correction(rows.relations, relations.sum(0)), 1)
    assert (correction(counts.total().relations, relations.sum(0)) == 1).all()
    # predicates that never occur count 0 in all videos and in every resample
    half = relations.sum(0) * (np.arange(20) < 10)
    assert correction(np.stack([half, half * (np.arange(20) < 5)]), half).tolist() == [1, 2]
