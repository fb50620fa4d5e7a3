"""Batch normalisation whose statistics are those of one video.

The methods of this field train on one video per step, so their batch statistics are a video's. Normalising every video of a
larger batch by its own statistics keeps that: a batch of four videos gives the gradients of four single steps added up.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.ops.segments import segment_mean


class VideoBatchNorm(nn.BatchNorm1d):
    """Batch normalisation over the rows (and map cells) of each video; in eval mode the usual one.

    Same parameters, buffers and numbers as ``nn.BatchNorm1d`` / ``2d`` for a single video. Accepts (R, C) and (R, C, H, W).
    """

    def forward(self, x: Tensor, video: Tensor, videos: int) -> Tensor:  # type: ignore[override]
        """x: (R, C) or (R, C, H, W); video: (R,) long, the video of every row; videos: how many there are."""
        if not self.training or len(x) == 0:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        cells = x.dim() > 2
        if x.numel() == x.shape[1]:  # one value per channel has no variance: the reference fails here, we use the running statistics
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps)
        if videos == 1:
            self.num_batches_tracked += 1
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, True, self.momentum, self.eps)
        wide = x.float()
        spatial = (2, 3) if cells else ()
        mean = segment_mean(wide.mean(spatial) if cells else wide, video, videos)
        spread = (lambda m: m[video][:, :, None, None]) if cells else (lambda m: m[video])
        centred = wide - spread(mean)
        square = centred.square()
        var = segment_mean(square.mean(spatial) if cells else square, video, videos)
        count = torch.bincount(video, minlength=videos) * (x[0, 0].numel() if cells else 1)
        alone = (count < 2)[:, None]  # as above: a video with one value per channel is normalised by the running statistics
        used_mean, used_var = torch.where(alone, self.running_mean, mean), torch.where(alone, self.running_var, var)
        with torch.no_grad():
            self._update(mean, var, count)
        out = (wide - spread(used_mean)) * spread(torch.rsqrt(used_var + self.eps))
        shape = (1, -1, 1, 1) if cells else (1, -1)
        return (out * self.weight.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _update(self, mean: Tensor, var: Tensor, count: Tensor) -> None:
        """Running statistics as if the videos had come one after another."""
        seen = count >= 2
        mean, var, count = mean[seen], var[seen], count[seen]
        n, momentum = len(mean), self.momentum
        decay = (1 - momentum) ** torch.arange(n - 1, -1, -1, device=mean.device, dtype=mean.dtype)[:, None]
        unbiased = var * (count / (count - 1))[:, None].to(var.dtype)
        self.running_mean.mul_((1 - momentum) ** n).add_((momentum * decay * mean).sum(0))
        self.running_var.mul_((1 - momentum) ** n).add_((momentum * decay * unbiased).sum(0))
        self.num_batches_tracked += n
