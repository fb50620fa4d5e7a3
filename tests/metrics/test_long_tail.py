"""Head, body and tail."""

from __future__ import annotations

import numpy as np
import pytest

from vidsgg.metrics.long_tail import LongTail


def test_predicates_are_cut_into_thirds_of_their_ranking():
    tail = LongTail.of(np.array([5, 900, 5, 70, 0, 1000, 80, 6]))
    assert tail.order.tolist() == [5, 1, 6, 3, 7, 0, 2, 4]  # equal ones by id
    assert [np.flatnonzero(tail.part == i).tolist() for i in range(3)] == [[1, 5, 6], [0, 3, 7], [2, 4]]
    assert np.bincount(LongTail.of(np.arange(26)).part).tolist() == [9, 9, 8]


def test_means_weighted_by_sizes_are_the_mean():
    rng = np.random.default_rng(0)
    tail, recall = LongTail.of(rng.integers(0, 100, 26)), rng.random((3, 4, 26))
    means = tail.means(recall)
    assert means.shape == (3, 4, 3)
    np.testing.assert_allclose(means @ [9 / 26, 9 / 26, 8 / 26], recall.mean(-1))
    assert means[1, 2, 0] == pytest.approx(recall[1, 2, tail.order[:9]].mean())


def test_two_predicates_have_no_tail():
    means = LongTail.of(np.array([1, 2])).means(np.array([0.25, 0.5]))
    assert means[:2].tolist() == [0.5, 0.25]
    assert np.isnan(means[2])
