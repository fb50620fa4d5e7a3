"""Clusters of vectors. S vectors, K centres, D their width."""

from __future__ import annotations

import torch
from torch import Tensor

CHUNK = 8192  # vectors whose distances to all centres are held at once


def nearest(vectors: Tensor, centres: Tensor) -> Tensor:
    """(S,) long: the centre (K, D) with the least Euclidean distance from each of (S, D); of
    equally near ones the first."""
    half = (centres * centres).sum(1) / 2  # |v - c|^2 / 2 less the part that is the same for all centres
    parts = [(half - part @ centres.T).argmin(1) for part in torch.split(vectors, CHUNK)]
    return torch.cat(parts)


def kmeans(vectors: Tensor, count: int, generator: torch.Generator, rounds: int = 10) -> Tensor:
    """(count, D) centres of (S, D) vectors: Lloyd's rounds from randomly chosen vectors (Lloyd
    1982).

    A centre without vectors stays where it is. With fewer vectors than centres, vectors are
    repeated with a little noise, a hundredth of
    their spread. generator: of the CPU. Raises ValueError without vectors.
    """
    if not len(vectors):
        raise ValueError("k-means over no vectors at all")
    chosen = torch.randperm(len(vectors), generator=generator)
    repeated = chosen.repeat(-(-count // len(chosen)))[:count]
    centres = vectors[repeated.to(vectors.device)].clone()
    extra = max(0, count - len(chosen))
    if extra:
        noise = torch.randn(extra, vectors.shape[1], generator=generator).to(vectors)
        centres[-extra:] += 0.01 * vectors.std(0, correction=0) * noise
    for _ in range(rounds):
        label = nearest(vectors, centres)
        size = torch.bincount(label, minlength=count)
        total = torch.zeros_like(centres).index_add(0, label, vectors)
        centres = torch.where((size > 0)[:, None], total / size.clamp(min=1)[:, None], centres)
    return centres
