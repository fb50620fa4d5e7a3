import numpy as np
import pytest

from vidsgg.ops.exclusive import resolve_exclusive


def test_odds_are_shared_out_within_a_unit():
    scores = np.array([[0.5, 0.2], [0.75, 0.9], [0.1, 0.4]], np.float32)  # odds of column 0: 1, 3 | 1/9 alone
    resolved = resolve_exclusive(scores, np.array([0, 0, 1]), [0])
    np.testing.assert_allclose(resolved[:, 0], [1 / 4, 3 / 4, 1], rtol=1e-6)
    np.testing.assert_array_equal(resolved[:, 1], scores[:, 1])
    assert resolved.dtype == np.float32
    assert scores[0, 0] == 0.5  # the input is read, not edited


def test_it_is_the_chance_of_being_the_only_one():
    """Against the definition: independent objects, given that exactly one of them has the
    predicate."""
    p = np.array([0.3, 0.6, 0.8])
    alone = np.array([p[i] * np.prod(1 - np.delete(p, i)) for i in range(3)])
    resolved = resolve_exclusive(p[:, None], np.zeros(3, np.int64), [0])
    np.testing.assert_allclose(resolved[:, 0], alone / alone.sum(), rtol=1e-12)


def test_rows_of_one_object_go_together():
    scores = np.array([[0.2], [0.9], [0.5], [0.4]])  # object 0: 0.2 and 0.4, mean 0.3; object 1: 0.9 and 0.5, mean 0.7
    resolved = resolve_exclusive(scores, np.zeros(4, np.int64), [0], np.array([0, 1, 1, 0]))
    odds = np.array([0.3 / 0.7, 0.7 / 0.3])
    share = odds / odds.sum()
    np.testing.assert_allclose(resolved[:, 0], share[[0, 1, 1, 0]])


def test_equal_identities_of_two_units_are_two_objects():
    resolved = resolve_exclusive(np.full((2, 1), 0.3), np.array([0, 1]), [0], np.zeros(2, np.int64))
    np.testing.assert_allclose(resolved, 1)


def test_unknown_identities_are_objects_of_their_own():
    scores = np.array([[0.5], [0.5], [0.5], [0.5]])
    resolved = resolve_exclusive(scores, np.zeros(4, np.int64), [0], np.array([-1, 2, -1, 2]))
    np.testing.assert_allclose(resolved[:, 0], 1 / 3)


def test_order_of_rows_changes_nothing():
    random = np.random.default_rng(0)
    scores, unit, identity = random.random((60, 5)), random.integers(0, 6, 60), random.integers(0, 4, 60)
    shuffle = random.permutation(60)
    resolved = resolve_exclusive(scores, unit, [1, 3], identity)
    np.testing.assert_allclose(
        resolve_exclusive(scores[shuffle], unit[shuffle], [1, 3], identity[shuffle]), resolved[shuffle], rtol=1e-12
    )
    for u in range(6):
        objects = {i: resolved[(unit == u) & (identity == i)][:, [1, 3]] for i in set(identity[unit == u])}
        assert all((rows == rows[0]).all() for rows in objects.values())
        np.testing.assert_allclose(sum(rows[0] for rows in objects.values()), 1)


@pytest.mark.parametrize("certain", [0.0, 1.0])
def test_certain_objects_stay_finite(certain):
    resolved = resolve_exclusive(np.full((2, 1), certain, np.float32), np.zeros(2, np.int64), [0])
    np.testing.assert_allclose(resolved, 0.5)


@pytest.mark.parametrize("exclusive", [[], [0]])
def test_nothing_to_do(exclusive):
    empty = np.zeros((0, 2), np.float32)
    assert resolve_exclusive(empty, np.zeros(0, np.int64), exclusive, np.zeros(0, np.int64)).shape == (0, 2)
    scores = np.random.default_rng(0).random((3, 2))
    np.testing.assert_array_equal(resolve_exclusive(scores, np.arange(3), []), scores)
