"""Spanning trees against scipy's clustering, and against what must hold of any of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import linkage

from vidsgg.ops.trees import linkage_trees


def tree_by_scipy(vectors: np.ndarray) -> set[tuple[int, int]]:
    """Each merge of average linkage as the pair of closest members of the two clusters."""
    members = {i: [i] for i in range(len(vectors))}
    between = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    edges = set()
    for number, (a, b, _, _) in enumerate(linkage(vectors, "average")):
        left, right = members.pop(int(a)), members.pop(int(b))
        i, j = min(((i, j) for i in left for j in right), key=lambda pair: between[pair])
        edges.add((min(i, j), max(i, j)))
        members[len(vectors) + number] = left + right
    return edges


def as_set(edges: torch.Tensor) -> set[tuple[int, int]]:
    return {(min(a, b), max(a, b)) for a, b in edges.T.tolist()}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(0, 10**6))
def test_many_sets_at_once_equal_scipy_one_by_one(sizes: list[int], seed: int) -> None:
    vectors = torch.randn(sum(sizes), 4, generator=torch.Generator().manual_seed(seed))
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    want, start = set(), 0
    for size in sizes:
        if size > 1:
            want |= {(a + start, b + start) for a, b in tree_by_scipy(vectors[start : start + size].double().numpy())}
        start += size
    edges = linkage_trees(vectors, group)
    assert edges.shape == (2, sum(max(0, size - 1) for size in sizes))
    assert as_set(edges) == want


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 8), st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(size: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors, order = torch.randn(size, 3, generator=generator), torch.randperm(size, generator=generator)
    group = torch.zeros(size, dtype=torch.int64)
    moved = linkage_trees(vectors[order], group)
    assert as_set(order[moved]) == as_set(linkage_trees(vectors, group))


def test_average_linkage_differs_from_the_shortest_tree() -> None:
    """On a line 0, 2, 4.5, 5.5: {4.5, 5.5} first, then {0, 2}, joined at last between 2 and 4.5."""
    vectors = torch.tensor([[0.0], [2.0], [4.5], [5.5]])
    assert linkage_trees(vectors, torch.zeros(4, dtype=torch.int64)).T.tolist() == [[2, 3], [0, 1], [1, 2]]


@pytest.mark.parametrize("sizes", [[0], [1], [1, 1, 1], []], ids=str)
def test_single_rows_have_no_edges(sizes: list[int]) -> None:
    group = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes, dtype=torch.int64))
    assert linkage_trees(torch.zeros(len(group), 2), group).shape == (2, 0)


def test_equal_rows_still_make_a_tree() -> None:
    edges = linkage_trees(torch.zeros(5, 2), torch.zeros(5, dtype=torch.int64))
    reached = {0}
    for _ in range(5):
        reached |= {x for a, b in as_set(edges) if a in reached or b in reached for x in (a, b)}
    assert edges.shape == (2, 4)
    assert reached == set(range(5))
