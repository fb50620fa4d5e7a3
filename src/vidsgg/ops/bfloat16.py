"""Which devices compute in bfloat16. Imports torch when it is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_OF_CPUS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")  # of x86 and of ARM, as torch names them


def has_bfloat16(device: torch.device) -> bool:
    """Whether a processor or a CUDA device multiplies bfloat16 numbers itself; False for other devices."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and _processor_has_it()


def _processor_has_it() -> bool:
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)
    if capabilities is None:  # torch before 2.10; of ARM processors it says nothing
        return bool(torch.cpu._is_avx512_bf16_supported())
    found = capabilities()
    return any(bool(found.get(name)) for name in _OF_CPUS)
