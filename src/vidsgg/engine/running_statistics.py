"""Batch normalisations whose running statistics grow in several processes and are to be those of
one.

Letters: L normalisations, S numbers in all their running means and variances, W processes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


class RunningStatistics:
    """The running means and variances of a model, and how often they were updated.

    An update with momentum m is r <- (1 - m) r + m x, so c of them are r <- (1 - m)^c r + b, where
    b does not depend on r. Two processes that start from the same r and see different videos
    therefore know all that is needed to have seen them one after the other.
    """

    def __init__(self, model: nn.Module) -> None:
        self._values: list[Tensor] = []
        self._counts: list[Tensor] = []
        keep: list[float] = []
        for norm in (module for module in model.modules() if isinstance(module, _BatchNorm)):
            mean, variance, count = norm.running_mean, norm.running_var, norm.num_batches_tracked
            if mean is None or variance is None or count is None:
                continue
            if norm.momentum is None:
                raise ValueError("a batch normalisation without momentum: plain means cannot be joined")
            self._values += [mean, variance]
            self._counts.append(count)
            keep.append(1 - norm.momentum)
        device = self._values[0].device if self._values else None
        self._widths = [value.numel() for value in self._values]
        norm_of_value = torch.arange(len(keep), device=device).repeat_interleave(2)
        # (S,)
        self._norm = norm_of_value.repeat_interleave(torch.tensor(self._widths, dtype=torch.int64, device=device))
        self._keep = torch.tensor(keep, dtype=torch.float32, device=device)[self._norm]  # (S,)
        self._start = self._now()

    def __len__(self) -> int:
        """S + L, the numbers that ``since_start`` gives."""
        return len(self._norm) + len(self._counts)

    def since_start(self) -> Tensor:
        """(S + L,) float32: the present statistics, and the updates of every normalisation since
        they were last the same everywhere."""
        values, counts = self._now()
        return torch.cat([values, (counts - self._start[1]).float()])

    def join(self, told: Tensor) -> None:
        """told: (W, S + L), ``since_start`` of every process. Afterwards the statistics are the
        same everywhere: those of one process that has seen the videos of the first, then those of
        the second and so on.
        """
        start, counts = self._start
        joined = start
        for now, updates in zip(*torch.split(told, [len(self._norm), len(self._counts)], dim=1), strict=True):
            times = updates[self._norm]
            joined = torch.where(times > 0, now + self._keep**times * (joined - start), joined)
        for value, part in zip(self._values, torch.split(joined, self._widths), strict=True):
            value.copy_(part)
        for count, new in zip(self._counts, counts + told[:, len(self._norm) :].sum(0).to(counts.dtype), strict=True):
            count.copy_(new)
        self._start = self._now()

    def _now(self) -> tuple[Tensor, Tensor]:
        """Statistics (S,) float32 and counts of updates (L,) long."""
        if not self._values:
            return torch.zeros(0), torch.zeros(0, dtype=torch.int64)
        return torch.cat(self._values), torch.stack(self._counts)
