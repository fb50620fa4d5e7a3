"""The deterministic weights under which the golden numbers were recorded, and where the recordings
lie.

Every entry of a reference's state dict is drawn from its own *reference name*, so a test needs
names and shapes (``params.json``), never a checkpoint file. The environment variable VIDSGG_GOLDEN
names another folder of recordings, with other cases of the same kinds.
"""

from __future__ import annotations

import json
import math
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

GOLDEN = Path(os.environ.get("VIDSGG_GOLDEN", Path(__file__).parent))


def filled_tensor(name: str, shape: Sequence[int]) -> Tensor:
    """The value of one entry: float32, or int64 for batch counters. ``name`` is the reference's,
    ``shape`` its shape."""
    shape = tuple(shape)
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    x = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32)
    if name.endswith("running_mean"):
        x = np.float32(0.1) * x
    elif name.endswith("running_var"):
        x = np.float32(1) + np.float32(0.1) * np.abs(x)
    elif len(shape) == 1 and name.endswith(".weight"):  # norm layers
        x = np.float32(1) + np.float32(0.1) * x
    elif len(shape) == 1:  # biases
        x = np.float32(0.02) * x
    else:
        x = x / np.float32(math.sqrt(math.prod(shape[1:])))
    return torch.from_numpy(x)


def filled_state_dict(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """The whole state dict, ``shapes`` giving the shape of every reference name (the content of a
    ``params.json``)."""
    return {name: filled_tensor(name, shape) for name, shape in shapes.items()}


def read_json(folder: str, name: str) -> Any:
    """The content of ``tests/golden/<folder>/<name>``."""
    return json.loads((GOLDEN / folder / name).read_text(encoding="utf-8"))


def cases_of(folder: str, *kinds: str) -> list[dict[str, Any]]:
    """Configurations of the cases of some kinds. Raises LookupError if there are none, so that no
    test runs over nothing."""
    found = [case for case in read_json(folder, "cases.json") if case.get("kind", case.get("task")) in kinds]
    if not found:
        raise LookupError(f"{GOLDEN / folder}: no case of kind {' or '.join(kinds)}")
    return found


def read_case(folder: str, case: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Configuration (its entry in ``cases.json``) and recorded outputs (its npz) of one golden
    case."""
    config = next(entry for entry in read_json(folder, "cases.json") if entry["id"] == case)
    with np.load(GOLDEN / folder / f"{case}.npz") as outputs:
        return config, dict(outputs)
