"""Average-linkage clustering of the rows of many small sets at once, and the spanning trees that it
grows.

Letters: T rows, S sets, n rows of the largest set.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout


@torch.no_grad()
def linkage_trees(vectors: Tensor, group: Tensor) -> Tensor:
    """(2, E) long: rows that are joined, one edge for each merge of two clusters, between their
    closest members.

    vectors (T, D); group (T,) long, the set of each row, never decreasing. Every set becomes a tree
    over its rows: n - 1 edges for n rows. Clusters merge in the order of average linkage (UPGMA,
    Sokal and Michener 1958); of equal distances that of the first rows counts. There is one step
    for every merge of the largest set, in which all sets take part.
    """
    layout = RaggedLayout.from_sorted(group)
    sets, n = layout.valid.shape
    if n < 2:
        return torch.zeros(2, 0, dtype=torch.int64, device=vectors.device)
    padded = layout.pad(vectors.double())
    # Differences, not products: a set has the same distances whatever stands beside it.
    between = torch.cdist(padded, padded, compute_mode="donot_use_mm_for_euclid_dist")
    apart = layout.valid[:, :, None] & layout.valid[:, None, :] & ~torch.eye(n, dtype=torch.bool, device=group.device)
    between = between.masked_fill(~apart, torch.inf)
    linkage, size = between.clone(), layout.valid.double()
    cluster = torch.eye(n, dtype=torch.bool, device=group.device).expand(sets, n, n).clone()  # cluster i, row j
    every = torch.arange(sets, device=group.device)
    edges = []
    for _ in range(n - 1):
        least, where = linkage.flatten(1).min(1)
        a, b = where // n, where % n  # a < b: the first of two equal places
        within = cluster[every, a][:, :, None] & cluster[every, b][:, None, :]
        edge = between.masked_fill(~within, torch.inf).flatten(1).argmin(1)
        edges.append(torch.stack([edge // n, edge % n]).masked_fill(least.isinf(), -1))
        size_a, size_b = size[every, a][:, None], size[every, b][:, None]
        merged = (size_a * linkage[every, a] + size_b * linkage[every, b]) / (size_a + size_b).clamp(min=1)
        merged[every, a] = torch.inf
        going = (~least.isinf())[:, None]
        linkage[every, a] = torch.where(going, merged, linkage[every, a])
        linkage[every, :, a] = linkage[every, a]
        gone = torch.where(going, torch.inf, linkage[every, b])
        linkage[every, b] = gone
        linkage[every, :, b] = gone
        cluster[every, a] |= cluster[every, b] & going
        size[every, a] += (size_b * going).squeeze(1)
    found = torch.stack(edges, 1)  # (2, n - 1, S)
    count = layout.valid.sum(1)
    first = count.cumsum(0) - count
    rows = torch.where(found >= 0, found + first, -1).transpose(1, 2).flatten(1)
    return rows[:, rows[0] >= 0]
