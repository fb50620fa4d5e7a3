"""What learns in a run of gradient descent: a model with its precision, optimiser, schedule and
early stopping, from the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import torch
from torch import nn

from vidsgg.assembly.saved_run import SavedRun
from vidsgg.engine.course import ONE_STAGE, Course
from vidsgg.engine.distributed import Team
from vidsgg.engine.early_stopping import EarlyStopping
from vidsgg.engine.fit import steps_of_epoch
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.precision import Precision
from vidsgg.engine.recompute import recompute_layers
from vidsgg.engine.report import rate_text
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.state import TrainingState
from vidsgg.engine.update import Update
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.word_vectors import read_word_vectors
from vidsgg.methods.training_options import NeuralOptions
from vidsgg.models.layers.class_embedding import ClassEmbedding, word_of


def make_learner(
    model: nn.Module,
    options: NeuralOptions,
    loader: ClipLoader,
    recomputable: Sequence[str],
    course: Course = ONE_STAGE,
) -> tuple[TrainingState, list[str]]:
    """The state before the first step, and lines for the log. The model must be on its device, with
    the weights to start from.

    recomputable: see Capabilities. Raises ConfigError if an option does not suit the model or the
    device.
    """
    lines = []
    if options.grad_checkpointing:
        if not recomputable:
            raise ConfigError(
                f"option -grad_checkpointing: model {options.model!r} has no layers that could be computed twice."
            )
        lines.append(
            f"gradient checkpointing: {recompute_layers(model, recomputable)} layers are computed again in the backward"
            " pass"
        )
    precision = Precision(model, options.opt_level if options.use_amp else "O0")
    lines += precision.remarks()
    if options.opt_level != NeuralOptions.opt_level and not options.use_amp:
        lines.append(f"warning: -opt_level {options.opt_level} does nothing without -use_amp True")
    schedule = make_schedule(options, loader, course)
    if schedule.warmup < options.warmup_steps:
        lines.append(
            f"warning: -warmup_steps {options.warmup_steps} shortened to {schedule.warmup}, a tenth of this run's"
            f" {schedule.steps} steps"
        )
    groups = [{**group, "params": precision.updated(group["params"])} for group in course.groups(model, options.lr)]
    optimizer = course.optimizer(groups, options.lr, options.weight_decay)
    assert options.batch_size is not None
    videos = options.batch_size * options.accumulate_grad_batches * loader.team.size
    update = Update(optimizer, precision, clip_grad=options.clip_grad, videos=videos)
    stopping = EarlyStopping(options.patience, options.min_delta, options.monitor) if options.patience else None
    return TrainingState(model, update, schedule, stopping), lines


def make_schedule(options: NeuralOptions, loader: ClipLoader, course: Course = ONE_STAGE) -> Schedule:
    """The learning rates of a run; a warm-up that would fill it is shortened to a tenth of it."""
    of_epoch = [
        steps_of_epoch(epoch, loader, options.accumulate_grad_batches) for epoch in range(1, options.epochs + 1)
    ]
    lead, steps = sum(of_epoch[: course.lead]), sum(of_epoch[course.lead :])
    warmup = steps // 10 if steps and options.warmup_steps >= steps else options.warmup_steps
    return Schedule(options.scheduler, steps, warmup, lead, list(accumulate(of_epoch[course.lead :])))


def go_on(
    state: TrainingState, run: SavedRun, options: NeuralOptions, loader: ClipLoader, course: Course = ONE_STAGE
) -> list[str]:
    """Bring the state to where a run was stopped; returns lines for the log. Raises CheckpointError
    if it does not fit."""
    try:
        state.go_to(run.checkpoint)
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{run.file} cannot be continued: {' '.join(str(error).split())[:300]}") from error
    assert isinstance(run.options, NeuralOptions)
    had = replace(loader, team=Team(size=run.made.processes))
    lines = _with_other_processes(state, had, loader) if had.team.size != loader.team.size else []
    before, now = (
        schedule.factor(state.step) * options.lr
        for schedule in (make_schedule(run.options, had, course), state.schedule)
    )
    if before != now:
        longer = options.epochs != run.options.epochs
        why = f"-epochs {options.epochs} instead of {run.options.epochs}" if longer else "other batches"
        lines.append(
            f"warning: with {why} the {options.scheduler} schedule is one over {state.schedule.steps} steps: the next"
            f" learning rate is {rate_text(now)}, not {rate_text(before)}"
        )
    return lines


def _with_other_processes(state: TrainingState, had: ClipLoader, loader: ClipLoader) -> list[str]:
    """Find the place in the running epoch again, now that a batch is of other videos; lines for the
    log."""
    videos = len(loader.order(state.epoch))
    read = min(videos, state.batch * had.batch_size * had.team.size)
    state.batch = loader.steps(state.epoch) if read == videos else read // (loader.batch_size * loader.team.size)
    again = max(0, read - state.batch * loader.batch_size * loader.team.size)
    return [
        f"warning: goes on in {loader.team.size} process{'es' * (loader.team.size > 1)} instead of {had.team.size}, so"
        f" that a batch is of {loader.batch_size * loader.team.size} videos instead of {had.batch_size * had.team.size}"
        + (f"; {again} of epoch {state.epoch} are seen twice" if again else "")
    ]


def start_from_word_vectors(model: nn.Module, path: Path) -> str:
    """Start the class embeddings of a model from a file of word vectors; returns a line for the
    log."""
    tables = [module for module in model.modules() if isinstance(module, ClassEmbedding)]
    words = {word_of(name) for table in tables for name in table.names}
    vectors = read_word_vectors(path, words, tables[0].embedding_dim)
    lacking = {
        name
        for table in tables
        for name in table.start_from({word: torch.from_numpy(v) for word, v in vectors.items()})
    }
    return (
        f"word vectors: {len(words) - len(lacking)} of {len(words)} class names from {path}; kept their own start:"
        f" {', '.join(sorted(lacking)) or 'none'}"
    )
