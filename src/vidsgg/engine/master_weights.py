"""The float32 copies of bfloat16 weights, which an optimiser updates ("master weights", Micikevicius et
al. 2018, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

_STAY_FLOAT32 = (_BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.Embedding)


class MasterWeights:
    """The weights of a model that are kept in bfloat16, each with its float32 master.

    Those of products and convolutions are: every float32 parameter that learns, but for those of
    normalisations, of embeddings and of modules that say ``full_precision``.
    """

    def __init__(self, model: nn.Module) -> None:
        """From now on the model has its bfloat16 weights."""
        full = [
            module
            for module in model.modules()
            if isinstance(module, _STAY_FLOAT32) or getattr(module, "full_precision", False)
        ]
        stays = {parameter for module in full for parameter in module.parameters()}
        self._master_of = {
            parameter: nn.Parameter(parameter.data, requires_grad=parameter.requires_grad)
            for parameter in model.parameters()
            if parameter.dtype is torch.float32 and parameter.requires_grad and parameter not in stays
        }
        self.weight_of: Mapping[Tensor, nn.Parameter] = {
            master: weight for weight, master in self._master_of.items()
        }  # the bfloat16 weight of every master
        self._round()

    def updated(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """What an optimiser is to update in place of these parameters of the model: their masters
        where they have some."""
        return [self._master_of.get(parameter, parameter) for parameter in parameters]

    def hand_over_gradients(self) -> None:
        """Add the bfloat16 gradients of the weights to the float32 ones of the masters."""
        for weight, master in self._master_of.items():
            if weight.grad is None:
                continue
            if master.grad is None:
                master.grad = weight.grad.float()
            else:
                master.grad += weight.grad
            weight.grad = None

    def drop_gradients(self) -> None:
        """Forget the gradients of the bfloat16 weights."""
        for weight in self._master_of:
            weight.grad = None

    @torch.no_grad()
    def follow(self) -> None:
        """Make the bfloat16 weights what their masters have become."""
        if self._master_of:
            torch._foreach_copy_(list(self._master_of), list(self._master_of.values()))

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Inside, the model has the float32 masters as its weights. No gradients may be pending."""
        for weight, master in self._master_of.items():
            weight.data = master.data
        try:
            yield
        finally:
            self._round()

    def _round(self) -> None:
        for weight, master in self._master_of.items():
            weight.data = master.data.to(torch.bfloat16)
