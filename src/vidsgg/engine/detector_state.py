"""What the training of a detector has to keep to go on exactly: written after every epoch, removed
when the run has ended."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import torch
from torch import Tensor

from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.pretrained import fill
from vidsgg.engine.schedule import Schedule
from vidsgg.errors import CheckpointError, DataError
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.io.untrusted import as_type

STATE = "detector_state.pth"  # in the run's folder
_KIND = "training of a detector"
_Count = Annotated[int, msgspec.Meta(ge=0, lt=2**40)]


@dataclass(frozen=True)
class DetectorProgress:
    """Where a training stands between two epochs."""

    epoch: _Count = 0  # the last one that is done
    step: _Count = 0  # optimiser steps done in all
    seconds: Annotated[float, msgspec.Meta(ge=0)] = 0.0  # that it has taken
    best_score: float = -math.inf  # the highest mAP50 on held-out videos, 0..1
    best_epoch: _Count = 0
    ended: bool = False  # by its last epoch, or by the clock


class _Schedule(msgspec.Struct):
    best: float
    waited: _Count
    reductions: _Count


class _File(msgspec.Struct):
    kind: Literal["training of a detector"]
    progress: DetectorProgress
    weights: dict[str, Tensor]
    optimizer: dict[str, Any]
    schedule: _Schedule


def save_state(
    path: Path,
    progress: DetectorProgress,
    detector: RegionDetector,
    optimizer: torch.optim.Optimizer,
    schedule: Schedule,
) -> None:
    """Raises CheckpointError if the disk is full."""
    content = {
        "kind": _KIND,
        "progress": asdict(progress),
        "weights": detector.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
    }
    save_tensors(path, content)


def load_state(
    path: Path, detector: RegionDetector, optimizer: torch.optim.Optimizer, schedule: Schedule
) -> DetectorProgress:
    """Where a training stood; detector, optimiser and schedule become what they were then.

    Raises CheckpointError if the file is damaged or belongs to another detector.
    """
    content = load_tensors(path)
    try:
        file = as_type(content, _File)
    except DataError as error:
        raise CheckpointError(f"{path} is no state of a detector's training: {error}") from error
    fill(detector, file.weights, str(path))
    # Learning rates and the like are those of the options, not what they were in the last step.
    settings = [{name: value for name, value in group.items() if name != "params"} for group in optimizer.param_groups]
    try:
        optimizer.load_state_dict(file.optimizer)
        for group, values in zip(optimizer.param_groups, settings, strict=True):
            group.update(values)
        _check_moments(optimizer)
    except Exception as error:  # torch takes apart what the file holds unchecked
        raise CheckpointError(f"{path}: its optimiser's state does not fit: {error}") from error
    schedule.load_state_dict(msgspec.structs.asdict(file.schedule))
    return file.progress


def _check_moments(optimizer: torch.optim.Optimizer) -> None:
    """Raises ValueError if what the optimiser keeps of a weight is not of its shape, or lacks the
    number of steps."""
    for group in optimizer.param_groups:
        for weight in group["params"]:
            kept: Mapping[str, Any] = optimizer.state.get(weight, {})
            for name in ("exp_avg", "exp_avg_sq"):
                if kept and getattr(kept.get(name), "shape", None) != weight.shape:
                    raise ValueError(f"{name} of a weight of shape {tuple(weight.shape)} has another one")
            if kept and not isinstance(kept.get("step"), Tensor):
                raise ValueError("a weight has no number of steps")
