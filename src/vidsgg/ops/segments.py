"""Reductions over runs of rows, such as the mean over the pairs of each video."""

from __future__ import annotations

import torch
from torch import Tensor


def segment_sum(values: Tensor, segment: Tensor, segments: int) -> Tensor:
    """(R, ...) rows summed by their segment id ``segment`` (R,) into (segments, ...)."""
    total = values.new_zeros(segments, *values.shape[1:])
    return total.index_add(0, segment, values)


def segment_mean(values: Tensor, segment: Tensor, segments: int) -> Tensor:
    """(R, ...) rows averaged by segment into (segments, ...); a segment without rows gives
    zeros."""
    count = torch.bincount(segment, minlength=segments).clamp(min=1).to(values.dtype)
    return segment_sum(values, segment, segments) / count.view(-1, *[1] * (values.dim() - 1))
