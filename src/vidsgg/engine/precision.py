"""Mixed precision: in which type a model computes, and which weights its optimiser updates."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn

from vidsgg.engine.master_weights import MasterWeights
from vidsgg.errors import ConfigError
from vidsgg.ops.bfloat16 import has_bfloat16

LEVELS = ("O0", "O1", "O2")


def half_type(device: torch.device) -> torch.dtype | None:
    """bfloat16 where the device computes in it; float16 on a GPU that does not; None on a processor that
    does not."""
    if device.type not in ("cpu", "cuda") or has_bfloat16(device):
        return torch.bfloat16
    return torch.float16 if device.type == "cuda" else None


def product_rate(
    kind: torch.dtype,
    rows: int = 384,
    width: int = 1024,
    times: int = 3,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """GFLOP/s of a (rows, width) times (width, width) product of this type on the processor, the best
    of some. By default those of a core: the clock counts the time of all threads."""
    tokens, weight = torch.ones(rows, width, dtype=kind), torch.ones(width, width, dtype=kind)
    seconds = []
    for _ in range(times + 1):  # the first one warms up
        began = clock()
        nn.functional.linear(tokens, weight)
        seconds.append(clock() - began)
    return 2 * rows * width * width / min(seconds[1:]) / 1e9


class Precision:
    """O0: float32. O1: autocast to bfloat16, or to float16 with its loss scaled. O2: the weights
    themselves are bfloat16, and the optimiser updates their float32 masters, see MasterWeights.

    On a processor without bfloat16 O1 and O2 are O0. Scores and checkpoints are those of the float32
    weights.
    """

    def __init__(self, model: nn.Module, level: str = "O0", half: torch.dtype | None = None) -> None:
        """The model must be where it will be trained. half: float16 or bfloat16; by default what
        its device has.

        Raises ConfigError for O2 on a GPU without bfloat16.
        """
        device = next(model.parameters()).device
        half = half or half_type(device)
        if level == "O2" and half is torch.float16:
            raise ConfigError(f"option -opt_level O2 needs bfloat16, which {device} does not have; use -opt_level O1.")
        self.level, self.device_type, self.half = level if half else "O0", device.type, half
        self._asked = level
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.level == "O1" and half is torch.float16)
        # it starts with the first loss, but a process of several may see none at first
        self.scaler.scale(torch.zeros(1, device=device))
        self.masters = MasterWeights(model) if self.level == "O2" else None

    def remarks(self) -> list[str]:
        """Lines for the log on what the device makes of the level."""
        if self._asked == "O0":
            return []
        if self.half is None:
            return [
                f"warning: this processor does not compute in bfloat16, so that -opt_level {self._asked} trains in float32"
            ]
        lines = [f"mixed precision: {self.level}, {str(self.half).removeprefix('torch.')}"]
        if self.device_type == "cpu" and (fast := product_rate(self.half)) < (full := product_rate(torch.float32)):
            lines.append(
                f"warning: bfloat16 does not pay on this processor: its products reach {fast:.0f} GFLOP/s a core,"
                f" those of float32 {full:.0f}; training is faster without -use_amp"
            )
        return lines

    def autocast(self) -> AbstractContextManager[object]:
        """Inside, the model computes in the types of its level."""
        return torch.autocast(self.device_type, self.half, enabled=self.level != "O0")

    def updated(self, parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
        """What an optimiser is to update in place of these parameters of the model."""
        return self.masters.updated(parameters) if self.masters else list(parameters)

    def gradient(self, parameter: Tensor) -> Tensor | None:
        """The gradient of a parameter that an optimiser updates, float32; of a master that has none,
        the bfloat16 one of its weight."""
        weight = self.masters.weight_of.get(parameter) if self.masters and parameter.grad is None else None
        return parameter.grad if weight is None else weight.grad

    def full_weights(self) -> AbstractContextManager[None]:
        """Inside, the model has its float32 weights: for scoring, and for state dicts in both
        directions. No gradients may be pending."""
        return self.masters.restored() if self.masters else nullcontext()
