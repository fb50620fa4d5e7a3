"""The training loop, from top to bottom."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.report import log_line, monitored, scalars, short
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.schedule import Schedule
from vidsgg.errors import VidsggError
from vidsgg.io.tensors import save_tensors
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.result import RecallResult
from vidsgg.structures.clip import Clip

Validate = Callable[[], tuple[RecallResult, dict[str, float]]]


class CountingModel(Protocol):
    """A model that is fitted by counting (Capabilities.counting)."""

    def observe(self, clip: Clip) -> None: ...

    def state_dict(self) -> dict[str, Any]: ...


class TrainingError(VidsggError):
    """Training cannot go on; names the video, the step and the last good checkpoint."""


@dataclass(frozen=True)
class FitSettings:
    """epochs; clip_grad: L2 norm of all gradients, 0 for no clipping; save_freq, eval_freq: in epochs."""

    epochs: int
    clip_grad: float
    save_freq: int
    eval_freq: int
    seed: int


@dataclass(frozen=True)
class FitResult:
    """best_score: the highest validation recall@20 (with constraint), 0..1, and its epoch; the last training loss."""

    best_score: float
    best_epoch: int
    last_loss: float


def seed_step(seed: int, epoch: int, step: int) -> None:
    """Make what the coming step draws (dropout) a function of seed, epoch and step alone, whatever was drawn before it."""
    key = random.Random(f"{seed}/{epoch}/{step}").getrandbits(31)
    torch.manual_seed(key)
    np.random.seed(key)  # noqa: NPY002 - libraries that draw from the legacy generator are pinned too
    random.seed(key)


def clip_gradients(model: nn.Module, limit: float) -> torch.Tensor:
    """Scale all gradients down to a joint L2 norm of ``limit`` (0: leave them) and return their norm before that."""
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    norm = nn.utils.get_total_norm(gradients)
    if limit and norm > limit:  # torch's own function multiplies by one otherwise, a pass over all gradients
        nn.utils.clip_grads_with_norm_(model.parameters(), limit, norm)
    return norm


def fit(
    model: nn.Module,
    criterion: RelationCriterion,
    loader: ClipLoader,
    validate: Validate,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    run: RunFolder,
    settings: FitSettings,
    checkpoint_extras: Mapping[str, Any],
) -> FitResult:
    """Train for the given epochs; evaluate, save and log on the way.

    validate: scores the model on held-out videos. checkpoint_extras: what checkpoints hold besides weights and optimiser state.
    Raises TrainingError when the loss is not finite.
    """
    base_lr = [group["lr"] for group in optimizer.param_groups]
    best_score, best_epoch, loss_mean, step = -math.inf, 0, math.nan, 0
    last_saved = "none"

    def save(name: str, epoch: int) -> None:
        nonlocal last_saved
        content = {
            "epoch": epoch,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "schedule_state_dict": schedule.state_dict(),
            "loss": loss_mean,
            "step": step,
            "best_score": best_score,
            "best_epoch": best_epoch,
            **checkpoint_extras,
        }
        save_tensors(run.path / name, content)
        last_saved = name

    def evaluate_and_log(epoch: int) -> None:
        nonlocal best_score, best_epoch
        result, losses = validate()
        score = monitored(result)
        run.log(f"Epoch {epoch}/{settings.epochs} - Eval - {log_line(result)}")
        run.scalars({f"val/loss/{name}": value for name, value in losses.items()}, epoch=epoch, step=step)
        run.scalars({f"val/{name}": value for name, value in scalars(result).items()}, epoch=epoch, step=step)
        schedule.observe(score)
        if score > best_score:
            best_score, best_epoch = score, epoch
            save("checkpoint_best.tar", epoch)

    for epoch in range(1, settings.epochs + 1):
        model.train()
        started, totals, videos = time.perf_counter(), dict[str, torch.Tensor](), 0
        bar = tqdm(
            loader.batches(epoch), total=len(loader), desc=f"epoch {epoch}/{settings.epochs}", unit="step", leave=False, disable=None
        )
        for batch in bar:
            seed_step(settings.seed, epoch, step)
            factor = schedule.factor(step)
            for group, lr in zip(optimizer.param_groups, base_lr, strict=True):
                group["lr"] = lr * factor
            losses = criterion(model(batch.clip), batch.clip)
            loss = losses["total"]
            if not torch.isfinite(loss):
                where = ", ".join(batch.clip.video_ids)
                raise TrainingError(
                    f"loss is {loss.item()} at step {step} of epoch {epoch}, video {where}. Last good checkpoint: {last_saved} in {run.path}."
                    " Try a smaller -lr, more -warmup_steps or a smaller -clip_grad."
                )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = clip_gradients(model, settings.clip_grad)
            optimizer.step()
            step += 1
            videos += batch.clip.videos
            for name, value in losses.items():
                totals[name] = totals.get(name, 0.0) + value.detach() * batch.clip.videos  # read at the end: no wait for the device here
            if step % 20 == 1:
                run.scalars({"train/grad_norm": norm.item(), "train/lr": base_lr[0] * factor}, epoch=epoch, step=step)
                bar.set_postfix(loss=f"{loss.item():.3f}")
        means = {name: total.item() / max(videos, 1) for name, total in totals.items()}
        loss_mean = means["total"]
        run.scalars({f"train/loss/{name}": value for name, value in means.items()}, epoch=epoch, step=step)
        seconds = time.perf_counter() - started
        run.log(
            f"Epoch {epoch}/{settings.epochs} - Loss: {loss_mean:.4f} - LR: {short(optimizer.param_groups[0]['lr'])} - Time: {seconds:.0f}s"
        )
        if epoch % settings.eval_freq == 0 or epoch == settings.epochs:
            evaluate_and_log(epoch)
            for name, parameter in model.named_parameters():
                run.board.add_histogram(f"weights/{name}", parameter.detach().float().cpu(), step)
        if epoch % settings.save_freq == 0:
            save(f"checkpoint_epoch_{epoch}.tar", epoch)
    if settings.epochs == 0:
        evaluate_and_log(0)
    save("checkpoint_final.tar", settings.epochs)
    return FitResult(best_score=best_score, best_epoch=best_epoch, last_loss=loss_mean)


def fit_counts(
    model: CountingModel, loader: ClipLoader, validate: Validate, run: RunFolder, checkpoint_extras: Mapping[str, Any]
) -> FitResult:
    """Fit a model that only counts: one pass over the training videos, one evaluation, one checkpoint."""
    started = time.perf_counter()
    for batch in tqdm(loader.batches(), total=len(loader), desc="count", unit="batch", leave=False, disable=None):
        model.observe(batch.clip)
    run.log(f"Epoch 1/1 - counted {len(loader.dataset)} videos - Time: {time.perf_counter() - started:.0f}s")
    result, losses = validate()
    run.log(f"Epoch 1/1 - Eval - {log_line(result)}")
    run.scalars({f"val/loss/{name}": value for name, value in losses.items()}, epoch=1, step=len(loader))
    run.scalars({f"val/{name}": value for name, value in scalars(result).items()}, epoch=1, step=len(loader))
    score, loss = monitored(result), losses.get("total", math.nan)  # there is none where classes are guessed, see evaluate
    content = {
        "epoch": 1,
        "model_state_dict": model.state_dict(),
        "optimizer_state_dict": {},
        "loss": loss,
        "best_score": score,
        "best_epoch": 1,
        **checkpoint_extras,
    }
    save_tensors(run.path / "checkpoint_best.tar", content)
    save_tensors(run.path / "checkpoint_final.tar", content)
    return FitResult(best_score=score, best_epoch=1, last_loss=loss)
