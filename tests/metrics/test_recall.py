"""Averages over units and predicates, from ranks written by hand."""

import numpy as np
import pytest

from vidsgg.metrics.ranks import NOT_FOUND, RelationRanks
from vidsgg.metrics.recall import RecallCounts, averages, count_recall, unit_recall

# Four units: 0 holds predicates 0, 0, 1; 1 holds 0; 2 nothing; 3 holds 1. Predicate 2 never occurs.
# Videos: units 0-1 and 2-3.
RANK = np.array([[0, 4, 5, 12, NOT_FOUND], [9, 10, 19, 20, 0]], dtype=np.int32)
RANKS = RelationRanks(
    unit=np.array([0, 0, 0, 1, 3]),
    subject=np.ones(5, np.int64),
    object=np.ones(5, np.int64),
    predicate=np.array([0, 0, 1, 0, 1]),
    rank=RANK,
    offered=RANK < NOT_FOUND,
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
    for name in ("units", "relations", "containing", "recall", "hits", "share", "unseen_units", "unseen_recall"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
        np.testing.assert_array_equal(getattr(again.total(), name)[0], getattr(whole, name).sum(0))


def test_no_relation_at_all():
    none = np.zeros(0, np.int64)
    nothing = RelationRanks(none, none, none, none, np.zeros((2, 0), np.int32), np.zeros((2, 0), np.bool_))
    counts = count_recall(nothing, np.array([0, 1]), 2, 3, KS)
    assert counts.units.tolist() == [0, 0]
    assert not counts.hits.any()
    assert np.isnan(unit_recall(nothing, 2, KS)).all()


def test_zero_shot_recall_is_over_the_units_that_have_an_unseen_triplet():
    """The second, third and last relation are unseen: units 0 and 3 have one."""
    counts = count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS, np.array([False, True, True, False, True]))
    assert counts.unseen_units.tolist() == [1, 1]
    assert counts.unseen_relations.tolist() == [2, 1]
    assert counts.unseen_recall.tolist() == [
        [[0.5, 1, 1], [0, 0, 1]],
        [[0, 0, 0], [1, 1, 1]],
    ]
    assert averages(counts.total())["zR"][0].tolist() == [[0.25, 0.5, 0.5], [0.5, 0.5, 1]]
    # a video without one says nothing
    first = count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS, np.array([True, False, False, False, False]))
    assert np.isnan(averages(first)["zR"][1]).all() and averages(first.total())["zR"][0, 0].tolist() == [1, 1, 1]
    assert np.isnan(averages(count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS))["zR"]).all()


def test_harmonic_means_are_of_the_whole_data_set():
    found = averages(count_recall(RANKS, np.array([0, 0, 1, 1]), 2, 3, KS).total())
    for name, mean in (("F", "mR"), ("hR", "mR_frame")):
        for r, m, f in zip(found["R"].ravel(), found[mean].ravel(), found[name].ravel(), strict=True):
            assert f == (2 * r * m / (r + m) if r + m else 0)
    assert [found[name][0, 0, 0] for name in ("R", "mR", "F")] == pytest.approx([2 / 9] * 3)
    assert [found[name][0, 0, 0] for name in ("mR_frame", "hR")] == pytest.approx([1 / 6, 4 / 21])
