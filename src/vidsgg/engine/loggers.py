"""Where a run's numbers go besides its own folder: TensorBoard, Weights & Biases, or a class of the
user's."""

from __future__ import annotations

import importlib.util
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
import numpy.typing as npt
from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.io.atomic import write_whole
from vidsgg.io.links import check_no_links, regular_file
from vidsgg.options import closest
from vidsgg.plugins import load_plugin, names_code

LOGGERS = ("tensorboard", "wandb", "none")
_event_files = count()  # of this process


class MetricLogger(Protocol):
    """Writes the values of a run while it runs. Steps are optimiser steps."""

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        """Log values by name, such as ``train/loss/total`` and ``val/with/recall@20``."""

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        """Log distributions by name, such as those of the weights."""

    def flush(self) -> None:
        """Called before every checkpoint: earlier values must not be lost afterwards."""

    def close(self) -> None:
        """Called at the end of the run."""


class OpenLogger(Protocol):
    """How a logger is made, which its class does. goes_on_after: the step after which a run goes
    on, so that values of later steps, logged before it was stopped, no longer count; 0 for one that
    begins again because it had saved nothing; None for a new run."""

    def __call__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> MetricLogger: ...


def find_logger(name: str) -> OpenLogger:
    """name: "tensorboard", "wandb", "none" or "module:Class". Raises ConfigError if there is no
    such logger, or if it is not installed."""
    known: dict[str, OpenLogger] = {"tensorboard": TensorBoardLogger, "wandb": WandbLogger, "none": NoLogger}
    if name == "wandb" and importlib.util.find_spec("wandb") is None:
        raise ConfigError("option -logger: wandb is not installed. Install it with: pip install wandb")
    return known[name] if name in known else _class_of(name)


class NoLogger:
    """Writes nothing; metrics.csv has the scalars in any case."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        pass

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        pass

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        pass

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


class TensorBoardLogger:
    """Event files in the run's folder, for ``tensorboard --logdir output/``.

    Every call writes what it was given. torch's SummaryWriter leaves that to a thread, which learns
    of a full disk later, and prints a traceback of its own. Raises OSError if the disk refuses.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        # Here: importing them takes a second.
        from tensorboard.compat.proto.event_pb2 import Event, SessionLog
        from tensorboard.summary.writer.record_writer import RecordWriter
        from torch.utils.tensorboard.summary import histogram, scalar

        self._event = Event
        self._scalar: Callable[[str, float], object] = scalar
        self._histogram: Callable[[str, npt.NDArray[np.float32], Sequence[float]], object] = histogram
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_event_files)}"
        self._file = open(folder / name, "xb", opener=regular_file)  # noqa: SIM115
        self._records = RecordWriter(self._file)
        step = 0 if goes_on_after is None else goes_on_after + 1
        self._add(step, file_version="brain.Event:2")
        if goes_on_after is not None:  # TensorBoard then drops the values of this step and later ones
            self._add(step, session_log=SessionLog(status=SessionLog.START))
        self.flush()

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        for name, value in values.items():
            self._add(step, summary=self._scalar(name, value))
        self.flush()

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        for name, value in values.items():
            self._add(step, summary=self._histogram(name, value.detach().float().cpu().numpy(), _histogram_bins()))
        self.flush()

    def flush(self) -> None:
        self._records.flush()

    def close(self) -> None:
        self._records.close()

    def _add(self, step: int, **content: Any) -> None:
        self._records.write(self._event(wall_time=time.time(), step=step, **content).SerializeToString())


def _histogram_bins() -> list[float]:
    """TensorBoard's own: each is a tenth wider than the one before, on both sides of 0."""
    positive = 1e-12 * 1.1 ** np.arange(774)
    return [*-positive[::-1], 0.0, *positive]


class WandbLogger:
    """A run of Weights & Biases with the name of the run's folder. A run that goes on goes on there
    too, found by the id in ``wandb_id.txt``.

    Account, project and offline mode are set as its users know: ``wandb login``, WANDB_PROJECT,
    WANDB_MODE=offline.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        import wandb

        check_no_links(folder / "wandb", below=folder)
        self._histogram = wandb.Histogram
        record = folder / "wandb_id.txt"
        known = record.read_text(encoding="utf-8").strip() if goes_on_after is not None and record.exists() else None
        try:
            self._run = wandb.init(
                dir=str(folder),
                name=folder.name,
                config=dict(config),
                id=known,
                resume="allow" if known else None,
                reinit="create_new",
            )
        except wandb.errors.Error as error:
            raise ConfigError(
                f"option -logger: wandb cannot start: {error} Log in with 'wandb login', or set WANDB_MODE=offline."
            ) from error
        write_whole(record, f"{self._run.id}\n")
        # Their own step may only rise, and a run that goes on steps back; so steps are values that
        # curves are drawn over.
        self._run.define_metric("step")
        self._run.define_metric("*", step_metric="step")

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        self._run.log({**values, "epoch": epoch, "step": step})

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        histograms = {name: self._histogram(value.detach().float().cpu().numpy()) for name, value in values.items()}
        self._run.log({**histograms, "epoch": epoch, "step": step})

    def flush(self) -> None:
        pass  # their own process has it already

    def close(self) -> None:
        self._run.finish()


def _class_of(name: str) -> OpenLogger:
    """The class that ``module:Class`` names."""
    if not names_code(name):
        raise ConfigError(
            f"option -logger: {name!r}: there are {', '.join(LOGGERS)} and module:Class for your"
            f" own{closest(name, LOGGERS)}"
        )
    kind = load_plugin("logger", name)
    missing = [
        method for method in ("scalars", "histograms", "flush", "close") if not callable(getattr(kind, method, None))
    ]
    if missing:
        raise ConfigError(
            f"option -logger: {name!r}: it has no method {', '.join(missing)}; see MetricLogger in"
            " vidsgg/engine/loggers.py."
        )
    return cast(OpenLogger, kind)
