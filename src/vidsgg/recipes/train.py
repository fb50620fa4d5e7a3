"""One training run, from options to the last checkpoint."""

from __future__ import annotations

import math
import os
from collections.abc import Collection
from contextlib import closing
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidsgg.assembly.data import Splits
from vidsgg.assembly.run_places import absolute_places
from vidsgg.assembly.sources import FeatureSource
from vidsgg.datasets.pair_limits import pair_lines
from vidsgg.datasets.synthetic.known import is_synthetic
from vidsgg.engine.allocation import keep_freed_memory
from vidsgg.engine.checkpoint import Provenance
from vidsgg.engine.checkpoint_files import BEST
from vidsgg.engine.distributed import Team, join_team
from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.fit import AfterEvaluation, CountingModel, FitSettings, fit, fit_counts
from vidsgg.engine.loggers import OpenLogger, find_logger
from vidsgg.engine.randomness import deterministic_algorithms
from vidsgg.engine.report import Monitor
from vidsgg.engine.run_folder import RunFolder, UnwrittenRun, default_path
from vidsgg.engine.state import TrainingState
from vidsgg.errors import CheckpointError, ConfigError, counted
from vidsgg.methods.registry import METHODS, find_method
from vidsgg.methods.training_options import NeuralOptions, TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.options import closest, convert, fields_of, free_options, options_from_environment
from vidsgg.plugins import to_say_again
from vidsgg.recipes.run_parts import (
    Learner,
    Task,
    choose_batch_size,
    make_lessons,
    make_loaders,
    make_model,
    make_task_learner,
    open_features,
)
from vidsgg.recipes.start import Start, find_start, videos_record
from vidsgg.status import say


@dataclass(frozen=True)
class TrainingOutcome:
    """The result of a training run."""

    path: Path  #: the run's folder
    best_score: float  #: the best value of -monitor (by default recall@20 with constraint, 0..1)
    best_epoch: int  #: the epoch that reached it


def train(**options: Any) -> TrainingOutcome:
    """Train a model.

    Args:
        options: any options of ``vidsgg train`` by name, such as ``lr=1e-4``.

    Returns:
        The run's folder (``path``), ``best_score`` (the best validation value of ``-monitor``;
        recall is 0..1) and ``best_epoch``. Load the model with ``vidsgg.load(outcome.path)``.

    Raises:
        ConfigError: an unknown option or value; the message suggests the closest name.
        DataError: a file of the data set cannot be used.
        CheckpointError: a checkpoint cannot be used.
        TrainingError: the training failed, for example because the loss is not finite.
    """
    kind = METHODS.admit(str(options.get("model", TrainOptions.model))).options
    known = fields_of(kind)
    values = {}
    for name, value in options.items():
        if name not in known:
            raise ConfigError(f"vidsgg.train: unknown option {name!r}{closest(name, list(known))}")
        annotation, field = known[name]
        values[name] = convert(name, value, annotation, field.metadata.get("choices", ()))
    values |= options_from_environment(known, "vidsgg.train")
    return run_training(kind(**values), given=values.keys())


def train_model(**options: Any) -> float:
    """Train as :func:`vidsgg.train` does, and return only the best validation score.

    Use it in searches such as Optuna's.
    """
    return train(**options).best_score


def run_training(
    options: TrainOptions,
    splits: Splits | None = None,
    given: Collection[str] | None = None,
    *,
    after_evaluation: AfterEvaluation = lambda epoch, score: None,
    echo: bool = True,
) -> TrainingOutcome:
    """Train as the options say. Everything that can be wrong with them is found before the run's
    folder is made.

    splits: the videos to train and to validate on in place of those that the options name, as
    cross-validation needs them.
    given: names of the options that were asked for, all by default; a run that goes on keeps its
    own where nothing was.
    after_evaluation: as fit. echo: whether the log goes to the screen as well.
    """
    wanted = given if given is not None else {field.name for field in fields(options)}
    if "model" in wanted:
        METHODS.admit(options.model)
    with join_team(options.distributed) as team:
        start = team.first_of_machine_first(lambda: find_start(options, wanted, splits))
        if start.finished:
            assert start.continued is not None and start.continued.checkpoint.continuation is not None
            had, path = start.continued.checkpoint, start.continued.file.parent
            at = start.continued.checkpoint.continuation.progress
            if team.leads:
                say(f"{path} is finished, after epoch {had.epoch}; give more -epochs to continue.")
            return TrainingOutcome(path, math.nan if at.best_score is None else at.best_score, at.best_epoch)
        neural = start.options if isinstance(start.options, NeuralOptions) else None
        with deterministic_algorithms(neural is not None and neural.deterministic):
            return _train(
                start, team, "given by the caller" if splits else _where(start.options.val), after_evaluation, echo
            )


def _train(start: Start, team: Team, held_out: str, after_evaluation: AfterEvaluation, echo: bool) -> TrainingOutcome:
    """One run, from what it starts from to its outcome. held_out: what its validation videos are.

    All parts are made, and so everything that can be wrong is found, before the folder is.
    """
    task = Task.of(start, team)
    if task.device.type == "cpu":
        keep_freed_memory()
    source = open_features(task)
    logger = find_logger(task.options.logger)
    lessons, lesson_lines = make_lessons(task)
    task, size_lines = choose_batch_size(task, source, lessons)
    source_lines = [*_check_source(start, source), *_check_threads(start, torch.get_num_threads())]
    model, model_lines = make_model(task, source)
    train_loader, val_loader = make_loaders(task, source, lessons)
    criterion = task.method.criterion(task.schema, task.network_options)
    learner, learner_lines = make_task_learner(task, model, train_loader)
    lines = [*start.lines, *source_lines, *lesson_lines, *size_lines, *model_lines, *learner_lines]

    def validate() -> tuple[RecallResult, dict[str, float]]:
        exclusive = task.options.exclusive_decoding
        return evaluate_model(
            model, val_loader, task.protocol, criterion=criterion, exclusive=exclusive, title="validate"
        )

    path = team.from_first(_folder(start, task.schema.name))
    provenance = _provenance(task, source)
    folder = _run_folder(task, path, provenance, learner, logger, echo)
    with closing(train_loader), closing(val_loader), folder as run:
        pairs = pair_lines((task.splits.train, task.splits.val))
        for line in (*_description(task, path, model, held_out), *pairs, *source.lines, *lines):
            run.log(line)
        run.log(f"recall: {task.protocol.describe()}{f' ({task.options.remark})' if task.options.remark else ''}")
        if learner is not None:
            assert task.neural is not None
            if start.continued:
                _bring_best(task, learner.state, path, run)
            settings = _fit_settings(task.neural, task.monitor)
            result = fit(
                learner.state,
                criterion,
                train_loader,
                validate,
                run,
                settings,
                provenance,
                after_evaluation,
                learner.course,
            )
        else:
            assert isinstance(model, CountingModel)
            result = fit_counts(model, train_loader, validate, run, task.monitor, provenance, after_evaluation)
        skipped = dict.fromkeys(chain(*team.gather([*train_loader.skipped, *val_loader.skipped])))
        if skipped:
            run.log(
                f"skipped {counted(len(skipped), 'video')} that could not be read; the first: {next(iter(skipped))}"
            )
        run.log(f"best: {task.monitor.text(result.best_score)} after epoch {result.best_epoch}, in {path / BEST}")
    return TrainingOutcome(path, result.best_score, result.best_epoch)


def _provenance(task: Task, source: FeatureSource) -> Provenance:
    """What checkpoints say of how they were made."""
    # Where the run lies is told by the file's own place; without it ``-config .../config.yaml``
    # repeats the run in a new folder.
    config = {
        **task.options.to_dict(),
        "data_path": str(task.start.root),
        "detector": source.name or task.options.detector,
        "save_path": None,
    }
    return Provenance(
        config=absolute_places(config, type(task.options)),
        schema=task.schema,
        widths=source.widths,
        detector=source.detector_record(),
        features=source.kind,
        videos=videos_record(task.splits),
        synthetic=is_synthetic(task.start.root),
        processes=task.team.size,
        threads=torch.get_num_threads(),
        started_in=os.getcwd(),
    )


def _run_folder(
    task: Task, path: Path, provenance: Provenance, learner: Learner | None, logger: OpenLogger, echo: bool
) -> RunFolder:
    """The run's folder, which the first process of a team writes."""
    team, kind, config = task.team, type(task.options), dict(provenance.config)
    again = to_say_again(config, kind)
    if not team.leads:
        return UnwrittenRun(path, team.program, again)
    return RunFolder(
        path,
        {**config, "resume_from": task.start.began_from or task.options.resume_from},
        goes_on_after=learner.state.step if learner and task.start.in_place else None,
        echo=echo,
        logger=logger,
        program=team.program,
        say_again=again,
        may_differ=free_options(kind, "run", config),
    )


def _description(task: Task, path: Path, model: nn.Module, held_out: str) -> list[str]:
    """The first lines of the log: where, on what data, which model."""
    splits, team, threads = task.splits, task.team, torch.get_num_threads()
    on = f"{task.device.type}, in {team.size} processes" if team.size > 1 else str(task.device)
    weights = sum(p.numel() for p in model.parameters())
    return [
        f"run: {path}",
        f"data: {task.start.root} ({task.schema.name}), {counted(len(splits.train), 'video')} to train on, {len(splits.val)} to"
        f" validate on ({held_out})",
        *([f"videos: {splits.train.videos_path}"] if splits.train.videos_path is not None else []),
        f"model: {task.method.label}, {weights:,} parameters, mode {task.options.mode}, on {on}",
        f"threads: {threads}{' in each process' if team.size > 1 else ''}; on a CPU the same bits need the same number",
    ]


def _bring_best(task: Task, state: TrainingState, path: Path, run: RunFolder) -> None:
    """Have the best checkpoint so far in the folder where a run goes on."""
    if task.team.leads and (lost := task.start.bring_best(state, path)):
        run.log(lost)
    state.best_score, state.best_epoch = task.team.from_first((state.best_score, state.best_epoch))


def _fit_settings(options: NeuralOptions, monitor: Monitor) -> FitSettings:
    return FitSettings(
        epochs=options.epochs,
        save_freq=options.save_freq,
        eval_freq=options.eval_freq,
        seed=options.seed,
        monitor=monitor,
        accumulate=options.accumulate_grad_batches,
        save_minutes=options.save_minutes,
        profile=options.profile,
    )


def _folder(start: Start, dataset: str) -> Path:
    options = start.options
    if start.continued and start.in_place:
        return start.continued.file.parent
    return (
        Path(options.save_path)
        if options.save_path
        else default_path(dataset, find_method(options.model).name, options.mode)
    )


def _check_source(start: Start, source: FeatureSource) -> list[str]:
    """Raises CheckpointError if a run would go on with the features of another detector or maker;
    returns a warning if they are rounded otherwise."""
    if start.continued is None:
        return []
    had, file = start.continued.made, start.continued.file
    if had.detector != source.detector_record() or had.widths != source.widths:
        raise CheckpointError(
            f"{file} was trained with another detector than {source.name!r} is now; leave -detector out, or name its"
            " own file with it."
        )
    source.check_makers(had.features, str(file))
    before, now = had.features, source.kind
    return [f"warning: features were {before} and are {now} now: not the same bits"] if before != now else []


def _check_threads(start: Start, threads: int) -> list[str]:
    """A warning if a run goes on with another number of threads than before; checkpoints of version
    0.1.0 do not say theirs."""
    before = (start.continued.made.threads if start.continued else None) or threads
    if before == threads:
        return []
    return [
        f"warning: goes on with {threads} threads instead of {before}: on a CPU not the same bits;"
        f" OMP_NUM_THREADS={before} in the environment brings the number back"
    ]


def _where(val: str) -> str:
    return "the test split, as the original codes do" if val == "test" else "a fixed tenth of the training videos"
