"""STTran against counting where any two things may be related: ``python -m benchmarks.rooms -data_path
DATA -out OUT``.

DATA: a set made by ``vidsgg data synth -world rooms``. A small STTran learns from boxes and classes
alone (row ``layout``) or from pictures (row ``pixels``), for a few epochs with each seed. It and the
frequency baseline are scored on the test videos, by frames and by relations over tracks. Only
``pixels`` needs a detector in ``detector.pth`` (``vidsgg train-detector``) and features by ``vidsgg
features``. Runs that are finished are not done again.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import command
from benchmarks.methods import Row
from vidsgg.cli.command_line import parse
from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import find_method
from vidsgg.methods.training_options import LAYOUT
from vidsgg.options import option
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.train import run_training

SMALL = {
    "hidden_dim": 32, "embedding_dim": 32, "feedforward_dim": 128, "temporal_layer": 1, "bce_loss": True, "lr": 1e-3,
    "scheduler": "cosine", "warmup_steps": 20,
}  # fmt: skip
ROWS = {
    "frequency": Row("P(predicate given classes)", "frequency", {"features": LAYOUT}),
    "layout": Row("STTran, small, layout", "sttran", {"features": LAYOUT, **SMALL}),
    "pixels": Row("STTran, small, pictures", "sttran", SMALL),
}
COLUMNS = ("R@20", "R@50", "mR@50", "track mAP", "track R@50", "track R@100", "P@5")


@dataclass(frozen=True)
class RoomsOptions:
    data_path: str = option("", "the synthetic rooms")
    out: str = option("", "folder for the runs")
    rows: str = option(",".join(ROWS), "rows of the table, with commas between them")
    seeds: str = option("0,1,2", "seeds of STTran, with commas between them")
    max_pairs: int | None = option(None, "as of vidsgg train; features have to be made with the same number", low=0)
    epochs: int = option(6, "passes over the training videos", low=1)
    threads: int = option(1, "threads of this process", low=1)


def scores(options: RoomsOptions, name: str, seed: int) -> tuple[float, ...]:
    """The columns of the table, in percent."""
    row, folder = ROWS[name], Path(options.out) / f"{name}_{seed}"
    if not (folder / FINAL).is_file():
        shared: dict[str, Any] = {"data_path": options.data_path, "mode": "predcls", "seed": seed}
        shared |= {"num_workers": 0, "max_pairs": options.max_pairs}
        learnt = {} if name == "frequency" else {"epochs": options.epochs, "eval_freq": options.epochs}
        kind = find_method(row.model).options
        run_training(kind(model=row.model, save_path=str(folder), **shared, **learnt, **row.changes))
    result = run_evaluation(EvaluateOptions(checkpoint=str(folder), num_workers=0, charts=False)).result
    tracks = json.loads((folder / "evaluation_test.json").read_text(encoding="utf-8"))["tracks"]
    frames = [result.value("with", k, average) for k, average in ((20, "R"), (50, "R"), (50, "mR"))]
    over_time = [tracks["mAP"], tracks["R"]["50"], tracks["R"]["100"], tracks["P"]["5"]]
    return tuple(100 * value for value in (*frames, *over_time))


def main(argv: Sequence[str]) -> None:
    options = parse(RoomsOptions, argv, prog="benchmarks.rooms", description=__doc__)
    torch.set_num_threads(options.threads)
    names, found = options.rows.split(","), {}
    if unknown := [name for name in names if name not in ROWS]:
        raise ConfigError(f"option -rows: unknown row {unknown[0]!r}; there are {', '.join(ROWS)}.")
    for name in names:
        seeds = [0] if name == "frequency" else [int(seed) for seed in options.seeds.split(",")]
        found[ROWS[name].title] = [scores(options, name, seed) for seed in seeds]
    print(f"\n| predcls, test videos | {' | '.join(COLUMNS)} |\n| --- |{' ---: |' * len(COLUMNS)}")
    for title, rows in found.items():
        cells = []
        for values in zip(*rows, strict=True):
            spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.1f}{spread}")
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    command("benchmarks.rooms", main)
