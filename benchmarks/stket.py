"""STKET at full width on random features, against STTran in the same run: seconds per video, peak
memory, and where the time goes.

``python -m benchmarks.stket [--quick] [--device cuda]``. The videos of ``benchmarks.sttran`` (20-40
frames with 1-5 pairs each), predcls, one video a step. Every row runs in a process of its own, so
that peak memory is its own. On a CPU one thread works, and seconds are those that it worked. An
epoch of Action Genome is about 7,000 steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.peak import peak_mib
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.losses.stket import StketCriterion
from vidsgg.models.configs import StketConfig, STTranConfig
from vidsgg.models.stket import Stket
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip

PRODUCTS = (
    "addmm",
    "::mm",
    "bmm",
    "matmul",
    "linear",
    "convolution",
    "scaled_dot_product",
    "gemm",
    "sgemm",
    "flash",
    "cutlass",
)
MODELS = {
    "STTran": lambda: STTran(SCHEMA, WIDTHS, STTranConfig()),
    "STKET": lambda: Stket(SCHEMA, WIDTHS, StketConfig()),
    "STKET without priors": lambda: Stket(
        SCHEMA, WIDTHS, StketConfig(use_spatial_prior=False, use_temporal_prior=False)
    ),
}


def measure(name: str, what: str, videos: int, device: str) -> dict[str, Any]:
    """Seconds per video (median) and peak memory in MiB, in this process; on a GPU that of the
    GPU."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model: nn.Module = MODELS[name]().to(device).train(what == "train")
    optimizer = ReferenceAdamW(model.parameters(), lr=1e-5)
    criterion = RelationCriterion(SCHEMA) if isinstance(model, STTran) else StketCriterion(SCHEMA)

    def step(seed: int) -> float:
        clip = random_clip(seed).to(device)
        began = _clock(device)
        with torch.set_grad_enabled(what == "train"):
            logits = model(clip)
            if what == "train":
                loss = criterion(logits, clip)["total"]
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                clip_gradients(model.parameters(), 5.0)
                optimizer.step()
        return _clock(device) - began

    seconds = [step(seed) for seed in range(videos + 2)][2:]  # the first two warm up
    if device != "cpu":
        peak = torch.cuda.max_memory_allocated() / 2**20
    else:
        peak = peak_mib()
    with profile(activities=[ProfilerActivity.CPU, *([] if device == "cpu" else [ProfilerActivity.CUDA])]) as seen:
        step(0)
    spent = {e.key: e.self_cpu_time_total if device == "cpu" else e.self_device_time_total for e in seen.key_averages()}
    products = sum(t for key, t in spent.items() if any(word in key for word in PRODUCTS))
    return {
        "seconds": statistics.median(seconds),
        "peak": peak,
        "products": products / sum(spent.values()),
        "flops": _flops(model.eval(), random_clip(0).to(device)),
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def _flops(model: nn.Module, clip: Clip) -> int:
    """Of the matrix products and convolutions of one forward."""
    with FlopCounterMode(display=False) as counter:
        model(clip)
    return int(counter.get_total_flops())


def _clock(device: str) -> float:
    """Seconds of work, which others on the machine do not lengthen; of the clock where a GPU
    works."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.stket")
    parser.add_argument("--quick", action="store_true", help="5 videos instead of 20")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--row", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    videos = 5 if given.quick else 20
    if given.row:
        print(json.dumps(measure(*given.row, videos, given.device)))
        return
    print(
        "| | model | parameters | GFLOP forward | s/video | of STTran | peak MiB | matrix products and convolutions |"
    )
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for what, title in (("train", "training step"), ("eval", "evaluation forward")):
        base = 0.0
        for name in MODELS:
            command = [sys.executable, "-m", "benchmarks.stket", "--row", name, what, "--device", given.device]
            row = json.loads(
                subprocess.run(
                    [*command, *(["--quick"] if given.quick else [])], check=True, stdout=subprocess.PIPE, text=True
                ).stdout
            )
            base = base or row["seconds"]
            print(
                f"| {title} | {name} | {row['parameters'] / 1e6:.0f} M | {row['flops'] / 1e9:.0f} |"
                f" {row['seconds']:.3f} | {row['seconds'] / base:.2f} | {row['peak']:.0f} | {row['products']:.0%} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
