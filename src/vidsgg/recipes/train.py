"""One training run, from options to the last checkpoint."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, fields
from itertools import chain
from pathlib import Path
from typing import Any

import torch

from vidsgg.assembly.data import Splits, choose_device, move_to
from vidsgg.assembly.run_places import absolute_places
from vidsgg.assembly.sources import FeatureSource, open_source
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.curricula import easiest, parse_curriculum
from vidsgg.datasets.partial_labels import PartialLabels, parse_partial_labels
from vidsgg.datasets.synthetic.known import is_synthetic
from vidsgg.engine.checkpoint import BEST, Provenance
from vidsgg.engine.distributed import ALONE, Team, join_team
from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.fit import AfterEvaluation, CountingModel, FitSettings, fit, fit_counts
from vidsgg.engine.loggers import find_logger
from vidsgg.engine.randomness import deterministic_algorithms, seed_step
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.run_folder import RunFolder, UnwrittenRun, default_path
from vidsgg.engine.takeover import take_over
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.methods.registry import METHODS, find_method
from vidsgg.methods.training_options import NeuralOptions, TrainOptions
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.options import closest, convert, fields_of, free_options, options_from_environment
from vidsgg.plugins import to_say_again
from vidsgg.recipes.learner import go_on, make_learner, start_from_word_vectors
from vidsgg.recipes.start import Start, find_start, videos_record
from vidsgg.structures.annotation import VideoAnnotation


@dataclass(frozen=True)
class TrainingOutcome:
    """path: the run's folder. best_score: the best value of -monitor (recall@20 with constraint,
    0..1), reached at best_epoch."""

    path: Path
    best_score: float
    best_epoch: int


def train(**options: Any) -> TrainingOutcome:
    """Train with any options of ``vidsgg train`` by name; returns the run's folder (``path``),
    ``best_score`` and ``best_epoch``.

    best_score: the best validation value of -monitor, of recall a fraction of 1.
    ``vidsgg.load(outcome.path)`` is the model. Raises ConfigError for an unknown option or value,
    naming the closest; DataError, CheckpointError and TrainingError as ``vidsgg train`` reports
    them.
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
    """As ``train``; returns the best validation score alone, for searches by Optuna and its kin."""
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
                print(f"{path} is finished, after epoch {had.epoch}; give more -epochs to go on.")
            return TrainingOutcome(path, math.nan if at.best_score is None else at.best_score, at.best_epoch)
        neural = start.options if isinstance(start.options, NeuralOptions) else None
        with deterministic_algorithms(neural is not None and neural.deterministic):
            return _train(
                start, team, "given by the caller" if splits else _where(start.options.val), after_evaluation, echo
            )


def _train(start: Start, team: Team, held_out: str, after_evaluation: AfterEvaluation, echo: bool) -> TrainingOutcome:
    options, root, splits = start.options, start.root, start.splits
    entry = find_method(options.model)
    device = choose_device(options.device, team)
    schema = splits.train.schema
    capabilities = entry.capabilities
    capabilities.check(entry.name, options.mode, schema)
    if capabilities.counting and start.weights_of is not None:
        raise ConfigError(
            f"option -resume_from: model {entry.name} counts its training videos in one pass, so that it has nothing to"
            " go on from; leave the option out."
        )
    protocol = protocol_for(schema, options.mode)
    neural = options if isinstance(options, NeuralOptions) else None
    monitor = Monitor.of(neural.monitor if neural else DEFAULT_MONITOR, protocol)
    if not monitor.rising and options.mode != "predcls" and schema.subject_has_box:
        raise ConfigError(
            f"option -monitor: there is no validation loss in mode {options.mode!r}, whose pairs are guessed; use a"
            " recall."
        )
    source = open_source(
        root,
        schema,
        options.mode,
        device,
        looks=capabilities.needs_detector(options.mode),
        detector=options.detector,
        features=options.features,
        reference_compat=options.reference_compat,
        raw_detections=capabilities.raw_detections,
        needed=[(splits.val, False)] if capabilities.counting else [(splits.train, True), (splits.val, False)],
    )
    logger = find_logger(options.logger)
    items = entry.items(splits.train)
    stages, stage_lines = _stages(neural, items)
    partial, partial_lines = _partial_labels(neural, items)
    threads = torch.get_num_threads()
    lines = [*start.lines, *_check_source(start, source), *_check_threads(start, threads), *stage_lines, *partial_lines]

    seed_step(options.seed, 0, 0)
    try:
        model = entry.build(schema, source.widths, options)
    except ValueError as error:
        raise ConfigError(f"model {entry.name}: {error}") from error
    lines += getattr(model, "remarks", ())
    if not start.continued:
        lines += entry.prepare(model, splits.train, options)
    if neural and neural.word_vectors and not start.continued:
        lines.append(start_from_word_vectors(model, Path(neural.word_vectors)))
    move_to(model, device)
    if start.weights_of:
        lines += take_over(model, start.weights_of.checkpoint.weights).lines()

    batch_size, workers, skip_bad = options.batch_size, options.num_workers, options.skip_bad
    # What is counted are annotated pairs, whatever has to be guessed later.
    learning = open_source(root, schema, "predcls", device, looks=False) if capabilities.counting else source
    learning_team = ALONE if capabilities.counting else team  # counting is quickly done by everybody
    train_loader = learning.loader(
        items,
        learn=True,
        batch_size=batch_size,
        workers=workers,
        skip_bad=skip_bad,
        shuffle=True,
        seed=options.seed,
        stages=stages,
        team=learning_team,
        partial=partial,
    )
    val_loader = source.loader(
        splits.val, learn=False, batch_size=batch_size, workers=workers, skip_bad=skip_bad, team=team
    )
    criterion = entry.criterion(schema, options)
    state = None
    if neural:
        course = entry.course(model, options)
        state, learner_lines = make_learner(model, neural, train_loader, capabilities.recomputable, course)
        lines += learner_lines
        if start.continued:
            lines += go_on(state, start.continued, neural, train_loader, course)
        state.update.learn_with(team, model)

    path = team.from_first(_folder(start, schema.name))
    # Where the run lies is told by the file's own place; without it ``-config .../config.yaml``
    # repeats the run in a new folder.
    config = {
        **options.to_dict(),
        "data_path": str(root),
        "detector": source.name or options.detector,
        "save_path": None,
    }
    config = absolute_places(config, type(options))
    provenance = Provenance(
        config=config,
        schema=schema,
        widths=source.widths,
        detector=source.detector_record(),
        features=_kind_of_features(source),
        videos=videos_record(splits),
        synthetic=is_synthetic(root),
        processes=team.size,
        threads=threads,
        started_in=os.getcwd(),
    )

    def validate() -> tuple[RecallResult, dict[str, float]]:
        return evaluate_model(
            model, val_loader, protocol, criterion=criterion, exclusive=options.exclusive_decoding, title="validate"
        )

    goes_on_after = state.step if state and start.in_place else None
    if team.leads:
        shown = {**config, "resume_from": start.began_from or options.resume_from}
        again = to_say_again(config, type(options))
        folder = RunFolder(
            path,
            shown,
            goes_on_after=goes_on_after,
            echo=echo,
            logger=logger,
            program=team.program,
            say_again=again,
            may_differ=free_options(type(options), "run"),
        )
    else:
        folder = UnwrittenRun(path, team.program, to_say_again(config, type(options)))
    with closing(train_loader), closing(val_loader), folder as run:
        run.log(f"run: {path}")
        run.log(
            f"data: {root} ({schema.name}), {len(splits.train)} videos to train on, {len(splits.val)} to validate on"
            f" ({held_out})"
        )
        on = f"{device.type}, in {team.size} processes" if team.size > 1 else str(device)
        run.log(
            f"model: {entry.label}, {sum(p.numel() for p in model.parameters()):,} parameters, mode {options.mode}, on"
            f" {on}"
        )
        run.log(
            f"threads: {threads}{' in each process' if team.size > 1 else ''}; on a CPU the same bits need the same"
            " number"
        )
        for line in (*source.lines, *lines):
            run.log(line)
        run.log(f"recall: {protocol.describe()}{f' ({options.remark})' if options.remark else ''}")
        if state and start.continued:
            if team.leads and (lost := start.bring_best(state, path)):
                run.log(lost)
            state.best_score, state.best_epoch = team.from_first((state.best_score, state.best_epoch))
        if state and neural:
            settings = FitSettings(
                epochs=neural.epochs,
                save_freq=neural.save_freq,
                eval_freq=neural.eval_freq,
                seed=neural.seed,
                monitor=monitor,
                accumulate=neural.accumulate_grad_batches,
                save_minutes=neural.save_minutes,
                profile=neural.profile,
            )
            result = fit(state, criterion, train_loader, validate, run, settings, provenance, after_evaluation, course)
        else:
            assert isinstance(model, CountingModel)
            result = fit_counts(model, train_loader, validate, run, monitor, provenance, after_evaluation)
        skipped = dict.fromkeys(chain(*team.gather([*train_loader.skipped, *val_loader.skipped])))
        if skipped:
            run.log(f"skipped {len(skipped)} videos that could not be read; the first: {next(iter(skipped))}")
        run.log(f"best: {monitor.text(result.best_score)} after epoch {result.best_epoch}, in {path / BEST}")
    return TrainingOutcome(path, result.best_score, result.best_epoch)


def _stages(options: NeuralOptions | None, videos: VideoDataset) -> tuple[list[tuple[int, list[int]]], list[str]]:
    """The stages of -curriculum, as loaders take them, and lines about them for the log. Raises
    ConfigError naming the one that is wrong."""
    if options is None or options.curriculum is None:
        return [], []
    parsed = parse_curriculum(options.curriculum)
    stages = [(stage.start, easiest(videos, stage.level)) for stage in parsed]
    counts = ", ".join(
        f"{stage.level} ({len(chosen)} videos) after {start} epochs"
        for stage, (start, chosen) in zip(parsed, stages, strict=True)
    )
    late = [f"{stage.start}:{stage.level}" for stage in parsed if stage.start >= options.epochs]
    warning = (
        [f"warning: -curriculum: {', '.join(late)} never begins in {options.epochs} epochs"]
        if late and options.epochs
        else []
    )
    return stages, [f"curriculum: {counts}", *warning]


def _partial_labels(options: NeuralOptions | None, videos: VideoDataset) -> tuple[PartialLabels | None, list[str]]:
    """The draws of -partial_labels, and a line about the first for the log. Raises ConfigError for
    a percent that is wrong, or options that have no effect without it.
    """
    if options is None:
        return None, []
    if options.partial_labels is None:
        for name in ("partial_scope", "partial_masked", "partial_draw", "partial_distribution"):
            if getattr(options, name) != getattr(NeuralOptions, name):
                raise ConfigError(f"option -{name} does nothing without -partial_labels; give it too, or leave it out.")
        return None, []
    percents, compat = parse_partial_labels(options.partial_labels), options.reference_compat
    readable = _readable(videos) if options.skip_bad else videos
    partial = PartialLabels(
        readable,
        videos.schema.vocabulary,
        percents,
        options.seed,
        keep_distribution=options.partial_distribution == "same",
        scope=("frame" if compat else "label") if options.partial_scope == "auto" else options.partial_scope,
        redraw=not compat if options.partial_draw == "auto" else options.partial_draw == "epoch",
        masked=("negative" if compat else "ignore") if options.partial_masked == "auto" else options.partial_masked,
    )
    how = f"by {partial.scope}, what takes no part {'counts as negative' if partial.masked == 'negative' else 'is not read'}"
    return partial, [f"labels: {partial.summary(1)} ({how})"]


def _readable(videos: VideoDataset) -> Iterator[VideoAnnotation]:
    for index in range(len(videos)):
        with suppress(DataError):
            yield videos.annotation(index)


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
    """Raises CheckpointError if a run would go on with the features of another detector; returns a
    warning if they are rounded otherwise."""
    if start.continued is None:
        return []
    had, file = start.continued.made, start.continued.file
    if had.detector != source.detector_record() or had.widths != source.widths:
        raise CheckpointError(
            f"{file} was trained with another detector than {source.name!r} is now; leave -detector out, or name its"
            " own file with it."
        )
    before, now = had.features, _kind_of_features(source)
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


def _kind_of_features(source: FeatureSource) -> str:
    return f"stored as {source.store.dtype}" if source.store else "computed as they are needed"


def _where(val: str) -> str:
    return "the test split, as the original codes do" if val == "test" else "a fixed tenth of the training videos"
