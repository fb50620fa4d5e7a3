"""A search for good options: trials that are training runs, and what they have shown."""

from __future__ import annotations

import gc
import os
import shlex
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from optuna.trial import FrozenTrial

from vidsgg.assembly.data import choose_device, open_splits, resolve_data_path
from vidsgg.charts.search import write_search_charts
from vidsgg.datasets.registry import videos_folder
from vidsgg.engine.checkpoint import newest_checkpoint
from vidsgg.engine.loggers import find_logger
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.run_folder import OUTPUT, RUN_FILES
from vidsgg.engine.run_lock import lock_holder
from vidsgg.errors import ConfigError, Stopped, counted
from vidsgg.io.homes import remove_made
from vidsgg.io.links import check_no_links
from vidsgg.methods.registry import METHODS, find_method, methods
from vidsgg.methods.training_options import NeuralOptions, TrainOptions
from vidsgg.metrics.protocol import protocol_for
from vidsgg.options import fields_of, free_options
from vidsgg.recipes.command_options import TuneOptions
from vidsgg.recipes.train import run_training
from vidsgg.recipes.tune_report import SearchProgress, shown_score, trials_table, value_text, write_table, written
from vidsgg.status import say
from vidsgg.tuning.results import TrialRow, best_of, importances, read_results, trial_row
from vidsgg.tuning.search import ReportScore, run_search
from vidsgg.tuning.space import Choice, Space, grid, parse_search
from vidsgg.tuning.storage import storage_errors, without_password
from vidsgg.tuning.study import open_study

DEFAULT_TRIALS = 20
_OTHER_DATA = "trials on other data or by other scores cannot be compared"
REFUSED = {
    "save_path": "every trial has a folder of its own",
    "resume_from": "trials are new runs",
    "distributed": "a trial runs in one process",
    **dict.fromkeys(("mode", "data_path", "datasize", "val", "monitor"), _OTHER_DATA),
}


@dataclass(frozen=True, eq=False)
class TuningOutcome:
    """folder: of the trials' runs, the table and the charts. rows: as read_results gives them.
    best: the best trial, and command: what repeats it; None and empty if no trial is complete.
    """

    folder: Path
    rows: list[TrialRow]
    best: TrialRow | None
    command: str


def run_tuning(options: TuneOptions, training: TrainOptions, given: Collection[str]) -> TuningOutcome:
    """Run trials until the study has as many as it is to have; several processes may do so at once.

    training: the options of all trials. given: names of those that were asked for. What is wrong
    with them is found before anything is written, except what only some values of the search make
    wrong.
    """
    if training.distributed or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "vidsgg tune: a trial runs in one process, so there is no use for -distributed and torchrun. Start the same"
            " 'vidsgg tune' once for every GPU, each with its own CUDA_VISIBLE_DEVICES: they share the study."
        )
    if training.save_path is not None:
        raise ConfigError(
            "option -save_path: the trials have their folders in output/tune/<study>; name the study with -study."
        )
    space = _space(options.search, training)
    points = len(grid(space)) if options.sampler == "grid" else None
    limit = options.trials or points or DEFAULT_TRIALS
    if points is not None and limit > points:
        raise ConfigError(
            f"option -trials: the grid has {counted(points, 'point')}, so {limit} trials would repeat some."
        )
    name = options.study or f"{training.model}_{training.mode}"
    if Path(name).name != name:
        raise ConfigError(f"option -study: {name!r} cannot be the name of a folder.")
    monitor = _check(training, _models(training, space))
    folder = OUTPUT / "tune" / name
    place = options.storage or str(folder / "study.db")
    free = {*free_options(type(training), "study", training.to_dict()), *space}
    about = {key: value for key, value in training.to_dict().items() if key not in free}
    if options.storage is None:
        check_no_links(Path(place), below=OUTPUT)
    with storage_errors(place):
        study = open_study(
            name, place, space, sampler=options.sampler, pruner=options.pruner, seed=training.seed, options=about
        )
        before = read_results(study)
    if not before and any(folder.glob("trial_*")):
        raise ConfigError(
            f"option -study: {folder} holds trials of a study that is not in {without_password(place)}; remove them, or"
            " name another study."
        )
    progress = SearchProgress(limit, monitor)
    say(
        f"study {name!r} in {without_password(place)}: {counted(limit, 'trial')}, of which there are {len(before)}; their runs:"
        f" {folder}"
    )

    def objective(number: int, values: dict[str, Any], report: ReportScore) -> tuple[float, int]:
        trial, names = trial_options(training, given, values)
        progress.begin(number, values)

        def after_evaluation(epoch: int, score: float) -> None:
            report(epoch, score, epoch >= trial.epochs)

        try:
            placed = _place(trial, folder / f"trial_{number:04d}")
            outcome = run_training(placed, given=names | {"save_path"}, after_evaluation=after_evaluation, echo=False)
        except Stopped as stop:
            raise Stopped(
                f"trial {number}: {str(stop).partition(' Go on with')[0]} The same command goes on with the search.",
                stop.code,
            ) from None
        finally:
            gc.collect()  # a model and its optimiser hold on to each other, and the next trial wants their memory
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return monitor.upward(outcome.best_score), outcome.best_epoch

    def finished(trial: FrozenTrial) -> None:
        progress.end(trial_row(trial), read_results(study))

    with storage_errors(place):
        run_search(study, space, objective, limit, finished, progress.watch)
        rows = read_results(study)
    write_table(folder / "trials.csv", rows, space, monitor)
    label = f"{monitor.title}{' in %' if monitor.rising else ''}"
    files = write_search_charts(
        folder, rows, space, importances(study), label, lambda score: shown_score(score, monitor), value_text
    )
    print(
        f"\n{trials_table(rows, space, monitor)}\n\nin {folder}:"
        f" trials.csv{''.join(f', {file.name}' for file in files)}"
    )
    best = best_of(rows)
    command = ""
    if best is not None and best.score is not None:
        command = train_command(*trial_options(training, given, best.values))
        where = folder / f"trial_{best.number:04d}"
        print(
            f"\nbest: trial {best.number}, {monitor.text(monitor.upward(best.score))} after epoch {best.epoch}, in"
            f" {where}"
        )
        print(f"repeat it with:\n{command}", flush=True)
    return TuningOutcome(folder, rows, best, command)


def trial_options(
    training: TrainOptions, given: Collection[str], values: Mapping[str, Any]
) -> tuple[TrainOptions, frozenset[str]]:
    """The options of a trial, and the names of those that were asked for or searched. Where the
    model is searched, options of other models are left out.
    """
    kind = find_method(values.get("model", training.model)).options
    known = fields_of(kind)
    wanted = {name: getattr(training, name) for name in given if name in known} | dict(values)
    return kind(**wanted), frozenset(wanted)


def train_command(options: TrainOptions, given: Collection[str]) -> str:
    """The command line that trains with these options; those that make no difference are left
    out."""
    plain = options.to_dict()
    words = ["vidsgg", "train"]
    for name, (_, option) in fields_of(type(options)).items():
        if name in given and (plain[name] != option.default or name in ("mode", "model")):
            words += [f"-{name}", str(written(name, plain[name]))]
    return shlex.join(words)


def _models(training: TrainOptions, space: Space) -> tuple[str, ...]:
    """The models of all trials."""
    model = space.get("model", Choice((training.model,)))
    assert isinstance(model, Choice)
    return model.values


def _check(training: TrainOptions, models: Sequence[str]) -> Monitor:
    """Raise now what every trial would raise, whatever its values. Returns what
    trials are scored by."""
    choose_device(training.device)
    find_logger(training.logger)
    root = resolve_data_path(training.data_path)
    splits = open_splits(
        root,
        training.mode,
        datasize=training.datasize,
        val=training.val,
        skip_bad=training.skip_bad,
        max_pairs=training.max_pairs,
        videos_path=videos_folder(training.videos_path),
    )
    schema = splits.train.schema
    for name in models:
        find_method(name).capabilities.check(name, training.mode, schema)
    monitor = training.monitor if isinstance(training, NeuralOptions) else DEFAULT_MONITOR
    return Monitor.of(monitor, protocol_for(schema, training.mode))


def _space(text: str, training: TrainOptions) -> Space:
    """The search space over the options of the model, or over those that all models have that are
    searched."""
    everything = {name: known for entry in methods().values() for name, known in fields_of(entry.options).items()}
    models = _models(training, parse_search(text, everything, REFUSED))
    kinds = [fields_of(METHODS.admit(name).options) for name in models]
    common = {name: known for name, known in kinds[0].items() if all(name in kind for kind in kinds)}
    lacking = dict.fromkeys(everything.keys() - common, f"not an option of {' and '.join(models)}")
    return parse_search(text, common, {**REFUSED, **lacking})


def _place(trial: TrainOptions, folder: Path) -> TrainOptions:
    """The trial's run in its folder: a new one, or the one there that was stopped and can go on."""
    who = lock_holder(folder) if folder.exists() else None
    if who is not None:
        raise ConfigError(
            f"{folder} is being written by {who}: this trial was given up as silent, but is still running."
        )
    if isinstance(trial, NeuralOptions) and newest_checkpoint(folder).path is not None:
        return replace(trial, resume_from=str(folder))
    check_no_links(folder, below=OUTPUT)
    remove_made(folder, RUN_FILES)
    return replace(trial, save_path=str(folder))
