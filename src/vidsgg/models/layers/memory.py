"""Memory diffusion: features look up the prototypes of classes, which were gathered over the epoch
before (TEMPURA, section 3.3).

Letters: R rows, C classes of a bank, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Share = float | Literal["automated"] | None


class PrototypeBank(nn.Module):
    """One prototype for every class: the weighted mean of the features of an epoch that carry it,
    zero for a class without any.

    What a process sees is summed up until ``add_up`` joins it with what others saw, once a step;
    ``renew`` makes the prototypes of what was gathered. All that lives longer than a step are
    buffers, running means that stay exact over any number of rows.
    """

    prototypes: Tensor  # (C, D)
    renewals: Tensor  # () long, how often they were made; 0: there are none yet
    gathered: Tensor  # (C, D), weighted means since then
    weight: Tensor  # (C,), the sum of their weights
    divisor: Tensor  # (C,), what the weights are divided by: their sum, but in the reference for al + ep
    steps: Tensor  # () long, how often something was gathered
    sums: Tensor  # (C, D + 2), this process's since the last step: weighted features, weights, divisors

    def __init__(self, classes: int, dim: int) -> None:
        super().__init__()
        for name, shape in (
            ("prototypes", (classes, dim)),
            ("gathered", (classes, dim)),
            ("weight", (classes,)),
            ("divisor", (classes,)),
        ):
            self.register_buffer(name, torch.zeros(shape))
        for name in ("renewals", "steps"):
            self.register_buffer(name, torch.tensor(0))
        self.register_buffer("sums", torch.zeros(classes, dim + 2), persistent=False)

    @property
    def empty(self) -> bool:
        return not self.renewals

    @torch.no_grad()
    def record(self, features: Tensor, weight: Tensor, divisor: Tensor | None = None) -> None:
        """Add features (R, D) with their weights (R, C) for every class, 0 where they do not carry
        it. divisor: as weight, its default."""
        with torch.autocast(features.device.type, enabled=False):
            self.sums += torch.cat(
                [
                    weight.T @ features.float(),
                    weight.sum(0)[:, None],
                    (weight if divisor is None else divisor).sum(0)[:, None],
                ],
                1,
            )

    @torch.no_grad()
    def add_up(self, over_processes: Callable[[Tensor], None]) -> None:
        """Gather what was recorded since the last time, here and, by ``over_processes``, which sums
        a tensor in place, elsewhere."""
        over_processes(self.sums)
        features, weight, divisor = torch.split(self.sums, [self.gathered.shape[1], 1, 1], 1)
        self.weight += weight[:, 0]
        self.divisor += divisor[:, 0]
        self.gathered += (features - weight * self.gathered) / self.weight.clamp(min=torch.finfo(torch.float32).tiny)[
            :, None
        ]
        self.steps += 1
        self.sums.zero_()

    @torch.no_grad()
    def renew(self) -> None:
        """Make the prototypes of what was gathered, and gather anew; without anything gathered they
        stay."""
        if not self.steps:
            return
        share = torch.where(self.divisor > 0, self.weight / self.divisor, 0)
        self.prototypes.copy_(self.gathered * share[:, None])
        self.renewals += 1
        for buffer in (self.gathered, self.weight, self.divisor, self.steps):
            buffer.zero_()


class MemoryAttention(nn.Module):
    """Attention with one head and no bias, from features to the rows of a memory."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(3 * dim, dim))
        self.out_proj = nn.Linear(dim, dim, bias=False)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, features: Tensor, memory: Tensor) -> Tensor:
        """features (R, D), memory (C, D) to (R, D)."""
        for_q, for_k, for_v = self.in_proj_weight.chunk(3)
        q, k, v = F.linear(features, for_q), F.linear(memory, for_k), F.linear(memory, for_v)
        mixed = F.scaled_dot_product_attention(q[None, None], k[None, None], v[None, None])
        mixed_rows: Tensor = self.out_proj(mixed[0, 0])
        return mixed_rows


class MemoryDiffusion(nn.Module):
    """share * feature + (1 - share) * what the memory answers; as it is while the memory is empty.

    The share is a number, or None for the plain sum of both, or "automated", a learned function of
    the feature. Several attentions, one for the memory of each name, answer their mean; the
    attention "joint" asks the memories together.
    """

    def __init__(self, dim: int, names: tuple[str, ...], share: Share) -> None:
        super().__init__()
        self.attention = nn.ModuleDict({name: MemoryAttention(dim) for name in names})
        self.share = None if isinstance(share, str) else share
        self.selector = nn.Linear(dim, 1) if share == "automated" else None

    def forward(self, features: Tensor, memories: Mapping[str, Tensor]) -> Tensor:
        """features (R, D), memories (C, D) by name to (R, D)."""
        together = {"joint": torch.cat(list(memories.values()))} if "joint" in self.attention else memories
        answers = [attention(features, together[name]) for name, attention in self.attention.items()]
        answer = torch.stack(answers).mean(0)
        if self.selector is not None:
            learnt: Tensor = self.selector(features).sigmoid()
            return learnt * features + (1 - learnt) * answer
        if self.share is None:
            return features + answer
        return self.share * features + (1 - self.share) * answer
