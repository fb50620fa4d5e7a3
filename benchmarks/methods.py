"""The methods side by side on the synthetic data set: the same budget, the same features, several
seeds.

``python -m benchmarks.methods -data_path DATA -out OUT``. DATA: a set made by ``vidsgg data
synth``, best with its own detector in ``detector.pth`` and features by ``vidsgg features``. Every
model has narrow visual parts, the same widths, optimiser, schedule and epochs; what else it has,
its loss too, is what its method says. The best epoch on held-out training videos is scored on the
test videos. Runs that are finished are not done again, so that a benchmark that was stopped goes
on. The frequency baseline stands beside them.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.command import command
from vidsgg.assembly.detectors import IN_DATA_FOLDER
from vidsgg.cli.command_line import parse
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.files import load_detector
from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import find_method
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.models.oed.backbone import trunk_options
from vidsgg.options import closest, fields_of, option
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.train import run_training

COLUMNS = (("R@20", "with", 20, "R"), ("mR@20", "with", 20, "mR"), ("R@50", "no", 50, "R"), ("mR@50", "no", 50, "mR"))
SHARED = {"hidden_dim": 64, "temporal_layer": 1, "lr": 3e-4, "scheduler": "cosine", "warmup_steps": 50, "eval_freq": 2}
SMALL_SCENELLM = {
    "llm_name": "random:llama:hidden=64,layers=2,heads=4", "llm_lr": 3e-4, "vq_epochs": 10, "vq_lr": 1e-3, "freeze_llm_epochs": 4, "bce_loss": True,
    "token_dim": 256, "codes": 128, "code_hidden": 256, "frame_codes": 64, "max_words": 256, "word_step": 16, "decoder_layer": 1,
    "feedforward_dim": 1024,
}  # fmt: skip
# of OED, which reads pictures. A step reads four frames of a video where the others read all (seventeen on average), so
# it has more epochs. None of them is of stage 2.
SMALL_OED = {
    "heads": 4, "feedforward_dim": 128, "enc_layers": 1, "instance_layers": 2, "relation_layers": 2, "num_queries": 24,
    "oed_topk": "20,12,6", "frames_per_video": 4, "lr": 5e-4, "epochs": 24, "temporal_epochs": 0, "scheduler": "step",
}  # fmt: skip
# Here the last six are: a cosine would leave them hardly any learning rate.
OED_FROM_NOTHING = {"backbone": "resnet18", "short_side": 96, "long_side": 160, "lr": 1e-3, "temporal_epochs": 6}


@dataclass(frozen=True)
class Row:
    """What a row of the table is called, its model, and the options by which it differs from that
    model's defaults. trunk: it reads pictures, and begins with the trunk of the data set's detector."""

    title: str
    model: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    trunk: bool = False


# TEMPURA and STKET are published with binary cross entropy, STTran and DSG-DETR with the multi-label
# margin loss. That alone moves mean recall a lot, so STTran and DSG-DETR stand here with either, and
# TEMPURA without its memory.
ROWS = {
    "frequency": Row("P(predicate given classes)", "frequency"),
    "sttran": Row("STTran", "sttran"),
    "sttran-bce": Row("STTran, binary cross entropy", "sttran", {"bce_loss": True}),
    "tempura": Row("TEMPURA", "tempura"),
    "tempura-no-memory": Row("TEMPURA, no memory", "tempura", {"rel_mem_compute": None}),
    "stket": Row("STKET", "stket"),
    "sttran-partial": Row("STTran, 10 % of the labels (ImparTail)", "sttran", {"partial_labels": "10"}),
    "dsgdetr": Row("DSG-DETR", "dsgdetr"),
    "dsgdetr-bce": Row("DSG-DETR, binary cross entropy", "dsgdetr", {"bce_loss": True}),
    "oed": Row("OED, tiny, stage 1", "oed", SMALL_OED, trunk=True),
    "oed-from-nothing": Row("OED, tiny, both stages, from nothing", "oed", SMALL_OED | OED_FROM_NOTHING),
    "scenellm": Row("SceneLLM (re-implementation), binary cross entropy", "scenellm", SMALL_SCENELLM),
}


@dataclass(frozen=True)
class MethodsOptions:
    data_path: str = option("", "the synthetic data set")
    out: str = option("", "folder for the runs")
    rows: str = option(",".join(ROWS), "rows of the table, with commas between them")
    mode: str = option("predcls", "the task")
    seeds: str = option("0,1,2", "seeds, with commas between them")
    epochs: int = option(8, "passes over the training videos", low=1)
    monitor: str = option("val_recall@20", "what the best epoch is chosen by")
    threads: int = option(1, "threads of this process", low=1)


def settings(options: MethodsOptions, name: str, seed: int) -> TrainOptions:
    """Those of a row of this table."""
    return settings_of(options, ROWS[name], name, seed)


def settings_of(options: MethodsOptions, row: Row, name: str, seed: int) -> TrainOptions:
    """Those of SHARED that the row's model has, and the row's own; the rest as the model's defaults
    say. name: of the run's folder.

    Epochs in which a model learns no relations (stage 1 of SceneLLM) come on top.
    """
    kind = find_method(row.model).options
    epochs = options.epochs + row.changes.get("vq_epochs", 0)
    shared: dict[str, Any] = {**SHARED, "epochs": epochs, "monitor": options.monitor, "seed": seed}
    known: Mapping[str, Any] = fields_of(kind)
    return kind(
        model=row.model,
        mode=options.mode,  # type: ignore[arg-type]
        data_path=options.data_path,
        save_path=str(Path(options.out) / f"{name}_{options.mode}_{seed}"),
        num_workers=0,
        **{
            option: value
            for option, value in shared.items()
            if option in known and not (row.model == "frequency" and option == "epochs")
        }
        | dict(row.changes)
        | (trunk_settings(Path(options.data_path) / IN_DATA_FOLDER[0]) if row.trunk else {}),
    )


def trunk_settings(path: Path) -> dict[str, Any]:
    """Options with which OED sees pictures as a detector does. Raises ConfigError if it is no c4 detector."""
    detector = load_detector(path)
    if not isinstance(detector, FasterRCNN):
        raise ConfigError(f"{path} is no c4 detector; train one with 'vidsgg train-detector', and copy it there.")
    side = detector.config.backbone.short_side
    return {
        **trunk_options(detector.config.backbone), "start_weights": str(path), "short_side": side, "long_side": 2 * side
    }  # fmt: skip


def outcome(run: TrainOptions) -> tuple[RecallResult, float | None]:
    """The score on the test videos, and the seconds that training took if it was done now."""
    folder = Path(str(run.save_path))
    seconds = None
    if not (folder / FINAL).is_file():
        began = time.perf_counter()
        unfinished = (folder / "checkpoint_last.tar").is_file()
        run_training(replace(run, resume_from=str(folder), save_path=None) if unfinished else run)
        seconds = time.perf_counter() - began
    return run_evaluation(EvaluateOptions(checkpoint=str(folder), num_workers=0)).result, seconds


def table(rows: Mapping[str, Sequence[RecallResult]], mode: str) -> str:
    """Markdown, in percent; mean +- standard deviation (n - 1) over the seeds."""
    lines = [
        f"| {mode}, test videos | " + " | ".join(f"{name} ({kind})" for name, kind, *_ in COLUMNS) + " |",
        "| --- |" + " ---: |" * 4,
    ]
    for title, results in rows.items():
        cells = []
        for _, constraint, k, average in COLUMNS:
            values = [100 * result.value(constraint, k, average) for result in results]
            spread = f" +- {statistics.stdev(values):.2f}" if len(values) > 1 else ""
            cells.append(f"{statistics.mean(values):.2f}{spread}")
        lines.append(f"| {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    options = parse(MethodsOptions, argv, prog="benchmarks.methods", description=__doc__)
    torch.set_num_threads(options.threads)
    rows: dict[str, list[RecallResult]] = {name: [] for name in options.rows.split(",")}
    if unknown := [name for name in rows if name not in ROWS]:
        raise ConfigError(f"option -rows: unknown row {unknown[0]!r}{closest(unknown[0], list(ROWS))}")
    seconds: dict[str, list[float]] = {name: [] for name in rows}
    runs = {(name, seed): settings(options, name, seed) for seed in map(int, options.seeds.split(",")) for name in rows}
    # seed by seed, so that a half-done benchmark compares like with like
    for seed in map(int, options.seeds.split(",")):
        for name in rows:
            if name == "frequency" and rows[name]:
                continue
            result, took = outcome(runs[name, seed])
            rows[name].append(result)
            seconds[name] += [] if took is None else [took]
        print(
            "\nafter seed"
            f" {seed}:\n{table({ROWS[name].title: results for name, results in rows.items()}, options.mode)}",
            flush=True,
        )
    for name, took_each in seconds.items():
        if took_each:
            print(f"{ROWS[name].title}: {statistics.mean(took_each):.0f} s a run")


if __name__ == "__main__":
    command("benchmarks.methods", main)
