"""EASG's three tasks from labels and boxes alone: ``python -m benchmarks.easg -data_path
data/easg``.

Counting and STTran in edge, scene graph and action scene graph classification, with the checks of
benchmarks/easg_checks.py below. Every row is trained and scored by the recipes, as ``train.py`` and
``evaluate.py`` do. STTran's options are those of configs/easg_sttran.yaml in all tasks; it says how
they were chosen, for the first one. Both models learn from all training clips (``-val test``:
nothing is held out), and no epoch is picked: of a run its last checkpoint is scored, on the test
split (the authors' val).
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks import easg_checks
from benchmarks.command import command
from vidsgg.cli.command_line import parse
from vidsgg.datasets.easg import EASG
from vidsgg.errors import ConfigError
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.sttran import STTranOptions
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.options import option
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.train import run_training
from vidsgg.structures.schema import MODES, Mode

CONFIG = Path(__file__).parents[1] / "configs" / "easg_sttran.yaml"
KS = (10, 20, 50)
COLUMNS = [("R@10/20/50 (with)", "with", "R"), ("R@10/20/50 (no)", "no", "R"), ("mR@10/20/50 (with)", "with", "mR")]
COUNTED = "counting"

Row = tuple[str, str, str]  # task, model, whether the direct object is decoded jointly


@dataclass(frozen=True)
class EasgOptions:
    """Options of this benchmark."""

    data_path: str = option(help="folder of EASG's files")
    seeds: str = option("0,1,2", "seeds of the trained runs, separated by commas")
    checks: bool = option(True, "look for leaks, and for what the objects alone tell of the verb")
    out: str | None = option(
        None, "folder that keeps the runs, of which finished ones are not repeated; by default they are removed"
    )


def runs_of(options: EasgOptions, folder: Path) -> dict[tuple[Mode, str], list[TrainOptions]]:
    """The runs behind the rows of the table, by task and model: counting once, STTran once for each
    seed."""
    try:
        seeds = [int(seed) for seed in options.seeds.split(",")]
    except ValueError:
        raise ConfigError(f"option -seeds: expected whole numbers such as 0,1,2, got {options.seeds!r}") from None
    runs: dict[tuple[Mode, str], list[TrainOptions]] = {}
    for mode in MODES:
        place = str(folder / f"frequency_{mode}")
        counting = FrequencyOptions(
            model="frequency", mode=mode, val="test", data_path=options.data_path, save_path=place
        )
        runs[mode, COUNTED] = [counting]
        trained: list[TrainOptions] = []
        for seed in seeds:
            place = str(folder / f"sttran_{mode}_{seed}")
            own = ["-mode", mode, "-data_path", options.data_path, "-val", "test", "-seed", str(seed)]
            words = ["-config", str(CONFIG), *own, "-save_path", place]
            trained.append(parse(STTranOptions, words, prog="benchmarks.easg", description=""))
        runs[mode, f"STTran, {len(seeds)} seeds"] = trained
    return runs


def checkpoint_of(run: TrainOptions) -> Path:
    """The last checkpoint of a run."""
    return Path(str(run.save_path)) / "checkpoint_final.tar"


def score(run: TrainOptions, exclusive: bool) -> RecallResult:
    """A finished run on the test split; ``exclusive``: decode the direct object jointly over the
    objects of an event."""
    place = Path(str(run.save_path)) / ("exclusive" if exclusive else "plain")
    wanted = EvaluateOptions(checkpoint=str(checkpoint_of(run)), exclusive_decoding=exclusive, save_path=str(place))
    return run_evaluation(wanted).result


def table(rows: Mapping[Row, Sequence[RecallResult]]) -> str:
    """Markdown, in percent; mean +- standard deviation (n - 1) over the runs of a row that has
    several."""
    lines = [
        "| task | model | one direct object | " + " | ".join(name for name, *_ in COLUMNS) + " |",
        "| --- | --- | --- |" + " ---: |" * len(COLUMNS),
    ]
    for row, results in rows.items():
        cells = [
            " / ".join(_cell([100 * result.value(constraint, k, average) for result in results]) for k in KS)
            for _, constraint, average in COLUMNS
        ]
        lines.append("| " + " | ".join([*row, *cells]) + " |")
    return "\n".join(lines)


def _cell(values: Sequence[float]) -> str:
    spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.2f}{spread}"


def run(options: EasgOptions, folder: Path) -> str:
    """Train everything below ``folder`` and give the tables. Raises ConfigError for a folder with
    features."""
    if features := EASG(Path(options.data_path), "test").feature_files:
        told = ", ".join(map(str, features.values()))
        raise ConfigError(f"option -data_path: {told} would be read; take a folder with labels and boxes only.")
    rows, runs = dict[Row, list[RecallResult]](), runs_of(options, folder)
    for (mode, model), some in runs.items():
        for one in some:
            if not checkpoint_of(one).exists():
                run_training(one)
        for decoding in ("no", "yes"):
            rows[mode, model, decoding] = [score(one, exclusive=decoding == "yes") for one in some]
    parts = [table(rows)]
    if options.checks:
        trained = {mode: some[0] for (mode, model), some in runs.items() if model != COUNTED}
        parts += easg_checks.tables(trained, folder / "shuffled")
    return "\n\n".join(parts)


def main(argv: Sequence[str]) -> None:
    torch.set_num_threads(1)  # the model is narrow: threads would wait for each other
    options = parse(EasgOptions, argv, prog="benchmarks.easg", description=__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        print("\n" + run(options, Path(options.out or scratch)))


if __name__ == "__main__":
    command("benchmarks.easg", main)
