"""Checkpoints of runs: what must be in one, and which one a run's folder offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from torch import Tensor

from vidsgg.errors import CheckpointError, DataError
from vidsgg.io.tensors import check_intact, load_tensors
from vidsgg.io.untrusted import as_type

# ``epoch``, ``model_state_dict``, ``optimizer_state_dict``, ``loss`` and ``config`` are what the training guide promises.
REQUIRED = ("epoch", "model_state_dict", "config")
BEST, LAST, FINAL = "checkpoint_best.tar", "checkpoint_last.tar", "checkpoint_final.tar"


_Count = Annotated[int, Meta(ge=0, lt=2**53)]


class _State(msgspec.Struct):
    """``training_state``: how far a run had come."""

    epoch: _Count
    batch: _Count
    step: _Count
    sums: dict[str, Tensor]
    videos: _Count
    losses: list[float]
    best_score: float | None
    best_epoch: _Count


class _Waiting(msgspec.Struct):
    """``stopping_state_dict``: of early stopping."""

    best: float | None
    waited: _Count


class _Names(msgspec.Struct):
    """``vocabulary``: the class names that the model was trained with."""

    objects: list[str]
    subjects: list[str]
    predicates: dict[str, list[str]]


class _Content(msgspec.Struct):
    """What of a checkpoint is read outside of the model. What else is in it is left alone."""

    epoch: _Count
    model_state_dict: dict[str, Tensor]
    config: dict[str, bool | int | float | str | None]
    loss: float | None = None
    vocabulary: _Names | None = None
    schema: dict[str, Any] | None = None
    feature_widths: dict[str, _Count] | None = None
    detector: dict[str, Any] | None = None
    features: Any = None
    videos: dict[str, str] | None = None
    synthetic: bool | None = None
    processes: Annotated[int, Meta(ge=1, le=100_000)] = 1
    training_state: _State | None = None
    stopping_state_dict: _Waiting | None = None
    schedule_state_dict: dict[str, Any] | None = None
    optimizer_state_dict: dict[str, Any] | None = None


def load_checkpoint(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """A checkpoint of ours. Raises CheckpointError as load_tensors does, and if it is of another kind."""
    content = load_tensors(path, mmap=mmap)
    if any(key not in content for key in REQUIRED):
        raise CheckpointError(
            f"{path} is not a checkpoint of vidsgg: it lacks some of {', '.join(REQUIRED)}."
            " A file of a method's authors is converted by 'vidsgg import-checkpoint'."
        )
    try:
        as_type(content, _Content)
    except DataError as error:
        raise CheckpointError(f"{path} is damaged or was not written by vidsgg: {error}") from error
    return content


def find_checkpoint(path: Path) -> Path:
    """``path`` itself, or in a run's folder its best checkpoint, else its final one, else the last of a run that was stopped."""
    if not path.is_dir():
        return path
    for name in (BEST, FINAL, LAST):
        if (path / name).exists():
            return path / name
    raise CheckpointError(f"{path} holds none of {BEST}, {FINAL}, {LAST}; name a checkpoint file or a run's folder.")


@dataclass(frozen=True)
class Newest:
    """The checkpoint of a folder that has come furthest and is whole; None if there is none. damaged: what was found before it, a line each."""

    path: Path | None
    damaged: tuple[str, ...]


def newest_checkpoint(folder: Path) -> Newest:
    """What a run can go on from. How far a checkpoint has come is told by what is in it: clocks and file times do not matter."""
    positions, damaged = {}, []
    for path in folder.glob("checkpoint_*.tar"):
        try:
            positions[path] = position(load_checkpoint(path, mmap=True))
        except CheckpointError as error:
            damaged.append(str(error))
    for path in sorted(positions, key=lambda path: (positions[path], path.name == LAST), reverse=True):
        try:
            check_intact(path)
            return Newest(path, tuple(damaged))
        except CheckpointError as error:
            damaged.append(str(error))
    return Newest(None, tuple(damaged))


def position(content: Mapping[str, Any]) -> tuple[int, int, int]:
    """How far a checkpoint has come: epoch, batch in the epoch, step; zeros for one that cannot be continued."""
    state = content.get("training_state") or {}
    return tuple(state.get(name, 0) for name in ("epoch", "batch", "step"))
