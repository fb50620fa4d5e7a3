"""A search for good options: trials that are training runs, and what they have shown."""

from __future__ import annotations

import csv
import gc
import os
import shlex
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FrozenTrial

from vidsgg.engine.checkpoint import newest_checkpoint
from vidsgg.engine.early_stopping import higher_is_better
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.run_folder import OUTPUT
from vidsgg.engine.run_lock import lock_holder
from vidsgg.errors import ConfigError, Stopped
from vidsgg.options import fields_of
from vidsgg.recipes.build import open_splits, resolve_data_path
from vidsgg.recipes.models import MODELS, model_entry
from vidsgg.recipes.options import NeuralOptions, TrainOptions, TuneOptions
from vidsgg.recipes.tables import columns, duration
from vidsgg.recipes.train import run_training
from vidsgg.tuning.results import TrialRow, best_of, importances, read_results, trial_row
from vidsgg.tuning.search import Report, run_search
from vidsgg.tuning.space import Choice, Space, grid, parse_search
from vidsgg.tuning.storage import shown
from vidsgg.tuning.study import open_study
from vidsgg.viewer.search import write_search_charts

DEFAULT_TRIALS = 20
_OTHER_DATA = "trials on other data or by other scores cannot be compared"
REFUSED = {
    "save_path": "every trial has a folder of its own",
    "resume_from": "trials are new runs",
    "distributed": "a trial runs in one process",
    **dict.fromkeys(("mode", "data_path", "datasize", "val", "monitor"), _OTHER_DATA),
}
# Where and how fast trials run, and what they keep: processes of one study may differ in it.
_FREE = (
    "save_path",
    "data_path",
    "device",
    "num_workers",
    "features",
    "save_freq",
    "save_minutes",
    "profile",
    "deterministic",
    "logger",
    "distributed",
)


@dataclass(frozen=True, eq=False)
class TuningOutcome:
    """folder: of the trials' runs, the table and the charts. rows: as read_results gives them. best: the best trial, and command: what
    repeats it; None and empty if no trial is complete.
    """

    folder: Path
    rows: list[TrialRow]
    best: TrialRow | None
    command: str


def run_tuning(options: TuneOptions, training: TrainOptions, given: Collection[str]) -> TuningOutcome:
    """Run trials until the study has as many as it is to have; several processes may do so at once.

    training: the options of all trials. given: names of those that were asked for. What is wrong with them is found before anything is
    written, except what only some values of the search make wrong.
    """
    if training.distributed or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "vidsgg tune: a trial runs in one process, so there is no use for -distributed and torchrun. Start the same 'vidsgg tune' once for"
            " every GPU, each with its own CUDA_VISIBLE_DEVICES: they share the study."
        )
    if training.save_path is not None:
        raise ConfigError("option -save_path: the trials have their folders in output/tune/<study>; name the study with -study.")
    space = _space(options.search, training)
    points = len(grid(space)) if options.sampler == "grid" else None
    limit = options.trials or points or DEFAULT_TRIALS
    if points is not None and limit > points:
        raise ConfigError(f"option -trials: the grid has {points} points, so {limit} trials would repeat some.")
    name = options.study or f"{training.model}_{training.mode}"
    if Path(name).name != name:
        raise ConfigError(f"option -study: {name!r} cannot be the name of a folder.")
    root = resolve_data_path(training.data_path)
    open_splits(root, training.mode, datasize=training.datasize, val=training.val, skip_bad=training.skip_bad)

    wanted = training.monitor if isinstance(training, NeuralOptions) else DEFAULT_MONITOR
    monitor = Monitor(wanted, "", higher_is_better(wanted))
    folder = OUTPUT / "tune" / name
    place = options.storage or str(folder / "study.db")
    about = {key: value for key, value in training.to_dict().items() if key not in (*_FREE, *space)}
    study = open_study(name, place, space, sampler=options.sampler, pruner=options.pruner, seed=training.seed, options=about)
    before = read_results(study)
    if not before and any(folder.glob("trial_*")):
        raise ConfigError(
            f"option -study: {folder} holds trials of a study that is not in {shown(place)}; remove them, or name another study."
        )
    progress = _Progress(limit, monitor)
    print(f"study {name!r} in {shown(place)}: {limit} trials, of which there are {len(before)}; their runs: {folder}", flush=True)

    def objective(number: int, values: dict[str, Any], report: Report) -> tuple[float, int]:
        trial, names = trial_options(training, given, values)
        progress.begin(number, values)

        def after_evaluation(epoch: int, score: float) -> None:
            report(epoch, score, epoch >= trial.epochs)

        try:
            placed = _place(trial, folder / f"trial_{number:04d}")
            outcome = run_training(placed, given=names | {"save_path"}, after_evaluation=after_evaluation, echo=False)
        except Stopped as stop:
            raise Stopped(
                f"trial {number}: {str(stop).partition(' Go on with')[0]} The same command goes on with the search.", stop.code
            ) from None
        finally:
            gc.collect()  # a model and its optimiser hold on to each other, and the next trial wants their memory
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return monitor.upward(outcome.best_score), outcome.best_epoch

    def finished(trial: FrozenTrial) -> None:
        progress.end(trial_row(trial), read_results(study))

    run_search(study, space, objective, limit, finished, progress.watch)
    rows = read_results(study)
    _write_table(folder / "trials.csv", rows, space, monitor)
    label = f"{monitor.title}{' in %' if monitor.rising else ''}"
    files = write_search_charts(folder, rows, space, importances(study), label, lambda score: _shown(score, monitor))
    print(f"\n{table(rows, space, monitor)}\n\nin {folder}: trials.csv{''.join(f', {file.name}' for file in files)}")
    best = best_of(rows)
    command = ""
    if best is not None and best.score is not None:
        command = train_command(*trial_options(training, given, best.values))
        where = folder / f"trial_{best.number:04d}"
        print(f"\nbest: trial {best.number}, {monitor.text(monitor.upward(best.score))} after epoch {best.epoch}, in {where}")
        print(f"repeat it with:\n{command}", flush=True)
    return TuningOutcome(folder, rows, best, command)


def trial_options(training: TrainOptions, given: Collection[str], values: Mapping[str, Any]) -> tuple[TrainOptions, frozenset[str]]:
    """The options of a trial, and the names of those that were asked for or searched. Where the model is searched, options of other models
    are left out.
    """
    kind = model_entry(values.get("model", training.model)).options
    known = fields_of(kind)
    wanted = {name: getattr(training, name) for name in given if name in known} | dict(values)
    return kind(**wanted), frozenset(wanted)


def train_command(options: TrainOptions, given: Collection[str]) -> str:
    """The command line that trains with these options; those that make no difference are left out."""
    plain = options.to_dict()
    words = ["vidsgg", "train"]
    for name, (_, option) in fields_of(type(options)).items():
        if name in given and (plain[name] != option.default or name in ("mode", "model")):
            words += [f"-{name}", str(plain[name])]
    return shlex.join(words)


def table(rows: Sequence[TrialRow], space: Space, monitor: Monitor) -> str:
    """The trials, the best first."""
    lines = [("trial", "state", monitor.title, "epoch", "time", *space, "")]
    for row in rows:
        score = "" if row.score is None else f"{_shown(row.score, monitor):.2f}" if monitor.rising else f"{_shown(row.score, monitor):.4f}"
        time = "" if row.seconds is None else duration(row.seconds)
        values = (_text(row.values[name]) if name in row.values else "" for name in space)
        lines.append((str(row.number), row.state, score, str(row.epoch or ""), time, *values, _first_sentence(row.message)))
    return "\n".join(columns(lines))


class _Progress:
    """Says when a trial begins and ends, and how long the rest may take."""

    def __init__(self, limit: int, monitor: Monitor) -> None:
        self._limit, self._monitor = limit, monitor

    def begin(self, number: int, values: Mapping[str, Any]) -> None:
        print(f"trial {number}: {' '.join(f'{name}={_text(value)}' for name, value in values.items())}", flush=True)

    def watch(self, numbers: Sequence[int]) -> None:
        names = ", ".join(map(str, numbers))
        print(
            f"nothing left to begin; finding out whether the processes of these trials are alive, for up to a minute: {names}", flush=True
        )

    def end(self, row: TrialRow, rows: Sequence[TrialRow]) -> None:
        """rows: all trials by now."""
        score = "" if row.score is None else f", {self._monitor.text(self._monitor.upward(row.score))} after epoch {row.epoch}"
        time = "" if row.seconds is None else f", {duration(row.seconds)}"
        why = f": {_first_sentence(row.message)}" if row.message else ""
        done = [other for other in rows if other.state in ("complete", "pruned", "failed")]
        running = sum(other.state == "running" for other in rows)
        best = best_of(rows)
        line = f"  {row.state}{score}{time}{why} [{len(done)} of {self._limit}"
        if best is not None and best.score is not None:
            line += f"; best {self._monitor.text(self._monitor.upward(best.score))}, trial {best.number}"
        left = self._limit - len(done)
        if left > 0:
            mean = sum(other.seconds or 0.0 for other in done) / len(done)
            line += f"; about {duration(mean * left / (running + 1))} to go"
        print(f"{line}]", flush=True)


def _space(text: str, training: TrainOptions) -> Space:
    """The search space over the options of the model, or over those that all models have that are searched."""
    everything = {name: known for entry in MODELS.values() for name, known in fields_of(entry.options).items()}
    model = parse_search(text, everything, REFUSED).get("model", Choice((training.model,)))
    assert isinstance(model, Choice)
    kinds = [fields_of(model_entry(name).options) for name in model.values]
    common = {name: known for name, known in kinds[0].items() if all(name in kind for kind in kinds)}
    lacking = dict.fromkeys(everything.keys() - common, f"not an option of {' and '.join(model.values)}")
    return parse_search(text, common, {**REFUSED, **lacking})


def _place(trial: TrainOptions, folder: Path) -> TrainOptions:
    """The trial's run in its folder: a new one, or the one there that was stopped and can go on."""
    who = lock_holder(folder) if folder.exists() else None
    if who is not None:
        raise ConfigError(f"{folder} is being written by {who}: this trial was given up as silent, but is still running.")
    if isinstance(trial, NeuralOptions) and newest_checkpoint(folder).path is not None:
        return replace(trial, resume_from=str(folder))
    if folder.exists():
        shutil.rmtree(folder)
    return replace(trial, save_path=str(folder))


def _write_table(path: Path, rows: Sequence[TrialRow], space: Space, monitor: Monitor) -> None:
    """Raises ConfigError if the file cannot be written."""
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["trial", "state", monitor.name, "epoch", "seconds", *space, "message"])
            for row in sorted(rows, key=lambda row: row.number):
                score = None if row.score is None else monitor.upward(row.score)
                writer.writerow(
                    [row.number, row.state, score, row.epoch, row.seconds, *(row.values.get(name) for name in space), row.message]
                )
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}.") from error


def _shown(score: float, monitor: Monitor) -> float:
    """A score as people read it: recall in percent, a loss as it is."""
    return 100 * score if monitor.rising else monitor.upward(score)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _first_sentence(text: str) -> str:
    """What happened; what to do about it stands in the table's file and in the run's log."""
    return text.partition(". ")[0]
