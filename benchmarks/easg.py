"""STTran on EASG from labels and boxes alone, beside counting: ``python -m benchmarks.easg
-data_path data/easg``.

Every row is trained and scored by the recipes, as ``train.py`` and ``evaluate.py`` do. STTran's
options are those of configs/easg_sttran.yaml, which says how they were chosen. Both models learn
from all training clips (``-val test``: nothing is held out), and no epoch is picked: of a run its
last checkpoint is scored, on the test split (the authors' val).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.sttran import STTranOptions
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.options import option
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.train import run_training

CONFIG = Path(__file__).parents[1] / "configs" / "easg_sttran.yaml"
COLUMNS = [("R@10 (with)", "with", "R"), ("R@10 (no)", "no", "R"), ("mR@10 (with)", "with", "mR")]


@dataclass(frozen=True)
class EasgOptions:
    """Options of this benchmark."""

    data_path: str = option(help="folder of EASG's files")
    seeds: str = option("0,1,2", "seeds of the trained runs, separated by commas")
    out: str | None = option(None, "folder that keeps the runs; by default they are removed")


def runs_of(options: EasgOptions, folder: Path) -> dict[str, list[TrainOptions]]:
    """The runs behind every row of the table: counting once, STTran once for each seed."""
    try:
        seeds = [int(seed) for seed in options.seeds.split(",")]
    except ValueError:
        raise ConfigError(f"option -seeds: expected whole numbers such as 0,1,2, got {options.seeds!r}") from None
    counted = FrequencyOptions(
        model="frequency", val="test", data_path=options.data_path, save_path=str(folder / "frequency")
    )
    trained: list[TrainOptions] = []
    for seed in seeds:
        own = [
            "-data_path",
            options.data_path,
            "-val",
            "test",
            "-seed",
            str(seed),
            "-save_path",
            str(folder / f"sttran_{seed}"),
        ]
        trained.append(parse(STTranOptions, ["-config", str(CONFIG), *own], prog="benchmarks.easg", description=""))
    return {"P(relation given verb, object)": [counted], f"STTran, {len(seeds)} seeds": trained}


def score(run: TrainOptions, exclusive: bool) -> RecallResult:
    """A finished run on the test split; ``exclusive``: decode the direct object jointly over the
    objects of an event."""
    folder = Path(str(run.save_path))
    name = "exclusive" if exclusive else "plain"
    wanted = EvaluateOptions(
        checkpoint=str(folder / "checkpoint_final.tar"), exclusive_decoding=exclusive, save_path=str(folder / name)
    )
    return run_evaluation(wanted).result


def table(rows: dict[tuple[str, str], list[RecallResult]]) -> str:
    """Markdown, in percent; mean +- standard deviation (n - 1) over the runs of a row that has
    several."""
    lines = [
        "| EASG test split | one direct object | " + " | ".join(name for name, *_ in COLUMNS) + " |",
        "| --- | --- |" + " ---: |" * 3,
    ]
    for (model, decoding), results in rows.items():
        cells = []
        for _, constraint, average in COLUMNS:
            values = [100 * result.value(constraint, 10, average) for result in results]
            spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread}")
        lines.append(f"| {model} | {decoding} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def run(options: EasgOptions, folder: Path) -> str:
    """Train everything below ``folder`` and give the table."""
    rows = {}
    for model, runs in runs_of(options, folder).items():
        for one in runs:
            run_training(one)
        for decoding in ("no", "yes"):
            rows[model, decoding] = [score(one, exclusive=decoding == "yes") for one in runs]
    return table(rows)


def main(argv: Sequence[str]) -> None:
    torch.set_num_threads(1)  # the model is narrow: threads would wait for each other
    options = parse(EasgOptions, argv, prog="benchmarks.easg", description=__doc__)
    with tempfile.TemporaryDirectory() as scratch:
        print("\n" + run(options, Path(options.out or scratch)))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except VidsggError as error:
        sys.exit(f"benchmarks.easg: {error}")
