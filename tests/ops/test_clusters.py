from __future__ import annotations

import pytest
import torch

from vidsgg.ops.clusters import CHUNK, kmeans, nearest


def test_the_nearest_centre_is_that_of_the_least_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors, centres = torch.randn(CHUNK + 50, 3, generator=generator), torch.randn(7, 3, generator=generator)
    assert torch.equal(nearest(vectors, centres), torch.cdist(vectors, centres).argmin(1))
    twice = torch.tensor([[0.0], [1.0], [1.0]])
    assert nearest(torch.tensor([[0.9], [0.1]]), twice).tolist() == [1, 0]  # of equally near ones the first
    assert nearest(torch.zeros(0, 3), centres).tolist() == []


def test_clusters_that_lie_apart_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    true = 10 * torch.randn(5, 4, generator=generator)
    vectors = true.repeat_interleave(40, 0) + 0.01 * torch.randn(200, 4, generator=generator)
    found = kmeans(vectors, 20, generator)
    assert (torch.cdist(true, found).min(1).values < 0.1).all()
    again = kmeans(vectors, 20, torch.Generator().manual_seed(3)), kmeans(vectors, 20, torch.Generator().manual_seed(3))
    assert torch.equal(*again)


def test_fewer_vectors_than_centres_leave_centres_near_vectors() -> None:
    vectors = torch.tensor([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])
    found = kmeans(vectors, 8, torch.Generator().manual_seed(0))
    assert torch.isfinite(found).all()
    assert (torch.cdist(found, vectors).min(1).values < 1).all()
    assert len(nearest(vectors, found).unique()) == 3
    with pytest.raises(ValueError, match="no vectors"):
        kmeans(vectors[:0], 2, torch.Generator())
