"""Everything that changes while a model is trained: what has to be saved to go on exactly."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields

from torch import Tensor, nn

from vidsgg.engine.checkpoint import Checkpoint, Continuation, Progress, Provenance, Waited
from vidsgg.engine.early_stopping import EarlyStopping
from vidsgg.engine.exchange import Step
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.update import Update


@dataclass(eq=False)
class TrainingState:
    """Between two optimiser steps, this and the data decide all that follows: what a step draws is
    a function of seed, epoch and place.

    epoch: the running one, from 1. batch: how many of its batches are done. step: optimiser steps
    done in all. sums, videos: the loss of the running epoch by part, each times its videos, and how
    many videos. losses: the mean total loss of every finished epoch.
    best_score, best_epoch: by the monitored value.
    """

    model: nn.Module
    update: Update
    schedule: Schedule
    stopping: EarlyStopping | None = None
    epoch: int = 1
    batch: int = 0
    step: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    videos: int = 0
    losses: list[float] = field(default_factory=list)
    best_score: float | None = None
    best_epoch: int = 0

    def count(self, done: Step, batches: int) -> None:
        """A step is done, and with it so many batches of the epoch."""
        for name, value in done.losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.videos += done.videos
        self.step, self.batch = self.step + 1, batches

    def mean_losses(self) -> dict[str, float]:
        """Of the running epoch, by part."""
        return {name: total.item() / self.videos for name, total in self.sums.items()}

    def close_epoch(self) -> None:
        self.losses.append(self.mean_losses()["total"])
        self.epoch, self.batch, self.sums, self.videos = self.epoch + 1, 0, {}, 0

    def finished(self, epochs: int) -> bool:
        return self.epoch > epochs or (self.stopping is not None and self.stopping.exhausted)

    def checkpoint(self, provenance: Provenance) -> Checkpoint:
        """What has to be saved to go on exactly."""
        with self.update.precision.full_weights():
            weights = self.model.state_dict()
        continuation = Continuation(
            Progress(**{column.name: getattr(self, column.name) for column in fields(Progress)}),
            self.update.optimizer.state_dict(),
            self.update.precision.scaler.state_dict(),
            self.schedule.state_dict(),
            Waited(self.stopping.best, self.stopping.waited) if self.stopping else None,
        )
        return Checkpoint(provenance, weights, self.epoch - 1, self.losses[-1] if self.losses else None, continuation)

    def go_to(self, checkpoint: Checkpoint) -> None:
        """Go on where a checkpoint of the same model, optimiser and options was written."""
        had = checkpoint.continuation
        assert had is not None, "a checkpoint that can be continued"
        with self.update.precision.full_weights():
            self.model.load_state_dict(checkpoint.weights)
        self.update.optimizer.load_state_dict(dict(had.optimizer))
        self.update.precision.scaler.load_state_dict(dict(had.scaler))
        self.schedule.load_state_dict(dict(had.schedule))
        if self.stopping and had.stopping:
            self.stopping.load_state_dict(asdict(had.stopping))
        for column in fields(Progress):
            setattr(self, column.name, getattr(had.progress, column.name))
        device = next(self.model.parameters()).device
        self.sums = {name: value.to(device) for name, value in had.progress.sums.items()}
        self.losses = list(had.progress.losses)
