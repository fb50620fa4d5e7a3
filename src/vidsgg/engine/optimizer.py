"""AdamW as the STTran family trained with it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, overload

import torch
from torch import Tensor

# Numbers of a piece: its gradient, 8 MiB, stays in a processor's cache. A multiple of every width of
# vector, so that no number is computed by another instruction than it would be in the whole.
PIECE = 2**21
_NONE: Mapping[Tensor, Tensor] = MappingProxyType({})


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
        self.scaled_step(lambda parameter: parameter.grad)
        return loss

    @torch.no_grad()
    def scaled_step(
        self,
        gradient_of: Callable[[Tensor], Tensor | None],
        factor: Tensor | None = None,
        weight_of: Mapping[Tensor, Tensor] = _NONE,
    ) -> None:
        """The update of ``step``, with the gradients multiplied by ``factor`` (clipping) and the
        bfloat16 weights in ``weight_of`` made what their float32 masters become.

        Where there are such weights, a processor does all of that to one piece of the parameters before
        the next, so that what is converted stays in its cache. (Without them pieces were measured to
        save nothing: ``benchmarks.step``.) The numbers are those of one pass after another.
        gradient_of: the gradient of a parameter, float32, or bfloat16 where it is a master's.
        """
        for group in self.param_groups:
            gradients = {p: g for p in group["params"] if (g := gradient_of(p)) is not None}
            for (count, *_), params in self._alike(gradients).items():
                told = {**group, "eps": group["eps"] / math.sqrt(1 - group["betas"][1] ** count)}
                torch._foreach_add_([self.state[p]["step"] for p in params], 1)
                rows = [self._row(p, gradients[p], weight_of.get(p)) for p in params]
                for part in _parts(rows) if weight_of else [rows]:
                    _update(part, told, factor)

    def _alike(self, params: Iterable[Tensor]) -> dict[tuple[int, torch.device, torch.dtype], list[Tensor]]:
        """The parameters by the number of updates that they will have seen after this one (those
        without a gradient fall behind), device and type."""
        params = list(params)
        started = [p for p in params if p in self.state]
        # The counters lie on the parameters' device: read all of them at once, for a single
        # synchronisation.
        counts = torch.stack([self.state[p]["step"] for p in started]).tolist() if started else []
        seen = dict(zip(started, counts, strict=True))
        parts = defaultdict(list)
        for p in params:
            if p not in seen:
                self.state[p] = {
                    "step": torch.zeros((), dtype=torch.float32, device=p.device),
                    "exp_avg": torch.zeros_like(p, memory_format=torch.preserve_format),
                    "exp_avg_sq": torch.zeros_like(p, memory_format=torch.preserve_format),
                }
            parts[int(seen.get(p, 0)) + 1, p.device, p.dtype].append(p)
        return parts

    def _row(self, parameter: Tensor, gradient: Tensor, weight: Tensor | None) -> _Row:
        state = self.state[parameter]
        return _Row(parameter, gradient, state["step"], state["exp_avg"], state["exp_avg_sq"], weight)


class _Row(NamedTuple):
    """A parameter, or a piece of one, with what is updated together with it."""

    parameter: Tensor
    gradient: Tensor
    step: Tensor
    exp_avg: Tensor
    exp_avg_sq: Tensor
    weight: Tensor | None  # its bfloat16 copy, if it is a master


def _parts(rows: Iterable[_Row]) -> Iterator[list[_Row]]:
    """Groups of pieces that fit into a processor's cache; on other devices, whose launches cost more,
    all rows in one."""
    group: list[_Row] = []
    size = 0
    for row in rows:
        for piece in _pieces(row):
            group.append(piece)
            size += piece.parameter.numel()
            if size >= PIECE and piece.parameter.device.type == "cpu":
                yield group
                group, size = [], 0
    if group:
        yield group


def _pieces(row: _Row) -> Iterator[_Row]:
    numbers = (row.parameter, row.gradient, row.exp_avg, row.exp_avg_sq, *([] if row.weight is None else [row.weight]))
    size = row.parameter.numel()
    if row.parameter.device.type != "cpu" or size <= PIECE or not all(each.is_contiguous() for each in numbers):
        yield row
        return
    flat = [each.view(-1) for each in numbers]
    for start in range(0, size, PIECE):
        parameter, gradient, exp_avg, exp_avg_sq, *weight = (each[start : start + PIECE] for each in flat)
        yield _Row(parameter, gradient, row.step, exp_avg, exp_avg_sq, weight[0] if weight else None)


def _update(rows: Sequence[_Row], group: Mapping[str, Any], factor: Tensor | None) -> None:
    """Multiply the gradients, apply the kernel of torch's AdamW, and let the weights follow."""
    # A bfloat16 gradient is not changed: its float32 copy is.
    gradients = [row.gradient.to(row.parameter.dtype) for row in rows]
    if factor is not None:
        torch._foreach_mul_(gradients, factor)
    torch._fused_adamw_(
        [row.parameter for row in rows],
        gradients,
        [row.exp_avg for row in rows],
        [row.exp_avg_sq for row in rows],
        [],
        [row.step for row in rows],
        lr=group["lr"],
        beta1=group["betas"][0],
        beta2=group["betas"][1],
        weight_decay=group["weight_decay"],
        eps=group["eps"],
        amsgrad=False,
        maximize=False,
    )
    following = [(row.weight, row.parameter) for row in rows if row.weight is not None]
    if following:
        torch._foreach_copy_([weight for weight, _ in following], [master for _, master in following])
