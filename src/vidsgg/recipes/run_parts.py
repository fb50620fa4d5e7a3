"""What a training run is put together from, by its options: the task, features, lessons, model,
loaders and what learns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from vidsgg.assembly.data import Splits, choose_device, move_to
from vidsgg.assembly.sources import FeatureSource, open_source
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.box_noise import DROPPED, JITTER, BoxNoise
from vidsgg.datasets.curricula import easiest, parse_curriculum
from vidsgg.datasets.partial_labels import PartialLabels, parse_partial_labels
from vidsgg.engine.batch_size import find_batch_size
from vidsgg.engine.course import Course
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.randomness import seed_step
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.state import TrainingState
from vidsgg.engine.takeover import take_over
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.methods.method import Method, network_options
from vidsgg.methods.registry import find_method
from vidsgg.methods.training_options import NeuralOptions, TrainOptions
from vidsgg.metrics.protocol import Protocol, protocol_for
from vidsgg.models.capabilities import Capabilities
from vidsgg.recipes.learner import go_on, make_learner, start_from_word_vectors
from vidsgg.recipes.start import Start
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.schema import Schema


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be learnt, by whom, and what the best epoch is chosen by."""

    start: Start
    team: Team
    method: Method[Any]
    device: torch.device
    protocol: Protocol
    monitor: Monitor

    @property
    def options(self) -> TrainOptions:
        return self.start.options

    @property
    def neural(self) -> NeuralOptions | None:
        """The options of a model that is trained by gradient descent."""
        return self.options if isinstance(self.options, NeuralOptions) else None

    @property
    def splits(self) -> Splits:
        return self.start.splits

    @property
    def schema(self) -> Schema:
        return self.splits.train.schema

    @property
    def abilities(self) -> Capabilities:
        """What the model can do with these options."""
        return self.method.abilities(self.options)

    @property
    def network_options(self) -> TrainOptions:
        """The options by which the network is made and learns."""
        return network_options(self.options, self.schema)

    @property
    def counting(self) -> bool:
        """Whether the model is fitted by one pass over the videos, see Capabilities."""
        return self.abilities.counting

    @staticmethod
    def of(start: Start, team: Team) -> Task:
        """Raises ConfigError if the method cannot do what the options ask."""
        options, schema = start.options, start.splits.train.schema
        method = find_method(options.model)
        device = choose_device(options.device, team)
        abilities = method.abilities(options)
        abilities.check(method.name, options.mode, schema)
        if abilities.counting and start.weights_of is not None:
            raise ConfigError(
                f"option -resume_from: model {method.name} counts its training videos in one pass, so there is nothing"
                " to resume; leave the option out."
            )
        protocol = protocol_for(schema, options.mode)
        asked = options.monitor if isinstance(options, NeuralOptions) else DEFAULT_MONITOR
        monitor = Monitor.of(asked, protocol)
        if not monitor.rising and options.mode != "predcls" and schema.subject_has_box:
            raise ConfigError(
                f"option -monitor: there is no validation loss in mode {options.mode!r}, whose pairs are predicted;"
                " use a recall."
            )
        return Task(start, team, method, device, protocol, monitor)


def open_features(task: Task) -> FeatureSource:
    """Where the features of the videos come from. Raises a VidsggError if they cannot be had."""
    options, splits, abilities = task.options, task.splits, task.abilities
    source = open_source(
        task.start.root,
        task.schema,
        options.mode,
        task.device,
        looks=abilities.needs_detector(options.mode),
        detector=options.detector,
        features=options.features,
        reference_compat=options.reference_compat,
        raw_detections=abilities.raw_detections,
        pictures=abilities.pictures,
        needed=[(splits.val, False)] if task.counting else [(splits.train, True), (splits.val, False)],
        inference=options.inference,
    )
    source.check_inference(options.inference)
    return source


@dataclass(frozen=True, eq=False)
class Lessons:
    """Which of the training videos, and which of their labels, are learnt from when."""

    items: VideoDataset  # the training videos as the method reads them, see Method.items
    stages: list[tuple[int, list[int]]]  # as loaders take them; empty: always all videos
    partial: PartialLabels | None  # None: always all labels
    noise: BoxNoise | None = None  # None: always all boxes, as they are annotated


def make_lessons(task: Task) -> tuple[Lessons, list[str]]:
    """The lessons of -curriculum, -partial_labels, -box_jitter and -drop_boxes, and lines about them
    for the log. Raises ConfigError naming what is wrong."""
    items = task.method.items(task.splits.train)
    stages, stage_lines = _stages(task.neural, items)
    partial, partial_lines = _partial_labels(task.neural, items)
    noise, noise_lines = _box_noise(task.neural, task.schema)
    return Lessons(items, stages, partial, noise), [*stage_lines, *partial_lines, *noise_lines]


def make_model(task: Task, source: FeatureSource) -> tuple[nn.Module, list[str]]:
    """The model on its device with the weights to start from, and lines for the log.

    Raises ConfigError if its options contradict each other or the data.
    """
    start, options, videos = task.start, task.options, task.splits.train
    seed_step(options.seed, 0, 0)
    try:
        model = task.method.build(task.schema, source.widths, task.network_options)
    except ValueError as error:
        raise ConfigError(f"model {task.method.name}: {error}") from error
    lines = [*getattr(model, "remarks", ())]
    if not start.continued:
        lines += task.method.prepare(model, videos, task.network_options)
        if task.neural and task.neural.word_vectors:
            lines.append(start_from_word_vectors(model, Path(task.neural.word_vectors)))
    move_to(model, task.device)
    if start.weights_of:
        lines += take_over(model, start.weights_of.checkpoint.weights).lines()
    return model, lines


def choose_batch_size(task: Task, source: FeatureSource, lessons: Lessons) -> tuple[Task, list[str]]:
    """The task with the batch size that -batch_size auto stands for, and a line about it for the log; as
    it is where a number was given.

    Raises ConfigError for a model that is not trained by gradient descent.
    """
    options, team = task.neural, task.team
    if task.options.batch_size is not None:
        return task, []
    if options is None:
        raise ConfigError(
            f"option -batch_size: model {task.method.name} is not trained by gradient descent, so auto has no"
            " effect; leave the option out."
        )
    sizes = {}
    for index in range(len(lessons.items)):
        with suppress(DataError):  # whoever reads it to learn from it says so
            video = lessons.items.annotation(index)
            sizes[index] = len(video.node_frame) + len(video.pair_frame) + len(video.frame_key)
    if not sizes:
        raise DataError(f"{task.start.root}: no video could be read.")
    one = _with_size(task, 1)
    assert one.neural is not None
    loader, _ = make_loaders(one, source, lessons)
    # The largest that can be read: with -skip_bad one whose pictures cannot is passed over.
    largest_first = sorted(sizes, key=sizes.__getitem__, reverse=True)
    alone = replace(loader, workers=0, team=ALONE, shuffle=False, stages=[(-1, largest_first)])
    model, _ = make_model(one, source)  # one of its own: trying spoils it
    state, _ = make_learner(
        model, one.neural, loader, task.abilities.recomputable, task.method.course(model, one.network_options)
    )
    criterion = task.method.criterion(task.schema, task.network_options)
    clip = next(alone.batches()).clip
    found = find_batch_size(state, criterion, clip, videos=len(sizes) // team.size, sharing=team.local_size)
    told = team.gather(found)
    found = team.from_first(min(told, key=lambda each: each.videos, default=found))
    return _with_size(task, found.videos), [f"batch size: {counted(found.videos, 'video')}, {found.why}"]


def _with_size(task: Task, batch_size: int) -> Task:
    return replace(task, start=replace(task.start, options=replace(task.options, batch_size=batch_size)))


def make_loaders(task: Task, source: FeatureSource, lessons: Lessons) -> tuple[ClipLoader, ClipLoader]:
    """What the training and the validation videos are read by."""
    options, team, learning = task.options, task.team, source
    assert options.batch_size is not None, "choose_batch_size comes first"
    if task.counting:  # counts annotated pairs, whatever has to be guessed later; every process counts all
        learning = open_source(task.start.root, task.schema, "predcls", task.device, looks=False)
    train_loader = learning.loader(
        lessons.items,
        learn=True,
        batch_size=options.batch_size,
        workers=options.num_workers,
        skip_bad=options.skip_bad,
        shuffle=True,
        seed=options.seed,
        stages=lessons.stages,
        team=ALONE if task.counting else team,
        partial=lessons.partial,
        noise=lessons.noise,
    )
    val_loader = source.loader(
        task.splits.val,
        learn=False,
        batch_size=options.batch_size,
        workers=options.num_workers,
        skip_bad=options.skip_bad,
        team=team,
    )
    return train_loader, val_loader


@dataclass(frozen=True, eq=False)
class Learner:
    """A model that learns by gradient descent, where it stands, and its course."""

    state: TrainingState
    course: Course


def make_task_learner(task: Task, model: nn.Module, loader: ClipLoader) -> tuple[Learner | None, list[str]]:
    """What learns, brought to where a run goes on, and lines for the log; None for a counting model.

    Raises ConfigError or CheckpointError if an option or the checkpoint does not suit it.
    """
    options = task.neural
    if options is None:
        return None, []
    course = task.method.course(model, task.network_options)
    state, lines = make_learner(model, options, loader, task.abilities.recomputable, course)
    if task.start.continued:
        lines += go_on(state, task.start.continued, options, loader, course)
    state.update.learn_with(task.team, model)
    return Learner(state, course), lines


def _stages(options: NeuralOptions | None, videos: VideoDataset) -> tuple[list[tuple[int, list[int]]], list[str]]:
    """The stages of -curriculum, as loaders take them, and lines about them for the log. Raises
    ConfigError naming the one that is wrong."""
    if options is None or options.curriculum is None:
        return [], []
    parsed = parse_curriculum(options.curriculum)
    stages = [(stage.start, easiest(videos, stage.level)) for stage in parsed]
    counts = ", ".join(
        f"{stage.level} ({counted(len(chosen), 'video')}) after {counted(start, 'epoch')}"
        for stage, (start, chosen) in zip(parsed, stages, strict=True)
    )
    late = [f"{stage.start}:{stage.level}" for stage in parsed if stage.start >= options.epochs]
    warning = (
        [f"warning: -curriculum: {', '.join(late)} never begins in {counted(options.epochs, 'epoch')}"]
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


def _box_noise(options: NeuralOptions | None, schema: Schema) -> tuple[BoxNoise | None, list[str]]:
    """How boxes are moved and left out in training, and a line about it for the log. Raises ConfigError
    for options that have no effect."""
    if options is None:
        return None, []
    if not (options.layout and schema.subject_has_box):
        for name in ("box_jitter", "drop_boxes"):
            if getattr(options, name) is not None:
                why = "without -features layout" if not options.layout else f"on {schema.name!r}, whose boxes are given"
                raise ConfigError(f"option -{name} does nothing {why}; leave it out.")
        return None, []
    jitter = JITTER if options.box_jitter is None else options.box_jitter
    dropped = DROPPED if options.drop_boxes is None else options.drop_boxes
    if not (jitter or dropped):
        return None, ["boxes: learnt from as they are annotated"]
    line = f"boxes: in training their edges move by {jitter:g} of a side (standard deviation) and {100 * dropped:g} % are left out"
    return BoxNoise(jitter, dropped, options.seed), [line]


def _readable(videos: VideoDataset) -> Iterator[VideoAnnotation]:
    for index in range(len(videos)):
        with suppress(DataError):
            yield videos.annotation(index)
