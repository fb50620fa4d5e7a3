"""Which backend computes a frozen detector, and in which numbers. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, TypeAlias

from vidsgg.errors import ConfigError
from vidsgg.ops.bfloat16 import has_bfloat16
from vidsgg.options import convert

if TYPE_CHECKING:
    import torch

Backend: TypeAlias = Literal["torch", "compile", "openvino", "onnx"]
Numbers: TypeAlias = Literal["fp32", "bf16"]
BACKEND_HELP = (
    "what computes the frozen detector: torch, compile (torch.compile), openvino (pip install vidsgg[openvino]) or onnx"
    " (ONNX Runtime, pip install vidsgg[onnx]); docs/detectors.md says what each costs and gives"
)
PRECISION_HELP = (
    "numbers that the frozen detector computes in: fp32, or bf16 (bfloat16) on processors and GPUs that have it"
)
# What has to be installed for a backend: the package that computes, and the one that torch exports with.
_NEEDS = {"openvino": ("openvino", "onnx"), "onnx": ("onnxruntime", "onnx")}


@dataclass(frozen=True)
class Inference:
    """Equal choices give the same numbers on the same machine. The default is what always was.

    Raises ConfigError for an unknown backend or precision.
    """

    backend: Backend = "torch"
    precision: Numbers = "fp32"

    def __post_init__(self) -> None:
        convert("backend", self.backend, Backend)
        convert("precision", self.precision, Numbers)

    def __str__(self) -> str:
        return f"{self.backend}, {self.precision}"

    @property
    def is_default(self) -> bool:
        return self == TORCH

    def on(self, device: torch.device) -> tuple[Inference, str]:
        """What is used on a device, and what has to be said of it, or "".

        bf16 becomes fp32 where the device has no bfloat16. Raises ConfigError if the backend does not work there,
        or has no such numbers anywhere.
        """
        if self.backend in _NEEDS and device.type != "cpu":
            raise ConfigError(
                f"option -backend: {self.backend} computes on the CPU, and the detector is on {device}; take torch or"
                " compile, or -device cpu."
            )
        if self.precision == "fp32":
            return self, ""
        if self.backend == "onnx":
            raise ConfigError(
                "option -precision: ONNX Runtime has no bfloat16 on CPUs; take -backend openvino, compile or torch, or fp32."
            )
        if has_bfloat16(device):
            return self, ""
        lacking = "the processor has none" if device.type == "cpu" else f"{device} has none"
        return replace(self, precision="fp32"), f"float32, not bfloat16: {lacking}"

    def check_installed(self) -> None:
        """Raises ConfigError with the command that installs what the backend lacks."""
        lacking = [name for name in _NEEDS.get(self.backend, ()) if find_spec(name) is None]
        if lacking:
            raise ConfigError(
                f"option -backend: {self.backend} needs {' and '.join(lacking)}: pip install 'vidsgg[{self.backend}]'"
                " (or take -backend torch)."
            )


TORCH = Inference()
