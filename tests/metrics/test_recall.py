"""Averages over units and predicates, from ranks written by hand."""

import numpy as np

from vidsgg.metrics.ranks import NOT_FOUND, RelationRanks
from vidsgg.metrics.recall import RecallCounts, count_recall, unit_recall

# Four units: 0 holds predicates 0, 0, 1; 1 holds 0; 2 nothing; 3 holds 1. Predicate 2 never occurs.
# Videos: units 0-1 and 2-3.
RANKS = RelationRanks(
    unit=np.array([0, 0, 0, 1, 3]),
    predicate=np.array([0, 0, 1, 0, 1]),
    rank=np.array([[0, 4, 5, 12, NOT_FOUND], [9, 10, 19, 20, 0]], dtype=np.int32),
)
KS = (5, 10, 20)


def test_recall_of_a_unit_counts_ranks_below_k():
    third = 1 / 3
    expected = [
        [[2 * third, 0, np.nan, 0], [1, 0, np.nan, 0], [1, 1, np.nan, 0]],
        [[0, 0, np.nan, 1], [third, 0, np.nan, 1], [1, 0, np.nan, 1]],
    ]
    np.testing.assert_allclose(unit_recall(RANKS, 4, KS), expected, rtol=0, atol=1e-15)


def test_counters_of_videos():
    counts = count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS)
    assert counts.units.tolist() == [2, 1]
    assert counts.relations.tolist() == [[3, 1, 0], [0, 1, 0]]
    assert counts.containing.tolist() == [[2, 1, 0], [0, 1, 0]]
    np.testing.assert_allclose(counts.recall[0], [[2 / 3, 1, 2], [0, 1 / 3, 1]], rtol=0, atol=1e-15)
    assert counts.hits[0, 0].tolist() == [[2, 0, 0], [2, 1, 0], [3, 1, 0]]
    assert counts.share[0, 0].tolist() == [[1, 0, 0], [1, 1, 0], [2, 1, 0]]
    assert counts.share[0, 1].tolist() == [[0, 0, 0], [0.5, 0, 0], [1, 1, 0]]
    assert counts.hits[1, 1].tolist() == [[0, 1, 0]] * 3


def test_parts_put_together_are_the_whole():
    whole = count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS)
    again = RecallCounts.cat([RecallCounts.empty(2, 3, 3), whole.video(0), whole.video(1)])
    for name in ("units", "relations", "containing", "recall", "hits", "share"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(again.total(), name)[0], getattr(whole, name).sum(0))


def test_no_relation_at_all():
    nothing = RelationRanks(
        unit=np.zeros(0, np.int64), predicate=np.zeros(0, np.int64), rank=np.zeros((2, 0), np.int32)
    )
    counts = count_recall(nothing, np.array([0, 1]), 2, 3, KS)
    assert counts.units.tolist() == [0, 0]
    assert not counts.hits.any()
    assert np.isnan(unit_recall(nothing, 2, KS)).all()
