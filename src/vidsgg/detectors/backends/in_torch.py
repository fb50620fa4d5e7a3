"""Torch's own backends: bfloat16 as it goes, and torch.compile."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.backends.parts import Computed, FrozenPart, Output, as_output, tensors_of
from vidsgg.errors import ConfigError


def opened_in_torch(part: FrozenPart, original: Computed, used: Inference) -> Computed:
    """A part computed by torch in bfloat16, or compiled in either precision."""
    run: Computed = original
    if used.backend == "compile":
        # Freezing takes weights as constants, so that those of normalisation are folded into kernels once.
        # The first size is compiled for itself, the next one for all others.
        compiled: Any = torch.compile(original, options={"freezing": True})
        run = partial(_compiled, compiled, 0 if len(part.free) == 1 else 1)
    if used.precision == "bf16":
        run = partial(_in_bfloat16, run)
    return partial(_laid_out, run, part.layout)


def _laid_out(run: Computed, layout: torch.memory_format, values: Tensor) -> Output:
    return run(values.contiguous(memory_format=layout))


def _in_bfloat16(run: Computed, values: Tensor) -> Output:
    # Autocast keeps float32 weights, so that statistics of normalisation are folded in float32.
    with torch.autocast(values.device.type, torch.bfloat16):
        names, tensors = tensors_of(run(values))
    return as_output(names, [tensor.float() for tensor in tensors])


def _compiled(compiled: Any, most: int, values: Tensor) -> Output:
    """most: how many of the first axis go through together, 0 for any number.

    torch compiles for one and for several anew. So pictures go through one by one, and a region alone is doubled.
    """
    try:
        if most and len(values) > most:
            parts = [tensors_of(compiled(some)) for some in values.split(most)]
            return as_output(
                parts[0][0], [torch.cat(same) for same in zip(*(tensors for _, tensors in parts), strict=True)]
            )
        if not most and len(values) == 1:
            names, tensors = tensors_of(compiled(values.expand(2, *values.shape[1:]).contiguous()))
            return as_output(names, [tensor[:1] for tensor in tensors])
        output: Output = compiled(values)
        return output
    except Exception as error:  # torch's compiler raises many kinds
        raise ConfigError(
            "option -backend: torch.compile fails on this machine: it needs a C++ compiler (g++ or clang), on a GPU Triton."
            f" Take -backend torch or openvino. It said: {' '.join(str(error).split())[:300]}"
        ) from error
