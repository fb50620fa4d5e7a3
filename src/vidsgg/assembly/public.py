"""Functions that ``import vidsgg`` offers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from vidsgg.assembly.data import open_split, resolve_data_path
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import videos_folder
from vidsgg.detectors.backends.choice import Backend, Numbers
from vidsgg.metrics.result import RecallResult


def load(
    path: str | Path,
    *,
    device: str = "auto",
    detector: str | None = None,
    method: str | None = None,
    classes: str | Path | None = None,
    label_map: str | Path | None = None,
    backend: Backend | None = None,
    precision: Numbers | None = None,
) -> TrainedModel:
    """Load a trained model.

    Args:
        path: a run's folder (its best checkpoint is used), a checkpoint file, ``hf://ORG/NAME`` on
            the Hugging Face hub, or ``geometry``, which needs no checkpoint.
        device: ``auto`` (the first CUDA device, else the CPU), ``cpu``, ``cuda``, ``cuda:1``, ...
        detector: name or file of a detector; by default the one that the model was trained with.
        method: ``package.module:METHOD`` of a model that is your own code. A checkpoint never
            chooses code, so you name it here.
        classes: file with the labels of the detector, for models that read boxes and classes alone.
        label_map: file that assigns labels of the detector to classes of the model, for the same
            models.
        backend: what computes the detector: ``torch``, ``compile``, ``openvino`` or ``onnx``; by default as
            the run had it.
        precision: its number format, ``fp32`` or ``bf16``; by default as the run had it.

    Raises:
        CheckpointError: the checkpoint does not exist or is damaged.
        ConfigError: the checkpoint belongs to another method.
    """
    return TrainedModel.load(
        path,
        device=device,
        detector=detector,
        method=method,
        classes=classes,
        label_map=label_map,
        backend=backend,
        precision=precision,
    )


def open_dataset(
    path: str | Path,
    split: Literal["train", "val", "test"] = "test",
    mode: Literal["predcls", "sgcls", "sgdet"] = "predcls",
    *,
    skip_bad: bool = False,
    videos_path: str | Path | None = None,
) -> VideoDataset:
    """Open the annotated videos of a data set.

    Args:
        path: the data set's folder; its files decide which data set it is. ``synthetic`` is the
            built-in one.
        split: ``test``, ``val`` (the held-out tenth of the training videos) or ``train`` (the other
            training videos).
        mode: which annotations a model receives: ``predcls`` boxes and classes, ``sgcls`` boxes,
            ``sgdet`` nothing. ``vidsgg.evaluate`` switches to the model's mode by itself.
        skip_bad: skip unreadable videos.
        videos_path: the folder with the videos or dumped frames, if that is another, on this machine or
            in object storage (``s3://bucket/videos``).

    Raises:
        DataError: the folder or a file in it cannot be read; the message names it.
        ConfigError: the data set does not support the mode.
    """
    return open_split(
        resolve_data_path(str(path)),
        mode,
        split,
        datasize="large",
        skip_bad=skip_bad,
        videos_path=videos_folder(None if videos_path is None else str(videos_path)),
    )


def evaluate(
    model: TrainedModel, dataset: VideoDataset, *, batch_size: int = 1, num_workers: int | None = 0
) -> RecallResult:
    """Compute recall and mean recall (0..1) of a model on a data set.

    The same as ``model.evaluate(dataset)``, see :meth:`vidsgg.TrainedModel.evaluate`.
    """
    return model.evaluate(dataset, batch_size=batch_size, num_workers=num_workers)
