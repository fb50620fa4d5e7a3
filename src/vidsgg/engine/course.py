"""The course of a training: which weights learn at which rate, and what has to happen before an
epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from vidsgg.engine.distributed import Team
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.state import TrainingState

Begin = Callable[[RunFolder], None]


class Course:
    """All weights at one rate, and every epoch like the others. Models that are trained otherwise
    have a course of their own.

    lead: epochs at the beginning that prepare the model and do not teach it the task. They run at
    the base rates, before the schedule begins, and are not scored.

    last_stage: the first epoch of the last of several stages. From it on, the best epoch is chosen
    among those of this stage only, and early stopping begins to count, as does the plateau schedule
    anew.
    """

    lead: int = 0
    last_stage: int = 1

    def groups(self, model: nn.Module, lr: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser. lr: the rate that is asked for. A group may have a
        "name", under which its rate is logged."""
        return [{"params": list(model.parameters()), "lr": lr}]

    def optimizer(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> torch.optim.Optimizer:
        """The optimiser of these groups of parameters."""
        return ReferenceAdamW(groups, lr=lr, weight_decay=weight_decay)

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        """Called before the first step of every epoch, and before that of a run that goes on, in
        the middle of one perhaps (``state.batch``).

        It may read data and take its time, and may be interrupted, so it changes nothing; what it
        returns then makes the changes, and logs them. Called in all processes of a team.
        """
        return _nothing

    def factor(self, epoch: int, scheduled: float) -> float:
        """The factor on the learning rates in an epoch (from 1); by default that of the schedule."""
        return scheduled

    def after_step(self, team: Team) -> None:
        """Called after every optimiser step, in all processes of a team: what changes the model
        beside its gradients belongs here."""


class AdamCourse(Course):
    """torch's own AdamW, which without weight decay is Adam, in place of that of STTran's
    authors."""

    def optimizer(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups, lr=lr, weight_decay=weight_decay, fused=True)


class Gathers(Protocol):
    """A model that gathers what it sees over an epoch, and reads it in the next one."""

    def gather(self, add_up: Callable[[Tensor], None]) -> None:
        """Gather what was recorded since the last step. add_up: sums a tensor over all processes,
        in place."""

    def renew_memory(self) -> None:
        """Make of what was gathered what the next epoch reads."""


class GatheringCourse(Course):
    """The memory is renewed when an epoch begins, of what the epoch before gathered: the checkpoint
    of an epoch holds the memory with which it was trained and scored. What the processes of a team
    record is joined after every step, and so is the same in all checkpoints.
    """

    def __init__(self, model: Gathers) -> None:
        self.model = model

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        if state.batch > 0:  # the epoch has begun, before the run was stopped
            return super().before_epoch(state, loader)
        return lambda run: self.model.renew_memory()

    def after_step(self, team: Team) -> None:
        self.model.gather(team.sum_)


def _nothing(run: RunFolder) -> None: ...


ONE_STAGE = Course()
