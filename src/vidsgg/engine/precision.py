"""Mixed precision: in which type a model computes, and which weights its optimiser updates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from vidsgg.errors import ConfigError

LEVELS = ("O0", "O1", "O2")
_NORMS = (_BatchNorm, nn.LayerNorm, nn.GroupNorm)


def half_type(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, else float16."""
    if device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.float16
    return torch.bfloat16


class Precision:
    """O0: float32. O1: autocast to bfloat16, or to float16 with its loss scaled. O2: the weights
    themselves are bfloat16, and the optimiser updates float32 copies of them ("master weights",
    Micikevicius et al. 2018, section 3.1).

    Under O2 the weights of normalisations, of modules that say ``full_precision`` and all buffers
    stay float32. Scores and checkpoints are those of the float32 weights.
    """

    def __init__(self, model: nn.Module, level: str = "O0", half: torch.dtype | None = None) -> None:
        """The model must be where it will be trained. half: float16 or bfloat16; by default what
        its device has.

        Raises ConfigError for O2 on a device without bfloat16.
        """
        device = next(model.parameters()).device
        self.level, self.device_type = level, device.type
        self.half = half or half_type(device)
        if level == "O2" and self.half is not torch.bfloat16:
            raise ConfigError(f"option -opt_level O2 needs bfloat16, which {device} does not have; use -opt_level O1.")
        self.scaler = torch.amp.GradScaler(device.type, enabled=level == "O1" and self.half is torch.float16)
        # it starts with the first loss, but a process of several may see none at first
        self.scaler.scale(torch.zeros(1, device=device))
        self._masters = _with_masters(model) if level == "O2" else {}
        self._to_half()

    def autocast(self) -> AbstractContextManager[object]:
        """Inside, the model computes in the types of its level."""
        return torch.autocast(self.device_type, self.half, enabled=self.level != "O0")

    def updated(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """What an optimiser is to update in place of these parameters of the model: their float32
        copies where they have some."""
        return [self._masters.get(parameter, parameter) for parameter in parameters]

    def hand_over_gradients(self) -> None:
        """Move the gradients of the bfloat16 weights to the float32 copies."""
        for parameter, master in self._masters.items():
            if parameter.grad is not None:
                master.grad, parameter.grad = parameter.grad.float(), None

    @torch.no_grad()
    def follow(self) -> None:
        """Make the bfloat16 weights what the float32 copies have become."""
        if self._masters:
            torch._foreach_copy_(list(self._masters), list(self._masters.values()))

    @contextmanager
    def full_weights(self) -> Iterator[None]:
        """Inside, the model has its float32 weights: for scoring, and for state dicts in both
        directions. No gradients may be pending."""
        for parameter, master in self._masters.items():
            parameter.data = master.data
        try:
            yield
        finally:
            self._to_half()

    def _to_half(self) -> None:
        for parameter, master in self._masters.items():
            parameter.data = master.data.to(torch.bfloat16)


def _with_masters(model: nn.Module) -> dict[nn.Parameter, nn.Parameter]:
    """Every floating parameter that learns, but for those that stay float32, with one for the
    optimiser that shares its memory."""
    full = [
        module for module in model.modules() if isinstance(module, _NORMS) or getattr(module, "full_precision", False)
    ]
    stays = {parameter for module in full for parameter in module.parameters()}
    return {
        parameter: nn.Parameter(parameter.data, requires_grad=parameter.requires_grad)
        for parameter in model.parameters()
        if parameter.dtype is torch.float32 and parameter.requires_grad and parameter not in stays
    }
