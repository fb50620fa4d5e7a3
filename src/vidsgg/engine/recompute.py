"""Gradient checkpointing: activations of some layers are not kept but computed again in the
backward pass (Chen et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint


def recompute_layers(model: nn.Module, lists: Sequence[str]) -> int:
    """Keep only the inputs of the layers in these module lists of the model; returns how many
    layers there are.

    Values and gradients stay the same bits: what dropout drew is drawn again. A layer must not
    change buffers when it runs.
    """
    layers = [layer for name in lists for layer in model.get_submodule(name).children()]
    for layer in layers:
        layer.forward = partial(_recomputed, layer.forward)
    return len(layers)


def _recomputed(forward: Callable[..., Any], *inputs: Any, **named: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*inputs, **named)
    return checkpoint(forward, *inputs, use_reentrant=False, **named)
