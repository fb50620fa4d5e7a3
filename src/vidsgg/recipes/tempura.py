"""TEMPURA's training: its configuration from the options, and its memory over the epochs."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from torch import nn

from vidsgg.engine.course import Begin, Course
from vidsgg.engine.distributed import Team
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.state import TrainingState
from vidsgg.losses.tempura import TempuraLossConfig
from vidsgg.models.tempura import TEMPURA
from vidsgg.models.tempura_config import TempuraConfig
from vidsgg.recipes.model_options import TempuraOptions


def config_of(options: TempuraOptions) -> TempuraConfig:
    """Raises ConfigError for options that need another."""
    guesses = options.mode != "predcls"
    resolved = {
        "tracking": guesses if options.tracking is None else options.tracking,
        "rel_mem_compute": "separate" if options.rel_mem_compute == "seperate" else options.rel_mem_compute,
    }
    return TempuraConfig(**{**_shared(options, TempuraConfig), **resolved})


def losses_of(options: TempuraOptions) -> TempuraLossConfig:
    guesses = options.mode != "predcls"
    named = {"auto": "euc_con" if guesses else None, "none": None}
    resolved = {"mlm": options.mlm or not options.bce_loss, "obj_con_loss": named.get(options.obj_con_loss, options.obj_con_loss)}
    return TempuraLossConfig(**{**_shared(options, TempuraLossConfig), **resolved})


def _shared(options: TempuraOptions, config: type) -> dict[str, Any]:
    """The options that a configuration has under the same name."""
    return {field.name: getattr(options, field.name) for field in fields(config) if hasattr(options, field.name)}


class MemoryCourse(Course):
    """Prototypes are made when an epoch begins, of what the epoch before gathered: the checkpoint of an epoch holds the memory with which
    it was trained and scored. What the processes of a team record is joined after every step, and so is the same in all checkpoints.
    """

    def __init__(self, model: nn.Module) -> None:
        assert isinstance(model, TEMPURA)
        self.model = model

    def before_epoch(self, state: TrainingState, loader: ClipLoader) -> Begin:
        if state.batch > 0:  # the epoch has begun, before the run was stopped
            return super().before_epoch(state, loader)
        return self._renew

    def after_step(self, team: Team) -> None:
        self.model.gather(team.sum_)

    def _renew(self, run: RunFolder) -> None:
        self.model.renew_memory()
