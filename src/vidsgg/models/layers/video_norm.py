"""Batch normalisation whose statistics are those of one video.

The methods of this field train on one video per step, so their batch statistics are a video's.
Normalising every video of a larger batch by its own statistics keeps that: a batch of four videos
gives the gradients of four single steps added up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class VideoBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over the rows (and map cells) of each video; in eval mode the usual one.

    Parameters, buffers and numbers are those of ``nn.BatchNorm1d`` or ``2d`` given one video after
    another. A video with a single value per channel has no variance, and the reference fails on it:
    it is normalised by the running statistics.
    """

    # Narrower than in torch: running statistics are always kept, and never as plain means.
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def forward(self, x: Tensor, video: Tensor, videos: int) -> Tensor:  # type: ignore[override]
        """x: (R, C) or (R, C, H, W); video: (R,) long, never decreasing, the video of every row;
        videos: how many there are."""
        if not self.training:
            return self._normalise(x, False)
        if videos == 1:
            return self._of_one_video(x)
        rows = torch.bincount(video, minlength=videos).tolist()
        return torch.cat([self._of_one_video(part) for part in torch.split(x, rows)])

    def _of_one_video(self, x: Tensor) -> Tensor:
        has_variance = x.numel() > x.shape[1]
        if has_variance:
            self.num_batches_tracked += 1
        return self._normalise(x, has_variance)

    def _normalise(self, x: Tensor, own_statistics: bool) -> Tensor:
        return F.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, own_statistics, self.momentum, self.eps
        )
