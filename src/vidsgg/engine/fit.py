"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from tqdm import tqdm

from vidsgg.engine.checkpoint import Checkpoint, Provenance
from vidsgg.engine.checkpoint_files import BEST, FINAL, LAST
from vidsgg.engine.course import ONE_STAGE, Course
from vidsgg.engine.distributed import Team
from vidsgg.engine.gpu import GpuMeter
from vidsgg.engine.loading import ClipLoader, NoBatch
from vidsgg.engine.profile import profiled_steps
from vidsgg.engine.randomness import seed_step
from vidsgg.engine.report import Monitor, evaluation_scalars, log_line, rate_text
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.signals import StopRequested, StopSignals
from vidsgg.engine.state import TrainingState
from vidsgg.engine.watch import Watch
from vidsgg.errors import DataError, Stopped, counted
from vidsgg.losses.criterion import Criterion
from vidsgg.metrics.result import RecallResult
from vidsgg.status import hides_bars
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import check_logits

Validate = Callable[[], tuple[RecallResult, dict[str, float]]]
AfterEvaluation = Callable[[int, float], None]
T = TypeVar("T")
LOG_EVERY = 20  # steps
UNSTABLE = "Try a smaller -lr, more -warmup_steps or a smaller -clip_grad."


@runtime_checkable
class CountingModel(Protocol):
    """A model that is fitted by counting (Capabilities.counting)."""

    def observe(self, clip: Clip) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class FitSettings:
    """epochs; save_freq, eval_freq: in epochs. save_minutes: between checkpoints within an epoch, 0
    for one after every step.
    accumulate: batches per optimiser step. monitor: what the best epoch is chosen by. profile:
    measure the first steps.
    """

    epochs: int
    save_freq: int
    eval_freq: int
    seed: int
    monitor: Monitor
    accumulate: int = 1
    save_minutes: float = 15.0
    profile: bool = False


@dataclass(frozen=True)
class FitResult:
    """best_score: the best monitored value (for recall the highest, 0..1) and its epoch; the last
    training loss."""

    best_score: float
    best_epoch: int
    last_loss: float


def fit(
    state: TrainingState,
    criterion: Criterion,
    loader: ClipLoader,
    validate: Validate,
    run: RunFolder,
    settings: FitSettings,
    provenance: Provenance,
    after_evaluation: AfterEvaluation = lambda epoch, score: None,
    course: Course = ONE_STAGE,
) -> FitResult:
    """Train from where ``state`` stands to the last epoch; evaluate, save and log on the way.

    validate: scores the model on held-out videos. provenance: what checkpoints say of the run.
    after_evaluation: called with the epoch and the monitored score (higher is better) once
    everything is saved; an exception that it raises ends the run. course: called before every epoch
    and after every step. Raises TrainingError when a loss or gradient is not finite, memory runs
    out or a worker dies, CheckpointError when the disk is full, and Stopped, after saving, when a
    signal asks to stop."""
    model, update, schedule, team = state.model, state.update, state.schedule, loader.team
    watch = Watch(run, update.clip_grad, computes=loader.extractor is not None)
    gpu = GpuMeter(next(model.parameters()).device)
    if gpu.note:
        run.log(gpu.note)

    def save(*names: str) -> None:
        run.save(names, state.checkpoint(provenance))
        watch.last_saved = names[-1]

    def evaluate_and_log(epoch: int) -> dict[str, float]:
        """The values of an evaluation, after schedule, early stopping and the choice of the best
        have read them."""
        with stop.at_once(), update.precision.full_weights():
            result, losses = validate()
        run.log(f"Epoch {epoch}/{settings.epochs} - Eval - {log_line(result)}")
        values = evaluation_scalars(result, losses)
        score = values[settings.monitor.key]
        schedule.observe(settings.monitor.upward(score))
        if state.stopping and epoch >= course.last_stage and state.stopping.observe(score):
            run.log(
                f"early stopping: {state.stopping.patience} evaluations without progress in {settings.monitor.name}"
            )
        best_is_of_earlier_stage = state.best_epoch < course.last_stage <= epoch
        if best_is_of_earlier_stage or settings.monitor.better(score, state.best_score):
            state.best_score, state.best_epoch = score, epoch
        return {f"val/{name}": value for name, value in values.items()}

    def report(values: Mapping[str, float], epoch: int) -> None:
        after_evaluation(epoch, settings.monitor.upward(values[f"val/{settings.monitor.key}"]))

    with (
        _saving_when_stopped(run, state, save, team) as stop,
        watch.explaining(),
        profiled_steps(run.path if settings.profile and team.leads else None) as step_done,
    ):
        whole: str | None = None  # the checkpoint of where the run stands, once an epoch has ended
        while not state.finished(settings.epochs):
            epoch, started = state.epoch, time.monotonic()
            saved = started
            if epoch == course.last_stage and state.batch == 0:
                schedule.forget_scores()
            with stop.at_once(), update.precision.full_weights():
                begin = course.before_epoch(state, loader)
            with update.precision.full_weights():
                begin(run)
            model.train()
            watch.open_epoch()
            bar = tqdm(
                watch.reading(loader.places(epoch, first=state.batch)),
                desc=f"epoch {epoch}/{settings.epochs}",
                initial=state.batch,
                total=loader.steps(epoch),
                unit="batch",
                leave=False,
                disable=team.hides_progress,
            )
            for group in _groups(iter(bar), settings.accumulate):
                for batch in group:
                    if isinstance(batch, NoBatch):
                        continue
                    watch.at(batch, state.step, epoch)
                    seed_step(settings.seed, epoch, batch.number, team.rank)
                    with update.precision.autocast():
                        logits = model(batch.clip)
                    check_logits(logits, batch.clip)
                    losses = criterion(logits, batch.clip)
                    if not torch.isfinite(losses["total"]):
                        raise watch.error(f"loss is {losses['total'].item()}", UNSTABLE)
                    update.add(losses, batch.clip.videos)
                done = update.step(course.factor(epoch, schedule.factor(state.step)), stop=stop.requested)
                course.after_step(team)
                if not math.isfinite(done.norm) and not update.precision.scaler.is_enabled():
                    raise watch.error(f"the norm of the gradients is {done.norm}", UNSTABLE)
                state.count(done, batches=batch.number + 1)
                watch.stepped(done.norm)
                step_done()
                if state.step % LOG_EVERY == 1 and done.videos:
                    run.scalars({"train/grad_norm": done.norm, **update.rates()}, epoch=epoch, step=state.step)
                    bar.set_postfix(loss=f"{done.losses['total'].item() / done.videos:.3f}")
                    gpu.sample()
                if done.stop:
                    stop.stop()
                if time.monotonic() - saved >= 60 * settings.save_minutes and state.batch < loader.steps(epoch):
                    save(LAST)
                    saved = time.monotonic()

            if not state.videos:
                raise DataError(f"{loader.dataset.root}: no video could be read in epoch {epoch}.")
            if differing := update.settle():
                run.log(
                    f"warning: processes had come to differ in {differing}; all go on with the weights and buffers of"
                    " the first"
                )
            means = state.mean_losses()
            seconds = time.monotonic() - started
            run.log(
                f"Epoch {epoch}/{settings.epochs} - Loss: {means['total']:.4f} - LR: {rate_text(update.lr)} - Time:"
                f" {seconds:.0f}s"
            )
            values = {f"train/loss/{name}": value for name, value in means.items()} | gpu.scalars()
            evaluated = (epoch > course.lead and epoch % settings.eval_freq == 0) or epoch == settings.epochs
            if evaluated:
                values |= evaluate_and_log(epoch)
            state.close_epoch()
            warm = _first_warm_epoch(schedule.warmup, loader, settings, course.lead)
            values["time/waiting_for_data"] = watch.close_epoch(epoch, state.losses[course.lead :], warm)
            run.scalars(values, epoch=epoch, step=state.step)
            if evaluated:
                run.histograms(
                    {f"weights/{name}": weight for name, weight in model.named_parameters() if weight.requires_grad},
                    epoch=epoch,
                    step=state.step,
                )
            best = (BEST,) if evaluated and state.best_epoch == epoch else ()
            kept = (f"checkpoint_epoch_{epoch}.tar",) if epoch % settings.save_freq == 0 else ()
            save(*best, *kept, LAST)
            whole = LAST
            if evaluated:
                report(values, epoch)

        if settings.epochs == 0:
            values = evaluate_and_log(0)
            run.scalars(values, epoch=0, step=0)
            save(BEST)
            whole = BEST
            report(values, 0)
        if whole is None:  # nothing was left to do
            save(FINAL)
        else:
            run.name_again(whole, FINAL)
    score, loss = state.best_score, state.losses[-1:]
    return FitResult(math.nan if score is None else score, state.best_epoch, loss[0] if loss else math.nan)


@contextmanager
def _saving_when_stopped(
    run: RunFolder, state: TrainingState, save: Callable[..., None], team: Team
) -> Iterator[StopSignals]:
    """Inside, a signal to stop is a StopRequested at the next chance; it ends as Stopped, with
    everything saved."""
    with StopSignals(launched=team.size > 1) as stop:
        try:
            yield stop
        except StopRequested as request:
            save(LAST)
            message = (
                f"stopped by {request.signal.name} at step {state.step} of epoch {state.epoch}: saved. Go on with:"
                f" {run.resume_command}"
            )
            run.log(message, shown=False)  # the error says it
            raise Stopped(message, 128 + request.signal) from None


def steps_of_epoch(epoch: int, loader: ClipLoader, accumulate: int) -> int:
    """Optimiser steps; the last may be of fewer batches."""
    return math.ceil(loader.steps(epoch) / accumulate)


def _first_warm_epoch(warmup: int, loader: ClipLoader, settings: FitSettings, lead: int) -> int:
    """The first epoch that begins after the warm-up, from 1; those of the lead are not counted."""
    steps = accumulate(
        (steps_of_epoch(epoch, loader, settings.accumulate) for epoch in range(lead + 1, settings.epochs + 1)),
        initial=0,
    )
    return 1 + sum(before < warmup for before in steps)


def _groups(items: Iterator[T], size: int) -> Iterator[Iterator[T]]:
    """Groups of ``size``, the last perhaps smaller; each is to be read to its end before the next.
    Nothing is read ahead."""
    for first in items:
        yield chain([first], islice(items, size - 1))


def fit_counts(
    model: CountingModel,
    loader: ClipLoader,
    validate: Validate,
    run: RunFolder,
    monitor: Monitor,
    provenance: Provenance,
    after_evaluation: AfterEvaluation = lambda epoch, score: None,
) -> FitResult:
    """Fit a model that only counts: one pass over the training videos, one evaluation, one
    checkpoint. after_evaluation: as fit."""
    started = time.monotonic()
    for batch in tqdm(
        loader.batches(), total=len(loader), desc="count", unit="batch", leave=False, disable=hides_bars()
    ):
        model.observe(batch.clip)
    run.log(f"Epoch 1/1 - counted {counted(len(loader.dataset), 'video')} - Time: {time.monotonic() - started:.0f}s")
    result, losses = validate()
    run.log(f"Epoch 1/1 - Eval - {log_line(result)}")
    values = evaluation_scalars(result, losses)
    run.scalars({f"val/{name}": value for name, value in values.items()}, epoch=1, step=len(loader))
    # there is none where classes are guessed, see evaluate
    score, loss = values[monitor.key], losses.get("total", math.nan)
    checkpoint = Checkpoint(provenance, model.state_dict(), epoch=1, loss=loss)
    run.save((BEST, FINAL), checkpoint)
    after_evaluation(1, monitor.upward(score))
    return FitResult(best_score=score, best_epoch=1, last_loss=loss)
