"""Checkpoints of runs: what must be in one, and which one a run's folder offers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidsgg.errors import CheckpointError
from vidsgg.io.tensors import load_tensors

# ``epoch``, ``model_state_dict``, ``optimizer_state_dict``, ``loss`` and ``config`` are what the training guide promises.
REQUIRED = ("epoch", "model_state_dict", "config")


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of ours. Raises CheckpointError as load_tensors does, and if it is of another kind."""
    content = load_tensors(path)
    if any(key not in content for key in REQUIRED):
        raise CheckpointError(
            f"{path} is not a checkpoint of vidsgg: it lacks some of {', '.join(REQUIRED)}."
            " A file of a method's authors is converted by 'vidsgg import-checkpoint'."
        )
    return content


def find_checkpoint(path: Path) -> Path:
    """``path`` itself, or in a run's folder its best checkpoint, else its final one."""
    if not path.is_dir():
        return path
    for name in ("checkpoint_best.tar", "checkpoint_final.tar"):
        if (path / name).exists():
            return path / name
    raise CheckpointError(f"{path} holds neither checkpoint_best.tar nor checkpoint_final.tar; name a checkpoint file or a run's folder.")
