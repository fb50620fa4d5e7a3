"""Functions that ``import vidsgg`` offers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vidsgg.assembly.data import open_split, resolve_data_path
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.datasets.base import VideoDataset
from vidsgg.metrics.result import RecallResult


def load(
    path: str | Path,
    *,
    device: str = "auto",
    detector: str | None = None,
    method: str | None = None,
    classes: str | Path | None = None,
    label_map: str | Path | None = None,
) -> TrainedModel:
    """The trained model of a run's folder (its best checkpoint), of a checkpoint file, or of
    ``hf://ORG/NAME`` on the Hugging Face hub.

    device: auto (the first CUDA device, else the CPU), cpu, cuda, ... detector: a name or a file,
    by default the one that the model was
    trained with. method: needed where the model is code of your own, ``package.module:METHOD``; a
    checkpoint never chooses code. classes, label_map: files that say what the labels of the detector
    are, and which class of the model each of them is, for models that read boxes and classes alone.
    Raises CheckpointError if there is no such checkpoint or it is damaged; ConfigError if it is of
    another method.
    """
    return TrainedModel.load(
        path, device=device, detector=detector, method=method, classes=classes, label_map=label_map
    )


def open_dataset(
    path: str | Path,
    split: Literal["train", "val", "test"] = "test",
    mode: Literal["predcls", "sgcls", "sgdet"] = "predcls",
    *,
    skip_bad: bool = False,
) -> VideoDataset:
    """Annotated videos of a folder; which data set it is follows from its files. "synthetic" stands
    for the built-in one.

    split: the test split, the held-out tenth of the training videos (val), or the other training
    videos. mode: what models are given
    of the annotation: boxes and classes, boxes, or nothing; ``evaluate`` takes care of the model's.
    skip_bad: leave out videos that cannot be read. Raises DataError naming the folder or file,
    ConfigError for a mode that the data set lacks.
    """
    return open_split(resolve_data_path(str(path)), mode, split, datasize="large", skip_bad=skip_bad)


def evaluate(
    model: TrainedModel, dataset: VideoDataset, *, batch_size: int = 1, num_workers: int | None = 0
) -> RecallResult:
    """Recall and mean recall of a model on a data set, as fractions of 1. See
    ``TrainedModel.evaluate``."""
    return model.evaluate(dataset, batch_size=batch_size, num_workers=num_workers)
