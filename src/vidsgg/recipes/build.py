"""The parts of a run, made from its options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.registry import default_data_path, open_dataset
from vidsgg.datasets.splits import hold_out_validation, take_datasize
from vidsgg.detectors.features import RoiFeatureExtractor
from vidsgg.detectors.resnet_c4 import BACKBONES
from vidsgg.engine.loading import ClipLoader
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.options import closest
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

SYNTHETIC_FOLDER = Path("data") / "synthetic"


def choose_device(name: str) -> torch.device:
    """ "auto" is the first CUDA device, else the CPU. Raises ConfigError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"option -device: cannot use {name!r}: {str(error).splitlines()[0]}") from error
    return torch.device(name)


def resolve_data_path(given: str | None) -> Path:
    """The data set's folder; makes the built-in synthetic set for ``synthetic``. Raises ConfigError if nothing is given or found."""
    if given == "synthetic":
        from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate

        if not (SYNTHETIC_FOLDER / "annotations").is_dir():
            generate(SYNTHETIC_FOLDER, SyntheticConfig())
        return SYNTHETIC_FOLDER
    return default_data_path() if given is None else Path(given)


@dataclass(frozen=True)
class Splits:
    """Videos to learn from and videos to validate on, of one data set."""

    train: VideoDataset
    val: VideoDataset


def open_splits(root: Path, mode: str, *, datasize: str, val: str, skip_bad: bool) -> Splits:
    """val: "holdout", a fixed tenth of the training videos; "test", the test split, and all training videos to learn from."""
    whole = open_dataset(root, "train", mode, skip_bad=skip_bad)
    if val == "test":
        return Splits(take_datasize(whole, datasize), take_datasize(open_dataset(root, "test", mode, skip_bad=skip_bad), datasize))
    learn, held_out = hold_out_validation(whole)
    return Splits(take_datasize(learn, datasize), take_datasize(held_out, datasize))


def build_extractor(detector: str, schema: Schema, device: torch.device) -> tuple[RoiFeatureExtractor | None, str]:
    """The frozen source of RoI features for pictures, and one line that says what it is; None for data without pictures."""
    if not schema.has_frames:
        widths = ", ".join(f"{name} {width}" for name, width in schema.features.items())
        return None, f"features: {widths} wide, from the data set's files" if widths else "features: none; labels and boxes only"
    if detector == "auto":
        detector = "c4-small"
    if detector in BACKBONES:
        extractor = RoiFeatureExtractor(BACKBONES[detector])
        line = f"features: {detector} with untrained weights (seed {BACKBONES[detector].seed}); name a file of detector weights with -detector for trained ones"
    else:
        path = Path(detector)
        if not path.exists():
            raise ConfigError(
                f"option -detector: {detector!r} is neither a file nor one of {', '.join(BACKBONES)}{closest(detector, list(BACKBONES))}"
            )
        extractor = RoiFeatureExtractor(BACKBONES["c4-resnet101"])
        content = load_tensors(path)
        extractor.backbone.load_reference(content.get("model", content))
        line = f"features: c4-resnet101 with the weights of {path}"
    return extractor.to(device), line


def feature_widths(schema: Schema, extractor: RoiFeatureExtractor | None) -> FeatureWidths:
    if extractor is not None:
        return FeatureWidths(node=extractor.node_width, union=extractor.union_channels)
    return FeatureWidths(node=schema.features.get("object", 0), action=schema.features.get("action", 0))


def build_loader(
    dataset: VideoDataset,
    mode: str,
    extractor: RoiFeatureExtractor | None,
    device: torch.device,
    *,
    batch_size: int,
    workers: int | None,
    skip_bad: bool,
    shuffle: bool = False,
    seed: int = 0,
) -> ClipLoader:
    if workers is None:  # without pictures a worker costs more than it saves
        workers = min(4, os.cpu_count() or 1) if extractor is not None else 0
    return ClipLoader(dataset, mode, batch_size, shuffle, seed, workers, device, extractor, skip_bad)
