"""The training loop of a detector, from top to bottom, and its scoring."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from vidsgg.detectors.base import RegionDetector
from vidsgg.engine.detector_state import DetectorProgress
from vidsgg.engine.frames import FrameLoader
from vidsgg.engine.randomness import seed_step
from vidsgg.engine.report import rate_text
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.watch import TrainingError
from vidsgg.errors import counted
from vidsgg.metrics.detection import DetectionResult, DetectionScores, LabelledBoxes
from vidsgg.status import hides_bars


@dataclass(frozen=True)
class DetectorFitSettings:
    """epochs: passes over the frames. minutes: end after that long even if epochs remain, and let
    the learning rate follow the clock accordingly; None for no limit. clip_grad: L2 norm of all
    gradients, 0 for no clipping. eval_freq: in epochs.
    """

    epochs: int
    minutes: float | None
    clip_grad: float
    eval_freq: int
    seed: int


@dataclass(frozen=True)
class DetectorFit:
    """best_score: the highest mAP50 on held-out videos, 0..1, and its epoch."""

    best_score: float
    best_epoch: int


def fit_detector(
    detector: RegionDetector,
    loader: FrameLoader,
    validate: Callable[[], DetectionResult],
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
    run: RunFolder,
    settings: DetectorFitSettings,
    save: Callable[[str, int], None],
    keep: Callable[[DetectorProgress], None],
    start: DetectorProgress,
) -> DetectorFit:
    """Train for the given epochs or minutes; the score is the mAP50 on held-out videos.

    save: writes the detector, given a file name for the run's folder and the epoch:
    ``detector_best.pth`` and ``detector_final.pth``. keep: writes what is needed to go on, at the
    start and after every epoch. start: where it stands; detector, optimiser and schedule are what they were then.
    Raises TrainingError when the loss is not finite.
    """
    base_lr = [group["lr"] for group in optimizer.param_groups]
    best_score, best_epoch, loss_mean, step = start.best_score, start.best_epoch, math.nan, start.step
    if start.ended:
        return DetectorFit(best_score, best_epoch)
    began = time.perf_counter() - start.seconds

    def progress() -> float:
        """Share of the run that lies behind, by steps or by the clock, whichever says more."""
        by_clock = (time.perf_counter() - began) / (60 * settings.minutes) if settings.minutes else 0.0
        return max(by_clock, step / schedule.steps)

    def evaluate_and_log(epoch: int) -> None:
        nonlocal best_score, best_epoch
        result = validate()
        run.log(f"Epoch {epoch}/{settings.epochs} - Eval - {result.describe()}")
        run.scalars({"val/mAP50": result.map50, "val/mAP": result.map}, epoch=epoch, step=step)
        ap50 = {
            f"val/AP50/{name}": score
            for name, score in zip(result.classes, result.ap50.tolist(), strict=True)
            if not math.isnan(score)
        }
        run.scalars(ap50, epoch=epoch, step=step)
        schedule.observe(result.map50)
        if result.map50 > best_score:
            best_score, best_epoch = result.map50, epoch
            save("detector_best.pth", epoch)

    def keep_it(epoch: int, *, ended: bool = False) -> None:
        keep(DetectorProgress(epoch, step, time.perf_counter() - began, best_score, best_epoch, ended))

    if not start.epoch:
        keep_it(0)  # before anything else is written: who finds a file of the run finds how to go on, too
    for epoch in range(start.epoch + 1, settings.epochs + 1):
        detector.train()
        started, totals, frames = time.perf_counter(), dict[str, torch.Tensor](), 0
        bar = tqdm(
            loader.batches(epoch),
            total=len(loader),
            desc=f"epoch {epoch}/{settings.epochs}",
            unit="step",
            leave=False,
            disable=hides_bars(),
        )
        for batch in bar:
            if (done := progress()) >= 1:
                break
            seed_step(settings.seed, epoch, step)
            factor = schedule.factor(int(done * schedule.steps))
            for group, lr in zip(optimizer.param_groups, base_lr, strict=True):
                group["lr"] = lr * factor
            device = detector.device
            losses = detector.losses(
                [frame.image for frame in batch],
                [frame.box.to(device) for frame in batch],
                [frame.klass.to(device) for frame in batch],
            )
            losses["total"] = torch.stack(list(losses.values())).sum()
            if not torch.isfinite(losses["total"]):
                raise TrainingError(
                    f"loss is {losses['total'].item()} at step {step} of epoch {epoch}, frames {batch[0].name}, ... Try"
                    " a smaller -lr."
                )
            optimizer.zero_grad(set_to_none=True)
            losses["total"].backward()
            norm = torch.nn.utils.clip_grad_norm_(detector.parameters(), settings.clip_grad or math.inf)
            optimizer.step()
            step += 1
            frames += len(batch)
            for name, value in losses.items():
                # read at the end: no wait for the device here
                totals[name] = totals.get(name, 0.0) + value.detach() * len(batch)
            if step % 20 == 1:
                run.scalars({"train/grad_norm": norm.item(), "train/lr": base_lr[0] * factor}, epoch=epoch, step=step)
                bar.set_postfix(loss=f"{losses['total'].item():.3f}")
        bar.close()
        means = {name: total.item() / max(frames, 1) for name, total in totals.items()}
        loss_mean = means.get("total", loss_mean)
        run.scalars({f"train/loss/{name}": value for name, value in means.items()}, epoch=epoch, step=step)
        each = ", ".join(f"{name} {value:.4f}" for name, value in means.items() if name != "total")
        run.log(
            f"Epoch {epoch}/{settings.epochs} - Loss: {loss_mean:.4f} ({each}) - LR:"
            f" {rate_text(optimizer.param_groups[0]['lr'])} - {counted(frames, 'frame')} - Time:"
            f" {time.perf_counter() - started:.0f}s"
        )
        over = epoch == settings.epochs or progress() >= 1
        if over or epoch % settings.eval_freq == 0:
            evaluate_and_log(epoch)
        if over:
            break
        keep_it(epoch)
    if settings.epochs == 0:
        epoch = 0
        evaluate_and_log(epoch)
    save("detector_final.pth", epoch)
    keep_it(epoch, ended=True)
    return DetectorFit(best_score, best_epoch)


@torch.no_grad()
def score_detector(detector: RegionDetector, loader: FrameLoader, title: str) -> DetectionResult:
    """Average precision over all frames of a loader that does not shuffle. Leaves the detector in
    evaluation mode."""
    detector.eval()
    schema = loader.dataset.schema
    once = schema.object_ids(schema.once_per_frame)
    scores = DetectionScores(detector.classes)
    for batch in tqdm(loader.batches(), total=len(loader), desc=title, unit="batch", leave=False, disable=hides_bars()):
        images = [frame.image for frame in batch]
        found = detector.detect(detector.encode(images, detector.canvas(images))).once(once)
        truth = LabelledBoxes(
            np.repeat(np.arange(len(batch)), [len(frame.box) for frame in batch]),
            torch.cat([frame.klass for frame in batch]).numpy(),
            torch.cat([frame.box for frame in batch]).numpy(),
        )
        columns = (column.cpu().numpy() for column in (found.frame, found.klass, found.box, found.score))
        scores.update(len(batch), truth, LabelledBoxes(*columns))
    return scores.compute()
