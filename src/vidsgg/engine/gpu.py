"""How much of a GPU a run uses."""

from __future__ import annotations

import torch

_GB = 1e9


class GpuMeter:
    """Memory and utilisation of the GPU that a run is on; on a CPU there is nothing to measure.

    note: what the log is to say once, where utilisation cannot be measured; else empty.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device if device.type == "cuda" else None
        self._utilisation, self.note = False, ""
        self._samples: list[float] = []
        if self._device is None:
            return
        try:
            torch.cuda.utilization(self._device)
            self._utilisation = True
        except Exception as error:  # NVIDIA's library has errors of its own, and is not there on other makers' GPUs
            why = (
                "install NVIDIA's library with: pip install nvidia-ml-py"
                if isinstance(error, ModuleNotFoundError)
                else str(error)
            )
            self.note = f"GPU utilisation is not measured: {why}"

    def sample(self) -> None:
        """Look at the utilisation now; to be called every few steps."""
        if self._utilisation:
            self._samples.append(torch.cuda.utilization(self._device) / 100)

    def scalars(self) -> dict[str, float]:
        """Since the last call: the peak of memory in tensors and in PyTorch's hands, in GB, and the
        mean share of time in use, 0..1."""
        if self._device is None:
            return {}
        values = {
            "gpu/memory_peak_gb": torch.cuda.max_memory_allocated(self._device) / _GB,
            "gpu/memory_reserved_gb": torch.cuda.max_memory_reserved(self._device) / _GB,
        }
        if self._samples:
            values["gpu/utilisation"] = sum(self._samples) / len(self._samples)
        torch.cuda.reset_peak_memory_stats(self._device)
        self._samples.clear()
        return values
