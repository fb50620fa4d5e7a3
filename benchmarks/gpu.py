"""What one GPU does, in one table, in less than ten minutes.

``python -m benchmarks.gpu [-device cuda] [-parts NAME,...] [-json FILE]`` needs the package and nothing else: all
data is made and all weights are random, which decides no speed. Every part can be asked for by itself. Rows that
this machine cannot have say why. The table is printed in Markdown and after it as JSON. The exit status is 1 if
a check has failed.

``-device cpu -tiny`` runs the whole script in seconds with networks of a few weights; its figures mean nothing.
"""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks import gpu_checks, gpu_speed
from benchmarks.command import command
from benchmarks.gpu_rows import HEAD, Machine, Row, as_json, collected
from vidsgg.assembly.data import choose_device
from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.options import option
from vidsgg.status import say

PARTS = (
    *("resume", "as on the CPU", "goldens"),  # first: what is fast and wrong is of no use
    *("extraction", "training", "evaluation", "predict", "engine", "two processes"),
)


@dataclass(frozen=True)
class GpuOptions:
    device: str = option("cuda", "cuda, cuda:1, ..., or cpu")
    tiny: bool = option(False, "networks of a few weights, to see that everything runs")
    parts: str = option(",".join(PARTS), "parts of the table, with commas between them")
    detectors: str = option(",".join(gpu_speed.WATCHED), "what extracts, with commas between them")
    compile_backend: str = option(
        "inductor", "what torch.compile compiles the network with in training; none: leave out all rows that compile"
    )
    seconds: float = option(3.0, "of a measurement", low=0, high=60)
    limit: float = option(540.0, "seconds after which no further row is begun", low=1, high=36000)
    json: str | None = option(None, "file that the table is written to as JSON too", place="new file")


def chosen(given: str, known: Sequence[str], name: str) -> tuple[str, ...]:
    """Words with commas between them. Raises ConfigError naming one that is not known."""
    words = tuple(given.split(","))
    if unknown := [word for word in words if word not in known]:
        raise ConfigError(f"option -{name}: unknown {unknown[0]!r}; there are {', '.join(known)}.")
    return words


def measured(options: GpuOptions, machine: Machine, folder: Path) -> Iterator[Row]:
    """The rows, as they are ready."""
    sizes = gpu_speed.TINY if options.tiny else gpu_speed.Sizes()
    backend = "" if options.compile_backend == "none" else options.compile_backend
    parts, detectors = (
        chosen(options.parts, PARTS, "parts"),
        chosen(options.detectors, tuple(gpu_speed.WATCHED), "detectors"),
    )
    made = gpu_speed.Made.at(folder, sizes) if {"resume", "predict"} & set(parts) else None
    ways: dict[str, Callable[[], Iterator[Row]]] = {
        "as on the CPU": partial(gpu_checks.against_cpu, machine, sizes),
        "goldens": partial(gpu_checks.goldens, machine, sizes),
        "extraction": partial(gpu_speed.extraction, machine, sizes, detectors, bool(backend)),
        "training": partial(gpu_speed.training, machine, sizes, backend),
        "evaluation": partial(gpu_speed.evaluation, machine, sizes),
        "engine": partial(gpu_speed.overhead, machine, sizes),
        "two processes": partial(gpu_speed.two_processes, machine, sizes),
    }
    if made is not None:
        ways["resume"] = partial(gpu_checks.resume, machine, sizes, made, folder)
        ways["predict"] = partial(gpu_speed.prediction, machine, sizes, made, folder)
    for part in parts:
        if machine.over():
            yield Row(part, "all", remark=f"skipped: {options.limit:g} s are over; ask for it with -parts '{part}'")
            continue
        began = time.perf_counter()
        with collected(Row(part, "the rest")) as broken:
            yield from ways[part]()
        yield from broken
        say(f"{part}: {time.perf_counter() - began:.1f} s")
        if machine.over():
            yield Row(part, "the rest", remark=f"skipped: {options.limit:g} s are over")


def main(argv: Sequence[str]) -> int:
    """Prints the table; 1 if a check has failed."""
    options = parse(GpuOptions, argv, prog="benchmarks.gpu", description=str(__doc__))
    # cuBLAS reads it when it starts, and "resume" may not be the first to start it.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    machine = Machine(choose_device(options.device), 0.0 if options.tiny else options.seconds, options.limit)
    rows = []
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for row in measured(options, machine, Path(folder)):
            print(row.line(), flush=True)
            rows.append(row)
    text = json.dumps(as_json(machine, rows), indent=1)
    print(f"\n```json\n{text}\n```")
    if options.json is not None:
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    return int(any(row.failed for row in rows))


if __name__ == "__main__":
    command("benchmarks.gpu", main)
