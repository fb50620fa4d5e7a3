"""torchvision's operators. Importing the package would import torch's compiler and all of torchvision's
networks: more time than torch itself takes."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor


def nms(box: Tensor, score: Tensor, threshold: float) -> Tensor:
    """Rows (K,) long of the boxes (R, 4) xyxy that stay, by falling score (R,): ``torchvision.ops.nms``."""
    operator = torch.ops.torchvision.nms if _alone(box) else _of_package("nms")
    kept: Tensor = operator(box, score, threshold)
    return kept


def roi_align(maps: Tensor, regions: Tensor, size: int, scale: float) -> Tensor:
    """Maps (T, C, h, w) pooled over regions (R, 5), number of the map and xyxy, to (R, C, size, size):
    ``torchvision.ops.roi_align`` without its alignment by half a pixel, with as many samples as a cell has."""
    if _alone(maps, regions):
        pooled: Tensor = torch.ops.torchvision.roi_align(maps, regions, scale, size, size, -1, False)
    else:
        pooled = _of_package("roi_align")(maps, regions, (size, size), scale)
    return pooled


def _of_package(name: str) -> Callable[..., Tensor]:
    import torchvision.ops

    function: Callable[..., Tensor] = getattr(torchvision.ops, name)
    return function


def _alone(*tensors: Tensor) -> bool:
    """Whether the compiled operators give the same without the package, in which gradients, shapes
    of tensors without values, exact sums on GPUs, and types under autocast are defined."""
    if torch.are_deterministic_algorithms_enabled():
        return False
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return False
    if torch.compiler.is_compiling() or any(tensor.is_meta for tensor in tensors):
        return False
    if torch.is_autocast_enabled(tensors[0].device.type):
        return False
    return all(type(tensor) is Tensor for tensor in tensors) and _loaded()


@cache
def _loaded() -> bool:
    """Loads the library of operators out of the package's folder; False where it is not found there.

    On Windows the package itself tells the system where the library's own libraries lie.
    """
    found = find_spec("torchvision")
    if os.name == "nt" or found is None or not found.submodule_search_locations:
        return False
    folder = Path(found.submodule_search_locations[0])
    # One library or two, by version; the second is for several versions of torch.
    names = [stem + suffix for stem in ("_C", "_C_stable") for suffix in EXTENSION_SUFFIXES]
    for library in (folder / name for name in names):
        if library.is_file():
            torch.ops.load_library(library)
    return all(hasattr(torch.ops.torchvision, name) for name in ("nms", "roi_align"))
