"""Where a run's numbers go besides its own folder: TensorBoard, Weights & Biases, or a class of the user's."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, cast

from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.options import closest
from vidsgg.plugins import load_plugin, names_code

LOGGERS = ("tensorboard", "wandb", "none")


class MetricLogger(Protocol):
    """What is told of a run while it runs. Names are such as ``train/loss/total`` and ``val/with/recall@20``; steps are optimiser steps."""

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None: ...

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None: ...

    def flush(self) -> None:
        """Called before every checkpoint: what was told before it must not be lost after it."""

    def close(self) -> None: ...


class OpenLogger(Protocol):
    """How a logger is made, which its class does. goes_on_after: the step after which a run goes on, so that later ones that were told before
    it was stopped count no more; None for a new run.
    """

    def __call__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> MetricLogger: ...


def find_logger(name: str) -> OpenLogger:
    """name: "tensorboard", "wandb", "none" or "module:Class". Raises ConfigError if there is no such logger, or if it is not installed."""
    known: dict[str, OpenLogger] = {"tensorboard": TensorBoardLogger, "wandb": WandbLogger, "none": NoLogger}
    if name == "wandb" and importlib.util.find_spec("wandb") is None:
        raise ConfigError("option -logger: wandb is not installed. Install it with: pip install wandb")
    return known[name] if name in known else _class_of(name)


class NoLogger:
    """Tells nobody; metrics.csv has the scalars all the same."""

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
    """Event files in the run's folder, for ``tensorboard --logdir output/``."""

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # here: importing it takes a second

        self._board = SummaryWriter(str(folder), purge_step=None if goes_on_after is None else goes_on_after + 1)

    def scalars(self, values: Mapping[str, float], *, epoch: int, step: int) -> None:
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def histograms(self, values: Mapping[str, Tensor], *, epoch: int, step: int) -> None:
        for name, value in values.items():
            self._board.add_histogram(name, value.detach().float().cpu(), step)

    def flush(self) -> None:
        self._board.flush()

    def close(self) -> None:
        self._board.close()


class WandbLogger:
    """A run of Weights & Biases with the name of the run's folder. A run that goes on goes on there too, found by the id in ``wandb_id.txt``.

    Account, project and offline mode are set as its users know: ``wandb login``, WANDB_PROJECT, WANDB_MODE=offline.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any], *, goes_on_after: int | None) -> None:
        import wandb

        self._histogram = wandb.Histogram
        record = folder / "wandb_id.txt"
        known = record.read_text(encoding="utf-8").strip() if goes_on_after is not None and record.exists() else None
        try:
            self._run = wandb.init(
                dir=str(folder), name=folder.name, config=dict(config), id=known, resume="allow" if known else None, reinit="create_new"
            )
        except wandb.errors.Error as error:
            raise ConfigError(
                f"option -logger: wandb cannot start: {error} Log in with 'wandb login', or set WANDB_MODE=offline."
            ) from error
        record.write_text(f"{self._run.id}\n", encoding="utf-8")
        # Their own step may only rise, and a run that goes on steps back; so steps are values that curves are drawn over.
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
            f"option -logger: {name!r}: there are {', '.join(LOGGERS)} and module:Class for one of your own{closest(name, LOGGERS)}"
        )
    kind = load_plugin("logger", name)
    missing = [method for method in ("scalars", "histograms", "flush", "close") if not callable(getattr(kind, method, None))]
    if missing:
        raise ConfigError(f"option -logger: {name!r}: it has no method {', '.join(missing)}; see MetricLogger in vidsgg/engine/loggers.py.")
    return cast(OpenLogger, kind)
