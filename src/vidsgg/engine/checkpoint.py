"""Checkpoints: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

import os
import pickle
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vidsgg.errors import CheckpointError

# ``epoch``, ``model_state_dict``, ``optimizer_state_dict``, ``loss`` and ``config`` are what the training guide promises.
REQUIRED = ("epoch", "model_state_dict", "config")


def save_checkpoint(path: Path, content: Mapping[str, Any]) -> None:
    """Write to a temporary name in the same folder, flush, rename: a kill leaves the old file or the new one, never half of one.

    Raises CheckpointError when the disk is full or the folder cannot be written.
    """
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            torch.save(dict(content), file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as RuntimeError
        raise CheckpointError(
            f"cannot write {path}: {error}. Free some space or choose another -save_path; older checkpoints are intact."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def load_tensors(path: Path) -> dict[str, Any]:
    """A torch file of tensors and plain values, onto the CPU. Raises CheckpointError if it is missing, damaged or asks for code."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise CheckpointError(f"there is no file {path}.") from None
    except pickle.UnpicklingError as error:
        first = str(error).splitlines()[0]
        raise CheckpointError(f"{path} holds something other than tensors and plain values; it was not loaded. {first}") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        first = str(error).splitlines()[0] if str(error) else repr(error)
        raise CheckpointError(f"{path} is damaged or not a file of weights: {first}") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, expected a dict of weights.")
    return content


def load_checkpoint(path: Path) -> dict[str, Any]:
    """A checkpoint of ours. Raises CheckpointError as load_tensors does, and if it is of another kind."""
    content = load_tensors(path)
    if any(key not in content for key in REQUIRED):
        raise CheckpointError(f"{path} is not a checkpoint of vidsgg: it lacks some of {', '.join(REQUIRED)}.")
    return content


def find_checkpoint(path: Path) -> Path:
    """``path`` itself, or in a run's folder its best checkpoint, else its final one."""
    if not path.is_dir():
        return path
    for name in ("checkpoint_best.tar", "checkpoint_final.tar"):
        if (path / name).exists():
            return path / name
    raise CheckpointError(f"{path} holds neither checkpoint_best.tar nor checkpoint_final.tar; name a checkpoint file or a run's folder.")
