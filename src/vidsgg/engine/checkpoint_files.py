"""Names of the checkpoints in a run's folder, and which of them the folder stands for. Imports
nothing heavy."""

from __future__ import annotations

from pathlib import Path

from vidsgg.errors import CheckpointError

BEST, LAST, FINAL = "checkpoint_best.tar", "checkpoint_last.tar", "checkpoint_final.tar"
# What 'vidsgg push' writes: weights and provenance alone, without anything of this machine.
SHARED = "model.safetensors"


def find_checkpoint(path: Path) -> Path:
    """``path`` itself, or in a run's folder its best checkpoint, else its final one, else the last
    of a run that was stopped; in a folder of 'vidsgg push' its model."""
    if not path.is_dir():
        return path
    for name in (BEST, FINAL, LAST, SHARED):
        if (path / name).exists():
            return path / name
    raise CheckpointError(f"{path} holds none of {BEST}, {FINAL}, {LAST}; name a checkpoint file or a run's folder.")
