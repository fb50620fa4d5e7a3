"""Weights from elsewhere: those that torchvision publishes, by its own download and cache, and
filling a module with any."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import torch
from torch import Tensor, nn

from vidsgg.detectors.imagenet import is_imagenet
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.tensors import check_intact

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

COCO_HEAD = "roi_heads.box_predictor.cls_score.weight"  # an entry that only torchvision's Faster R-CNN has


def fetch_weights(weights: WeightsEnum) -> dict[str, Tensor]:
    """The state dict, downloaded once into torch hub's cache, checked against the hash in its name
    and read without running code.

    Raises ConfigError, which names the file and its place, when there is neither a network nor the
    file, or when the file is damaged.
    """
    place = weights_place(weights)
    try:
        if place.exists():  # torch compares what it downloads, but not what is in its cache
            check_intact(place)
        state: dict[str, Tensor] = weights.get_state_dict(
            progress=True, check_hash=True, map_location="cpu", weights_only=True
        )
    except CheckpointError as error:
        raise ConfigError(
            f"torchvision's weights: {error} Once the file is deleted, it is downloaded again."
        ) from error
    except OSError as error:  # no network, no such host, no room on the disk
        raise ConfigError(
            f"torchvision's weights {place.name} cannot be downloaded ({error}). Fetch {weights.url} on a machine with"
            f" a network and put it at {place}."
        ) from error
    except (
        RuntimeError,
        EOFError,
        ValueError,
        KeyError,
        pickle.UnpicklingError,
    ) as error:  # cut short, on the way or in the cache
        raise ConfigError(
            f"torchvision's weights {place} are damaged ({' '.join(str(error).split())[:100]}). Delete the file and try"
            " again."
        ) from error
    return state


def trained_on(state: Mapping[str, object]) -> str | None:
    """What weights of torchvision's were trained on, by their names: "imagenet" (a ResNet), "coco"
    (its Faster R-CNN) or None."""
    if is_imagenet(state):
        return "imagenet"
    return "coco" if COCO_HEAD in state else None


def weights_place(weights: WeightsEnum) -> Path:
    """The file in torch hub's cache that ``fetch_weights`` reads, or downloads if it is not
    there."""
    return Path(torch.hub.get_dir()) / "checkpoints" / PurePosixPath(urlparse(weights.url).path).name


def fill(module: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Loads a whole state dict. Raises CheckpointError naming ``where`` it is from and the entries
    that do not fit."""
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        raise CheckpointError(
            f"{where}: the weights do not fit the detector: {' '.join(str(error).split())[:300]}"
        ) from error
