"""Whether many videos cost more each than few, in time or memory.

``python -m benchmarks.scaling -out scaling.png [-videos 12,100,500,2000]``: for each number of videos a process of
its own writes their features into a store, trains STTran on them for one epoch and scores them; narrow networks
and features, so that it takes minutes. Prints processor time a video and the peak of memory, and draws both.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import engine, store
from benchmarks.command import command
from vidsgg.charts.figures import COLOURS, GRID, MARKS, new_figure, plain, save_figure
from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.evaluate import score
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision
from vidsgg.engine.update import Update
from vidsgg.errors import ConfigError
from vidsgg.features.store import FeatureStore
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.accumulator import RecallAccumulator
from vidsgg.models.sttran import STTran
from vidsgg.options import option
from vidsgg.status import say

WAYS = ("write", "train", "evaluate")
WARM = 4  # videos that are worked on before time counts


@dataclass(frozen=True)
class ScalingOptions:
    out: str = option("scaling.png", "the chart", place="new file")
    videos: str = option("12,100,500,2000", "numbers of videos, with commas between them")


def costs(count: int) -> dict[str, float]:
    """Processor seconds a video of every way, and the peak of memory in MiB, in this process."""
    videos = store.RandomVideos(count, engine.tiny_clip)
    model = STTran(SCHEMA, engine.TINY_WIDTHS, engine.TINY)
    update = Update(ReferenceAdamW(model.parameters(), lr=1e-5), Precision(model), clip_grad=5.0)
    criterion = RelationCriterion(SCHEMA)

    def step(clip: Any) -> None:
        update.add(criterion(model.train()(clip), clip), clip.videos)
        update.step(1.0)

    def timed(work: Callable[[], object]) -> float:
        began = time.process_time()
        work()
        return (time.process_time() - began) / count

    for index in range(WARM):
        step(videos.clip(index % count))
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak counts from here, not from what was imported
    with tempfile.TemporaryDirectory() as folder:
        written: list[FeatureStore] = []
        seconds = {
            "write": timed(lambda: written.append(store.write(videos, Path(folder) / "store", engine.TINY_WIDTHS)))
        }
        loader = ClipLoader(videos, "predcls", shuffle=True, store=written[0], learn=True)
        seconds["train"] = timed(lambda: [step(batch.clip) for batch in loader.batches(1)] and None)
        scored = ClipLoader(videos, "predcls", store=written[0])
        recall = RecallAccumulator(engine.PROTOCOL, SCHEMA.vocabulary)
        seconds["evaluate"] = timed(lambda: score(model, scored, [recall]))
        assert recall.compute().videos == count
    status = Path("/proc/self/status").read_text(encoding="ascii")  # not getrusage, which begins with the parent's
    return {**seconds, "peak": int(status.split("VmHWM:")[1].split()[0]) / 1024}


def draw(path: Path, counts: Sequence[int], rows: Sequence[dict[str, float]]) -> Path:
    """Milliseconds a video, and memory, over the number of videos."""
    figure = new_figure(9, 3.6)
    left, right = figure.subplots(1, 2)
    for way, colour, mark in zip(WAYS, COLOURS, MARKS, strict=False):
        left.plot(counts, [1000 * row[way] for row in rows], marker=mark, color=colour, label=way)
    right.plot(counts, [row["peak"] for row in rows], marker=MARKS[0], color=COLOURS[0])
    for axis, title in ((left, "processor time a video, in ms"), (right, "peak of memory, in MiB")):
        axis.set_xscale("log")
        axis.set_xticks(counts, [f"{count:,}" for count in counts])
        axis.minorticks_off()
        axis.set_ylim(0, 1.15 * axis.get_ylim()[1])
        axis.set_xlabel("videos")
        axis.grid(color=GRID)
        plain(axis, title)
    figure.legend(loc="outside lower left", frameon=False, ncols=len(WAYS))
    return save_figure(figure, path)


def main(argv: Sequence[str]) -> None:
    if argv[:1] == ["--row"]:
        torch.set_num_threads(1)
        print(json.dumps(costs(int(argv[1]))))
        return
    options = parse(ScalingOptions, argv, prog="benchmarks.scaling", description=str(__doc__))
    try:
        counts = [int(word) for word in options.videos.split(",")]
    except ValueError:
        raise ConfigError(f"option -videos: {options.videos!r} are no numbers with commas between them.") from None
    rows = []
    print("| videos | write, ms | train, ms | evaluate, ms | peak MiB |\n| ---: | ---: | ---: | ---: | ---: |")
    for count in counts:
        command = [sys.executable, "-m", "benchmarks.scaling", "--row", str(count)]
        row = dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        cells = " | ".join(f"{1000 * row[way]:.1f}" for way in WAYS)
        print(f"| {count:,} | {cells} | {row['peak']:.0f} |", flush=True)
        rows.append(row)
    say(f"chart: {draw(Path(options.out), counts, rows)}")


if __name__ == "__main__":
    command("benchmarks.scaling", main)
