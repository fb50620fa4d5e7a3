"""From losses to one optimiser step: the only place where gradients are scaled, averaged, clipped
and applied."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from vidsgg.engine.distributed import Team
from vidsgg.engine.exchange import Exchange, Step
from vidsgg.engine.optimizer import PIECE, ReferenceAdamW
from vidsgg.engine.precision import Precision


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> Tensor:
    """Scale all gradients down to a joint L2 norm of ``limit`` (0: leave them) and return their
    norm before that."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    norm = norm_of(gradients)
    if (factor := clip_factor(norm, limit)) is not None:
        torch._foreach_mul_(gradients, factor)
    return norm


def norm_of(gradients: Sequence[Tensor]) -> Tensor:
    """Their joint L2 norm, float32, also of bfloat16 gradients."""
    if all(gradient.dtype is torch.float32 for gradient in gradients):
        total: Tensor = nn.utils.get_total_norm(gradients)
        return total
    # in pieces that stay in the cache: torch's own conversion on the way is several times slower on processors
    norms = [torch.linalg.vector_norm(piece.float()) for each in gradients for piece in each.flatten().split(PIECE)]
    norm: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return norm


def clip_factor(norm: Tensor, limit: float) -> Tensor | None:
    """What gradients of this norm are multiplied by to have the norm ``limit``; None if they stay as
    they are, as with a limit of 0.

    Source: torch.nn.utils.clip_grads_with_norm_, which multiplies by one otherwise, a pass over all
    gradients.
    """
    return limit / (norm + 1e-6) if limit and norm > limit else None


class Update:
    """An optimiser with what happens to gradients before it sees them.

    videos: how many a full step learns from, in all processes. Losses are means over videos, so
    every one is weighted by its videos over
    those of the step: several batches, or several processes, give the gradient of one large batch,
    and a short last group is divided by its own number.
    """

    def __init__(
        self, optimizer: torch.optim.Optimizer, precision: Precision, *, clip_grad: float = 0.0, videos: int = 1
    ) -> None:
        """clip_grad: L2 norm of all gradients, 0 for no clipping. The optimiser's present learning
        rates are the base ones."""
        self.optimizer, self.precision, self.clip_grad, self.videos = optimizer, precision, clip_grad, videos
        self._base_lr = [group["lr"] for group in optimizer.param_groups]
        self._exchange: Exchange | None = None
        self._videos, self._losses = 0, dict[str, Tensor]()  # since the last step, in this process

    def learn_with(self, team: Team, model: nn.Module) -> None:
        """From now on make every step together with the other processes of a team, from the weights
        of the first."""
        if team.size > 1:
            with self.precision.full_weights():
                self._exchange = Exchange(team, model)

    def add(self, losses: Mapping[str, Tensor], videos: int) -> None:
        """Accumulate the gradients of the mean losses of some videos, of their ``total``."""
        self.precision.scaler.scale(losses["total"] * (videos / self.videos)).backward()
        for name, value in losses.items():  # they stay on their device, so that nothing waits for it
            self._losses[name] = self._losses.get(name, 0.0) + value.detach() * videos
        self._videos += videos
        one_pass = videos == self.videos and isinstance(self.optimizer, ReferenceAdamW)
        if self.precision.masters and not one_pass:  # gradients are added up in float32
            self.precision.masters.hand_over_gradients()

    def step(self, factor: float, *, stop: bool = False) -> Step:
        """One optimiser step at ``factor`` times the base learning rates; returns what it learnt
        from, in all processes.

        stop: whether this process was asked to stop. If the norm of the gradients is not finite,
        nothing is applied: the losses overflowed (with float16, whose scale is then lowered) or
        diverged. Without any video nothing is done.
        """
        for group, lr in zip(self.optimizer.param_groups, self._base_lr, strict=True):
            group["lr"] = lr * factor
        scaler = self.precision.scaler
        done = Step(self._videos, self._losses, stop)
        self._videos, self._losses = 0, {}
        if self._exchange:
            done = self._exchange(
                [p for group in self.optimizer.param_groups for p in group["params"] if p.requires_grad], done
            )
        if not done.videos:
            return done
        scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        gradients = [g for p in parameters if (g := self.precision.gradient(p)) is not None]
        if done.videos != self.videos:
            torch._foreach_mul_(gradients, self.videos / done.videos)
        norm = norm_of(gradients)
        if math.isfinite(done_norm := norm.item()):
            self._apply(gradients, clip_factor(norm, self.clip_grad))
        scaler.update()
        self._drop_gradients()
        return replace(done, norm=done_norm)

    def forget(self) -> None:
        """Drop what was added since the last step."""
        self._videos, self._losses = 0, {}
        self._drop_gradients()

    def _drop_gradients(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self.precision.masters:
            self.precision.masters.drop_gradients()

    def _apply(self, gradients: list[Tensor], factor: Tensor | None) -> None:
        """Multiply the gradients, update the parameters, and let bfloat16 weights follow."""
        masters = self.precision.masters
        if isinstance(self.optimizer, ReferenceAdamW):
            self.optimizer.scaled_step(self.precision.gradient, factor, masters.weight_of if masters else {})
            return
        if factor is not None:
            torch._foreach_mul_(gradients, factor)
        self.optimizer.step()
        if masters:
            masters.follow()

    def settle(self) -> str:
        """Make sure that all processes have the same weights, see Exchange.settle; no gradients may
        be pending."""
        if self._exchange is None:
            return ""
        with self.precision.full_weights():
            return self._exchange.settle()

    @property
    def lr(self) -> float:
        """The learning rate of the last step (of the first group of parameters that learns now)."""
        groups = self.optimizer.param_groups
        rate: float = next((g for g in groups if any(p.requires_grad for p in g["params"])), groups[0])["lr"]
        return rate

    def rates(self) -> dict[str, float]:
        """The learning rates of the last step, to be logged: ``train/lr``, and ``train/lr/NAME`` of
        every group with a name."""
        named = {f"train/lr/{group['name']}": group["lr"] for group in self.optimizer.param_groups if "name" in group}
        return {"train/lr": self.lr, **named}
