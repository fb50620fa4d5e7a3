"""From losses to one optimiser step: the only place where gradients are scaled, averaged, clipped and applied."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from vidsgg.engine.precision import Precision


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Scale all gradients down to a joint L2 norm of ``limit`` (0: leave them) and return their norm before that."""
    with_gradient = [p for p in parameters if p.grad is not None]
    norm = nn.utils.get_total_norm([p.grad for p in with_gradient])
    if limit and norm > limit:  # torch's own function multiplies by one otherwise, a pass over all gradients
        nn.utils.clip_grads_with_norm_(with_gradient, limit, norm)
    return norm


class Update:
    """An optimiser with what happens to gradients before it sees them.

    videos: how many a full step learns from. Losses are means over videos, so every one is weighted by its videos over those of the step:
    several batches give the gradient of one large batch, and a short last group is divided by its own number.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, precision: Precision, *, clip_grad: float = 0.0, videos: int = 1) -> None:
        """clip_grad: L2 norm of all gradients, 0 for no clipping. The optimiser's present learning rates are the base ones."""
        self.optimizer, self.precision, self.clip_grad, self.videos = optimizer, precision, clip_grad, videos
        self._base_lr = [group["lr"] for group in optimizer.param_groups]
        self._pending = 0

    def add(self, loss: Tensor, videos: int) -> None:
        """Accumulate the gradients of the mean loss of some videos."""
        self.precision.scaler.scale(loss * (videos / self.videos)).backward()
        self._pending += videos

    def step(self, factor: float) -> float:
        """One optimiser step at ``factor`` times the base learning rates; returns the gradients' norm before clipping.

        If that is not finite, nothing is applied: the losses overflowed (with float16, whose scale is then lowered) or diverged.
        """
        for group, lr in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = lr * factor
        scaler = self.precision.scaler
        self.precision.hand_over_gradients()
        scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        if self._pending != self.videos:
            torch._foreach_mul_([p.grad for p in parameters], self.videos / self._pending)
        norm = clip_gradients(parameters, self.clip_grad).item()
        if math.isfinite(norm):
            self.optimizer.step()
            self.precision.follow()
        scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        self._pending = 0
        return norm

    @property
    def lr(self) -> float:
        """The learning rate of the last step (of the first group of parameters)."""
        rate: float = self.optimizer.param_groups[0]["lr"]
        return rate

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer_state_dict": self.optimizer.state_dict(), "scaler_state_dict": self.precision.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.optimizer.load_state_dict(state["optimizer_state_dict"])
        self.precision.scaler.load_state_dict(state["scaler_state_dict"])
