"""Everything that changes while a model is trained: what has to be saved to go on exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from vidsgg.engine.early_stopping import EarlyStopping
from vidsgg.engine.exchange import Step
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.update import Update

_COUNTERS = ("epoch", "batch", "step", "sums", "videos", "losses", "best_score", "best_epoch")


@dataclass(eq=False)
class TrainingState:
    """Between two optimiser steps, this and the data decide all that follows: what a step draws is a function of seed, epoch and place.

    epoch: the running one, from 1. batch: how many of its batches are done. step: optimiser steps done in all. sums, videos: the loss of
    the running epoch by part, each times its videos, and how many videos. losses: the mean total loss of every finished epoch.
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

    def state_dict(self) -> dict[str, Any]:
        """A checkpoint's content: with what the training guide promises, ``epoch`` (how many are finished) and ``loss`` (of the last)."""
        with self.update.precision.full_weights():
            weights = self.model.state_dict()
        return {
            "epoch": self.epoch - 1,
            "loss": self.losses[-1] if self.losses else None,
            "model_state_dict": weights,
            **self.update.state_dict(),
            "schedule_state_dict": self.schedule.state_dict(),
            "stopping_state_dict": self.stopping.state_dict() if self.stopping else None,
            "training_state": {name: getattr(self, name) for name in _COUNTERS},
        }

    def load_state_dict(self, content: Mapping[str, Any]) -> None:
        """Go on where a checkpoint of the same model, optimiser and options was written."""
        with self.update.precision.full_weights():
            self.model.load_state_dict(content["model_state_dict"])
        self.update.load_state_dict(content)
        self.schedule.load_state_dict(content["schedule_state_dict"])
        if self.stopping and content["stopping_state_dict"]:
            self.stopping.load_state_dict(content["stopping_state_dict"])
        for name in _COUNTERS:
            setattr(self, name, content["training_state"][name])
        device = next(self.model.parameters()).device
        self.sums = {name: value.to(device) for name, value in self.sums.items()}
        self.losses = list(self.losses)
