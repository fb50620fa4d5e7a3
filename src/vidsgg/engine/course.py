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
    """The course of a training: all weights at one rate, and all epochs alike. Override what differs."""

    #: Epochs at the beginning that prepare the model and do not teach it the task. They run at the base
    #: rates, before the schedule begins, and are not scored.
    lead: int = 0
    #: First epoch of the last stage. The best epoch is chosen from this stage only; early stopping and
    #: the plateau schedule start counting here.
    last_stage: int = 1

    def groups(self, model: nn.Module, lr: float) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser. lr: the value of ``-lr``. A group may have a ``name``,
        under which its rate is logged."""
        return [{"params": list(model.parameters()), "lr": lr}]

    def optimizer(self, groups: list[dict[str, Any]], lr: float, weight_decay: float) -> torch.optim.Optimizer:
        """The optimiser for these groups of parameters."""
        return ReferenceAdamW(groups, lr=lr, weight_decay=weight_decay)

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        """Called before the first step of every epoch, and of a resumed run, which may start within an
        epoch (``state.batch``).

        It may read data for long and may be interrupted, so it must not change the model. The function
        that it returns makes the changes and logs them. Called in all processes of a team.
        """
        return _nothing

    def factor(self, epoch: int, scheduled: float) -> float:
        """The factor on the learning rates in an epoch (counted from 1); by default the schedule's."""
        return scheduled

    def after_step(self, team: Team) -> None:
        """Called after every optimiser step, in all processes of a team. Put changes of the model that
        do not come from gradients here."""


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
