"""Losses that draw nodes of one class together and others apart, within each video. Letters: N
nodes, D width."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from vidsgg.ops.segments import segment_mean, segment_sum

# features (N, D) float32, label (N,) long, video (N,) long, number of videos -> loss of every video
# (V,)
Contrastive = Callable[[Tensor, Tensor, Tensor, int], Tensor]

TEMPERATURE = 0.1


def margin_contrastive(features: Tensor, label: Tensor, video: Tensor, videos: int) -> Tensor:
    """Mean distance of two nodes of one class, where it is not 0, plus the mean of 1 - distance of
    two of different classes, where that is positive; each is 0 without any such two. Distances are
    of features on the unit sphere.

    Hadsell et al. 2006, equation 4, linear instead of squared: TEMPURA's euc_con
    (pytorch-metric-learning's ContrastiveLoss).
    """
    unit = F.normalize(features, dim=1)
    distance = torch.cdist(unit, unit, compute_mode="donot_use_mm_for_euclid_dist")
    same, others = _pairs(label, video)
    apart = (1 - distance).clamp(min=0)
    return _mean_of_positive(distance * same, video, videos) + _mean_of_positive(
        apart * (others & ~same), video, videos
    )


def info_nce(features: Tensor, label: Tensor, video: Tensor, videos: int) -> Tensor:
    """- log of the share that a node of the same class has in exp(cosine / temperature) over all
    others, summed over those of the same class and divided by their number and one more, averaged
    over the nodes of a video.

    Khosla et al. 2020, equation 2, but that the divisor counts the node itself, as in the reference
    (lib/infoNCE.py:84).
    """
    unit = F.normalize(features, dim=1)
    same, others = _pairs(label, video)
    similar = (unit @ unit.T / TEMPERATURE).masked_fill(~others, -torch.inf)
    share = similar - similar.logsumexp(1, keepdim=True)
    share = torch.where(same, share, 0).sum(1)
    return segment_mean(-share / (1 + same.sum(1)), video, videos)


def _pairs(label: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
    """(N, N), (N, N) bool: two nodes of one class in one video, and two nodes of one video; none
    with itself."""
    others = (video[:, None] == video) & ~torch.eye(len(label), dtype=torch.bool, device=label.device)
    return others & (label[:, None] == label), others


def _mean_of_positive(values: Tensor, video: Tensor, videos: int) -> Tensor:
    """(N, N) to (V,), over the entries of each video that are positive."""
    total, count = (segment_sum(part.sum(1), video, videos) for part in (values, (values > 0).to(values.dtype)))
    return total / count.clamp(min=1)
