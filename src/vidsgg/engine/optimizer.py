"""AdamW as the STTran family trained with it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, overload

import torch
from torch import Tensor


class ReferenceAdamW(torch.optim.AdamW):
    """AdamW that adds ``eps`` to sqrt(v) *before* the bias correction; torch adds it afterwards.

    The reference's update is lr / (1 - beta1^t) * m / ((sqrt(v) + eps) / sqrt(1 - beta2^t)), which
    is torch's with eps / sqrt(1 - beta2^t) in place of eps. Early steps on small gradients differ
    visibly. Weight decay comes first in both. Runs torch's fused kernel; the state dict is that of
    torch.optim.AdamW and holds the nominal eps.
    Source: STTran, lib/AdamW.py.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float = 1e-5,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, fused=True)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One update of every parameter that has a gradient; returns what ``closure`` returns."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        nominal = self.param_groups
        self.param_groups = [part for group in nominal for part in self._with_corrected_eps(group)]
        try:
            super().step()
        finally:
            self.param_groups = nominal
        return loss

    def _with_corrected_eps(self, group: dict[str, Any]) -> list[dict[str, Any]]:
        """The group split by the number of updates its parameters have seen: those without a
        gradient fall behind."""
        active = [p for p in group["params"] if p.grad is not None]
        started = [p for p in active if p in self.state]
        # The counters lie on the parameters' device: read all of them at once, for a single
        # synchronisation.
        counts = torch.stack([self.state[p]["step"] for p in started]).tolist() if started else []
        seen = dict(zip(started, counts, strict=True))
        parts = defaultdict(list)
        for p in active:
            parts[seen.get(p, 0) + 1].append(p)
        beta2 = group["betas"][1]
        return [
            {**group, "params": params, "eps": group["eps"] / math.sqrt(1 - beta2**t)} for t, params in parts.items()
        ]
