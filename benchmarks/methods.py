"""The methods side by side on the synthetic data set: the same budget, the same features, several seeds.

``python -m benchmarks.methods -data_path DATA -out OUT``. DATA: a set made by ``vidsgg data synth``, best with its own detector in
``detector.pth`` and features by ``vidsgg features``. Every model has narrow visual parts, the same widths, optimiser, schedule and
epochs; what else it has is what its method says. The best epoch on held-out training videos is scored on the test videos. Runs that are
finished are not done again, so that a benchmark that was stopped goes on. The frequency baseline stands beside them.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from vidsgg.cli.options import parse
from vidsgg.engine.checkpoint import FINAL
from vidsgg.errors import VidsggError
from vidsgg.metrics.result import RecallResult
from vidsgg.options import fields_of, option
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.models import model_entry
from vidsgg.recipes.options import EvaluateOptions, TrainOptions
from vidsgg.recipes.train import run_training

COLUMNS = (("R@20", "with", 20, "R"), ("mR@20", "with", 20, "mR"), ("R@50", "no", 50, "R"), ("mR@50", "no", 50, "mR"))
SHARED = {"hidden_dim": 64, "temporal_layer": 1, "bce_loss": True, "lr": 3e-4, "scheduler": "cosine", "warmup_steps": 50, "eval_freq": 2}
NAMES = {"sttran": "STTran", "tempura": "TEMPURA", "stket": "STKET", "scenellm": "SceneLLM", "frequency": "frequency"}


@dataclass(frozen=True)
class MethodsOptions:
    data_path: str = option("", "the synthetic data set")
    out: str = option("", "folder for the runs")
    models: str = option("frequency,sttran,tempura,stket", "models, with commas between them")
    mode: str = option("predcls", "the task")
    seeds: str = option("0,1,2", "seeds, with commas between them")
    epochs: int = option(8, "passes over the training videos", low=1)
    monitor: str = option("val_recall@20", "what the best epoch is chosen by")
    threads: int = option(1, "threads of this process", low=1)


def settings(options: MethodsOptions, model: str, seed: int) -> TrainOptions:
    """Those of SHARED that the model has, the rest as its defaults say."""
    kind = model_entry(model).options
    wanted: dict[str, Any] = {**SHARED, "epochs": options.epochs, "monitor": options.monitor, "seed": seed}
    known: Mapping[str, Any] = fields_of(kind)
    return kind(
        model=model,
        mode=options.mode,  # type: ignore[arg-type]
        data_path=options.data_path,
        save_path=str(Path(options.out) / f"{model}_{options.mode}_{seed}"),
        num_workers=1,
        **{name: value for name, value in wanted.items() if name in known and not (model == "frequency" and name == "epochs")},
    )


def outcome(run: TrainOptions) -> tuple[RecallResult, float | None]:
    """The score on the test videos, and the seconds that training took if it was done now."""
    folder = Path(str(run.save_path))
    seconds = None
    if not (folder / FINAL).is_file():
        began = time.perf_counter()
        unfinished = (folder / "checkpoint_last.tar").is_file()
        run_training(replace(run, resume_from=str(folder), save_path=None) if unfinished else run)
        seconds = time.perf_counter() - began
    return run_evaluation(EvaluateOptions(checkpoint=str(folder), num_workers=1)).result, seconds


def table(rows: Mapping[str, Sequence[RecallResult]], mode: str) -> str:
    """Markdown, in percent; mean +- standard deviation (n - 1) over the seeds."""
    lines = [f"| {mode}, test videos | " + " | ".join(f"{name} ({kind})" for name, kind, *_ in COLUMNS) + " |", "| --- |" + " ---: |" * 4]
    for model, results in rows.items():
        cells = []
        for _, constraint, k, average in COLUMNS:
            values = [100 * result.value(constraint, k, average) for result in results]
            spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread}")
        lines.append(f"| {NAMES.get(model, model)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    options = parse(MethodsOptions, argv, prog="benchmarks.methods", description=__doc__)
    torch.set_num_threads(options.threads)
    rows: dict[str, list[RecallResult]] = {model: [] for model in options.models.split(",")}
    seconds: dict[str, list[float]] = {model: [] for model in rows}
    for seed in map(int, options.seeds.split(",")):  # seed by seed, so that a half-done benchmark compares like with like
        for model in rows:
            if model == "frequency" and rows[model]:
                continue
            result, took = outcome(settings(options, model, seed))
            rows[model].append(result)
            seconds[model] += [] if took is None else [took]
        print(f"\nafter seed {seed}:\n{table(rows, options.mode)}", flush=True)
    for model, took_each in seconds.items():
        if took_each:
            print(f"{NAMES.get(model, model)}: {statistics.mean(took_each):.0f} s a run")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except VidsggError as error:
        sys.exit(f"benchmarks.methods: {error}")
