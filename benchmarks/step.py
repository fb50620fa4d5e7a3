"""What a training step of STTran at full width costs in each precision, which share of the machine's
limits its parts reach, and what bfloat16 weights do to recall.

``python -m benchmarks.step [-quick True]``. Random videos as in ``benchmarks.sttran``. "Plain" is the
network of ``benchmarks.plain_sttran``, one video a step with an unfused optimiser, as the original
code trains; the others are the engine's steps. With one thread (the default) all times are those of
the processor, so that other programs count little; with more they are the clock's. Limits: products
against a float32 product of 2048 x 2048 matrices, the optimiser against a copy in memory (which first reads what it overwrites, so that an update in place
can be above 100 %).

``python -m benchmarks.step -recall True`` trains a narrow layout model on synthetic videos from three
seeds, in float32 and with ``-opt_level O2``, and scores both on the test videos.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from benchmarks.command import command
from benchmarks.layout import ROWS as LAYOUT_ROWS
from benchmarks.methods import MethodsOptions, Row, outcome, settings_of, table
from benchmarks.peak import peak_mib
from benchmarks.sttran import build, random_clip
from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.engine.allocation import keep_freed_memory
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision, product_rate
from vidsgg.engine.update import Update, clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.result import RecallResult
from vidsgg.ops.bfloat16 import has_bfloat16
from vidsgg.options import option
from vidsgg.structures.clip import Clip

KINDS = {"plain": "plain, one video a step", "O0": "float32", "O1": "autocast (O1)", "O2": "bfloat16 weights (O2)"}
CLIP = 5.0  # the norm that gradients are clipped to
PARTS = {
    "products": {"mm", "addmm", "bmm", "baddbmm"},
    "convolutions": {"convolution", "convolution_backward"},
    "conversions and copies": {"_to_copy", "copy_", "clone", "cat"},
    "dropout and random numbers": {"bernoulli_", "native_dropout", "native_dropout_backward"},
    "normalisations": {
        "native_batch_norm", "native_batch_norm_backward", "native_layer_norm", "native_layer_norm_backward",
        "_native_batch_norm_legit", "_softmax", "_softmax_backward_data",
    },
}  # fmt: skip


@dataclass(frozen=True)
class StepOptions:
    kinds: str = option(
        ",".join(KINDS if has_bfloat16(torch.device("cpu")) else ("plain", "O0")),
        "rows of the table, with commas between them; by default those in bfloat16 only where the processor has it",
    )
    batches: str = option("1,4", "videos in a step, with commas between them")
    steps: int = option(4, "measured steps of every row, after one that warms up", low=1)
    threads: int = option(1, "threads of the process", low=1)
    quick: bool = option(False, "one measured step of every row")
    recall: bool = option(False, "compare recall instead, over three seeds")
    videos: int = option(60, "with -recall: synthetic videos", low=8)
    epochs: int = option(8, "with -recall: passes over the training videos", low=1)
    row: str = option("", "one kind, in this process, printed as JSON")


class Timing(TorchDispatchMode):
    """Inside, the seconds of every operation are added up by part, and the arithmetic of products."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.clock = clock
        self.seconds, self.operations = defaultdict[str, float](float), defaultdict[str, float](float)
        self._part_of = {name: part for part, names in PARTS.items() for name in names}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        packet = func._overloadpacket
        part = self._part_of.get(packet.__name__, "the rest")
        began = self.clock()
        result = func(*args, **(kwargs or {}))
        self.seconds[part] += self.clock() - began
        if packet in flop_registry:
            self.operations[part] += flop_registry[packet](*args, **(kwargs or {}), out_val=result)
        return result


class Steps:
    """Training steps of one kind."""

    def __init__(self, kind: str, clock: Callable[[], float]) -> None:
        self.plain, self.clock = kind == "plain", clock
        self.criterion = RelationCriterion(SCHEMA)
        if self.plain:
            self.model, self.optimizer = build("plain")
        else:
            keep_freed_memory()
            self.model, _ = build("ours")
            self.precision = Precision(self.model, kind, torch.bfloat16)
            self.optimizer = ReferenceAdamW(self.precision.updated(self.model.parameters()), lr=1e-5)
        self.model.train()

    def one(self, clips: Sequence[Clip], watching: AbstractContextManager[object] | None = None) -> tuple[float, float]:
        """Seconds of forward and backward pass, and of what comes after them: norm, clipping and
        update. watching: entered for the passes of the engine's steps."""
        began = self.clock()
        if self.plain:
            passes = after = 0.0
            for clip in clips:
                start = self.clock()
                self.criterion(self.model(clip), clip)["total"].backward()
                middle = self.clock()
                clip_gradients(self.model.parameters(), CLIP)
                self.optimizer.step()
                self.optimizer.zero_grad(set_to_none=True)
                passes, after = passes + middle - start, after + self.clock() - middle
            return passes, after
        clip = Clip.cat(list(clips))
        update = Update(self.optimizer, self.precision, clip_grad=CLIP, videos=len(clips))
        with watching or nullcontext():
            with self.precision.autocast():
                logits = self.model(clip)
            update.add(self.criterion(logits, clip), len(clips))
        middle = self.clock()
        update.step(1.0)
        return middle - began, self.clock() - middle


def measure(kind: str, options: StepOptions) -> dict[str, Any]:
    """Of one kind, in this process: seconds a step by batch, and the parts of one of the largest
    batch."""
    torch.set_num_threads(options.threads)
    clock = time.process_time if options.threads == 1 else time.perf_counter
    steps, found = Steps(kind, clock), {}
    count = 1 if options.quick else options.steps
    batches = [int(word) for word in options.batches.split(",")]
    for batch in batches[:1] if steps.plain else batches:  # its videos are alone in any batch
        made, before = [], resource.getrusage(resource.RUSAGE_SELF)
        for number in range(count + 1):
            if number == 1:
                before = resource.getrusage(resource.RUSAGE_SELF)
            made.append(steps.one([random_clip(number * batch + i) for i in range(batch)]))
        used = resource.getrusage(resource.RUSAGE_SELF)
        found[str(batch)] = {
            "seconds": statistics.median(sum(step) for step in made[1:]),
            "after": statistics.median(after for _, after in made[1:]),
            "system": (used.ru_stime - before.ru_stime)
            / (used.ru_utime - before.ru_utime + used.ru_stime - before.ru_stime),
        }
    timing = Timing(clock)
    steps.one([random_clip(i) for i in range(batch)], timing)
    peak = peak_mib()
    parameters = sum(p.numel() for p in steps.model.parameters())
    return {
        "batches": found, "peak": peak, "parameters": parameters,
        "seconds": dict(timing.seconds), "operations": dict(timing.operations),
    }  # fmt: skip


def copy_rate(clock: Callable[[], float], numbers: int = 50_000_000) -> float:
    """GB/s of a copy in memory, what is read and what is written, the best of five."""
    source, target = torch.ones(numbers), torch.ones(numbers)
    seconds = []
    for _ in range(5):
        began = clock()
        target.copy_(source)
        seconds.append(clock() - began)
    return 8 * numbers / min(seconds) / 1e9


def limits(threads: int) -> tuple[float, float, float]:
    """GFLOP/s of float32 and of bfloat16 products, and GB/s of a copy."""
    torch.set_num_threads(threads)
    clock = time.process_time if threads == 1 else time.perf_counter
    rates = [product_rate(kind, 2048, 2048, times=5, clock=clock) for kind in (torch.float32, torch.bfloat16)]
    return rates[0], rates[1], copy_rate(clock)


def moved(kind: str, parameters: int) -> float:
    """GB that norm, clipping and update have to read and write at least: weights and two moments are
    read and written, gradients read twice, and in float32 read and written once more to clip them;
    the bfloat16 weights are written once."""
    return parameters * (24 + (2 * 2 + 2 if kind == "O2" else 2 * 4 + 8)) / 1e9


def compare(options: StepOptions) -> None:
    sgemm, half, copy = limits(options.threads)
    capabilities = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    has = [name for name in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16") if capabilities.get(name)]
    print(
        f"Processor: {capabilities.get('cpu_name', 'unknown')}, bfloat16 by {', '.join(has) or 'nothing'}; threads:"
        f" {options.threads}; products {sgemm:.0f} GFLOP/s in float32, {half:.0f} in bfloat16; a copy {copy:.1f} GB/s.\n"
    )
    found: dict[str, dict[str, Any]] = {}
    print("| step | batch | s a video | times plain | of that norm, clipping, update | system's share | peak MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for kind in options.kinds.split(","):
        said = [f"--{name}={value}" for name, value in asdict(options).items() if name != "row"]
        command = [sys.executable, "-m", "benchmarks.step", *said, f"--row={kind}"]
        found[kind] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for batch, each in found[kind]["batches"].items():
            yardstick = found.get("plain", {}).get("batches", {}).get("1")
            ratio = f"{yardstick['seconds'] / each['seconds'] * int(batch):.2f}" if yardstick else "-"
            print(
                f"| {KINDS[kind]} | {batch} | {each['seconds'] / int(batch):.3f} | {ratio} |"
                f" {each['after'] / int(batch):.3f} | {100 * each['system']:.0f} % | {found[kind]['peak']:.0f} |",
                flush=True,
            )
    print("\n| step of the largest batch | part | s | rate | share of the limit |")
    print("| --- | --- | ---: | ---: | ---: |")
    for kind, each in found.items():
        if kind != "plain":
            print(parts(kind, each, sgemm, copy))


def parts(kind: str, found: Mapping[str, Any], sgemm: float, copy: float) -> str:
    """Rows of a table."""
    lines = []
    for part, seconds in sorted(found["seconds"].items(), key=lambda each: -each[1]):
        rate = found["operations"].get(part, 0) / seconds / 1e9
        told = f"{rate:.0f} GFLOP/s | {100 * rate / sgemm:.0f} %" if rate else "- | -"
        lines.append(f"| {KINDS[kind]} | {part} | {seconds:.3f} | {told} |")
    after = list(found["batches"].values())[-1]["after"]
    rate = moved(kind, found["parameters"]) / after
    lines.append(
        f"| {KINDS[kind]} | norm, clipping and update | {after:.3f} | {rate:.1f} GB/s | {100 * rate / copy:.0f} % |"
    )
    return "\n".join(lines)


def recall(options: StepOptions) -> None:
    rows: dict[str, list[RecallResult]] = {}
    torch.set_num_threads(options.threads)
    narrow = LAYOUT_ROWS["layout"]
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder) / "data", SyntheticConfig(videos=options.videos))
        shared = MethodsOptions(data_path=f"{folder}/data", out=folder, epochs=options.epochs)
        for seed in range(3):
            for title, changes in (("float32", {}), ("O2", {"use_amp": True, "opt_level": "O2"})):
                row = Row(title, narrow.model, {**narrow.changes, **changes})
                rows.setdefault(title, []).append(outcome(settings_of(shared, row, title, seed))[0])
    print(table(rows, "predcls"))


def main(argv: Sequence[str]) -> None:
    options = parse(StepOptions, argv, prog="benchmarks.step", description=__doc__)
    if options.row:
        print(json.dumps(measure(options.row, options)))
    elif options.recall:
        recall(options)
    else:
        compare(options)


if __name__ == "__main__":
    command("benchmarks.step", main)
