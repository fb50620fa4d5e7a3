"""Checkpoints of runs: what is in one, how it stands in its file, and which of a run's folder it can
go on from.

This module alone knows the keys of the file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta
from torch import Tensor

from vidsgg.datasets.older import schema_of_names
from vidsgg.detectors.record import DetectorRecord
from vidsgg.engine.checkpoint_files import LAST, SHARED
from vidsgg.errors import CheckpointError, DataError, short
from vidsgg.io.records import read_shared, write_record
from vidsgg.io.tensors import check_intact, load_tensors, save_tensors
from vidsgg.io.untrusted import as_type
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

Plain: TypeAlias = bool | int | float | str | None
_Count = Annotated[int, Meta(ge=0, lt=2**53)]
# What nothing but training reads.
_TO_GO_ON = ("optimizer_state_dict", "scaler_state_dict", "schedule_state_dict")
_REQUIRED = ("epoch", "model_state_dict", "config")


@dataclass(frozen=True, eq=False)
class Provenance:
    """What a model was made from: the same in all checkpoints of a run."""

    config: Mapping[str, Plain]  # the run's options, see TrainOptions.to_dict
    schema: Schema  # the classes, and the rules by which graphs are made
    widths: FeatureWidths | None = None  # of the features that the model reads; None: not recorded
    # the one that looked at the pictures; None if nothing did, or it is not known
    detector: DetectorRecord | None = None
    features: str | None = None  # whether they were stored, and with which precision
    # of "train" and "val" how many, and a digest of their names
    videos: Mapping[str, str] = field(default_factory=dict)
    synthetic: bool | None = None  # whether the pictures are drawn; None: not recorded
    processes: int = 1  # that trained together
    threads: int | None = None  # of every process; None: not recorded
    started_in: str | None = None  # the folder in which the run was started; None: not recorded
    imported_from: str | None = None  # name of the authors' file; None of a run of ours


@dataclass(frozen=True, eq=False)
class Progress:
    """How far a run had come."""

    epoch: _Count  # the running one, from 1
    batch: _Count  # batches of it that are done
    step: _Count  # optimiser steps in all
    sums: dict[str, Tensor]  # loss of the running epoch by part, each times its videos
    videos: _Count  # of the running epoch so far
    losses: list[float]  # mean total loss of every finished epoch
    best_score: float | None  # of the monitored value
    best_epoch: _Count


@dataclass(frozen=True)
class Waited:
    """How early stopping stood."""

    best: float | None
    waited: _Count  # evaluations without progress


@dataclass(frozen=True, eq=False)
class Continuation:
    """What a run needs, besides its weights, to go on exactly. optimizer, scaler, schedule: their
    state dicts."""

    progress: Progress
    optimizer: Mapping[str, Any]
    scaler: Mapping[str, Any]
    schedule: Mapping[str, Any]
    stopping: Waited | None = None  # None without early stopping


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A trained model, and what it was made from."""

    provenance: Provenance
    weights: Mapping[str, Tensor]  # the model's state dict
    epoch: int  # how many are finished
    loss: float | None = None  # mean of the last epoch
    continuation: Continuation | None = None  # None of models that were imported, or fitted by counting

    @property
    def schema(self) -> Schema:
        return self.provenance.schema

    @property
    def position(self) -> tuple[int, int, int]:
        """How far it has come: epoch, batch in the epoch, step; zeros for one that cannot be
        continued."""
        at = self.continuation.progress if self.continuation else None
        return (at.epoch, at.batch, at.step) if at else (0, 0, 0)

    def to_dict(self) -> dict[str, Any]:
        """The content of a file: tensors and plain values.

        ``epoch``, ``model_state_dict``, ``optimizer_state_dict``, ``loss`` and ``config`` are what
        the training guide promises.
        """
        made, going_on = self.provenance, self.continuation
        content = {
            "epoch": self.epoch,
            "loss": self.loss,
            "model_state_dict": self.weights,
            "optimizer_state_dict": going_on.optimizer if going_on else {},
            "config": dict(made.config),
            "schema": made.schema.to_dict(),
            "feature_widths": None if made.widths is None else asdict(made.widths),
            "detector": None if made.detector is None else asdict(made.detector),
            "features": made.features,
            "videos": dict(made.videos),
            "synthetic": made.synthetic,
            "processes": made.processes,
            "threads": made.threads,
            "started_in": made.started_in,
        }
        if made.imported_from is not None:
            content["imported_from"] = made.imported_from
        if going_on:
            content |= {
                "scaler_state_dict": going_on.scaler,
                "schedule_state_dict": going_on.schedule,
                "stopping_state_dict": None if going_on.stopping is None else asdict(going_on.stopping),
                "training_state": dict(vars(going_on.progress)),
            }
        return content

    def save(self, path: Path) -> None:
        """Write the file whole or not at all. Raises CheckpointError if it cannot be written."""
        save_tensors(path, self.to_dict())

    def save_shared(self, path: Path) -> None:
        """Write the weights and what they were made from for others. Raises OSError."""
        content = replace(self, continuation=None).to_dict()
        weights = content.pop("model_state_dict")
        content["loss"] = self.loss if self.loss is not None and math.isfinite(self.loss) else None
        write_record(path, weights, content)

    @staticmethod
    def load(path: Path, *, mmap: bool = False, to_go_on: bool = True) -> Checkpoint:
        """Read a file of ours, also one of version 0.1.0. mmap: as load_tensors. to_go_on: False
        leaves out the optimiser's state, two thirds of the file, and the weights on the disk until
        they are read; then no run can go on from it.

        Raises CheckpointError as load_tensors does, if the file is of another kind, and if it is of
        version 0.1.0 and does not say enough of its classes.
        """
        if path.suffix == Path(SHARED).suffix:
            weights, about = read_shared(path, "model of vidsgg")
            content = {**about, "model_state_dict": weights}
        else:
            content = load_tensors(path, mmap=mmap, without=() if to_go_on else _TO_GO_ON)
        if any(key not in content for key in _REQUIRED):
            raise CheckpointError(
                f"{path} is not a checkpoint of vidsgg: it lacks some of {', '.join(_REQUIRED)}."
                " A file of a method's authors is converted by 'vidsgg import-checkpoint'."
            )
        try:
            file: _File = as_type(content, _File)
            schema = _schema_of(file)
        except DataError as error:
            raise CheckpointError(f"{path} is damaged or was not written by vidsgg: {error}") from error
        if schema is None:
            raise CheckpointError(f"{path} {_no_schema(file)}")
        return _checkpoint_of(file, content, schema)


class _Names(msgspec.Struct):
    """``vocabulary``: class names, by which version 0.1.0 recorded what a model was trained on."""

    objects: list[str]
    subjects: list[str]
    predicates: dict[str, list[str]]


class _File(msgspec.Struct):
    """A file's keys. What else is in it is left alone."""

    epoch: _Count
    model_state_dict: dict[str, Tensor]
    config: dict[str, Plain]
    loss: float | None = None
    schema: dict[str, Any] | None = None
    vocabulary: _Names | None = None
    feature_widths: FeatureWidths | None = None
    detector: DetectorRecord | None = None
    features: str | None = None
    videos: dict[str, str] | None = None
    synthetic: bool | None = None
    processes: Annotated[int, Meta(ge=1, le=100_000)] = 1
    threads: _Count | None = None
    started_in: str | None = None
    imported_from: str | None = None
    optimizer_state_dict: dict[str, Any] | None = None
    scaler_state_dict: dict[str, Any] | None = None
    schedule_state_dict: dict[str, Any] | None = None
    stopping_state_dict: Waited | None = None
    training_state: Progress | None = None


def _checkpoint_of(file: _File, content: Mapping[str, Any], schema: Schema) -> Checkpoint:
    # State dicts are taken as they lie in the file: torch keeps versions in attributes of theirs.
    provenance = Provenance(
        config=file.config,
        schema=schema,
        widths=file.feature_widths,
        detector=file.detector,
        features=file.features,
        videos=file.videos or {},
        synthetic=file.synthetic,
        processes=file.processes,
        threads=file.threads,
        started_in=file.started_in,
        imported_from=file.imported_from,
    )
    continuation = None
    if file.training_state is not None:
        optimizer, scaler, schedule = (
            content.get(f"{part}_state_dict") or {} for part in ("optimizer", "scaler", "schedule")
        )
        continuation = Continuation(file.training_state, optimizer, scaler, schedule, file.stopping_state_dict)
    return Checkpoint(provenance, content["model_state_dict"], file.epoch, file.loss, continuation)


def _schema_of(file: _File) -> Schema | None:
    """The schema that a file holds, or the one that the names in a file of version 0.1.0 stand for;
    None if there is none."""
    if file.schema is not None:
        return Schema.from_dict(file.schema)
    if file.vocabulary is None:
        return None
    widths = file.feature_widths or FeatureWidths()
    # by the data set's own files
    brought = {"object": widths.node, "action": widths.action} if file.detector is None else {}
    return schema_of_names(
        msgspec.structs.asdict(file.vocabulary), {name: width for name, width in brought.items() if width}
    )


def _no_schema(file: _File) -> str:
    if file.vocabulary is None:
        return "does not say which classes its model was trained with; train it again."
    named = ", ".join(map(short, file.vocabulary.objects[1:4]))
    return (
        "was written by version 0.1.0, which kept the names of classes alone, and these belong to no data set that it"
        f" knew ({named}, ...): how predicates exclude each other and who may be a subject is not in it. Train it"
        " again."
    )


@dataclass(frozen=True)
class Newest:
    """The checkpoint of a folder that has come furthest and is whole; None if there is none.
    damaged: what was found before it, a line each."""

    path: Path | None
    damaged: tuple[str, ...]


def newest_checkpoint(folder: Path) -> Newest:
    """What a run can go on from. Its content says how far a checkpoint has come: clocks and
    file times do not matter."""
    positions, damaged = {}, []
    for path in folder.glob("checkpoint_*.tar"):
        try:
            positions[path] = Checkpoint.load(path, mmap=True).position
        except CheckpointError as error:
            damaged.append(str(error))
    for path in sorted(positions, key=lambda path: (positions[path], path.name == LAST), reverse=True):
        try:
            check_intact(path)
            return Newest(path, tuple(damaged))
        except CheckpointError as error:
            damaged.append(str(error))
    return Newest(None, tuple(damaged))
