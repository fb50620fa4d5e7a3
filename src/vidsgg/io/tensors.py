"""Files of tensors and plain values: written whole or not at all, read without running anything that is in them."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from vidsgg.errors import CheckpointError
from vidsgg.io.atomic import whole_file


def save_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Write to a temporary name in the same folder, flush, rename: a kill leaves the old file or the new one, never half of one.

    Raises CheckpointError when the disk is full or the folder cannot be written.
    """
    try:
        with whole_file(path) as file:
            torch.save(dict(content), file)
    except (OSError, RuntimeError) as error:
        # torch.save reports a full disk as a RuntimeError that happened while it handled what the disk said.
        reason = error.__context__ if isinstance(error.__context__, OSError) else error
        said = reason.strerror if isinstance(reason, OSError) and reason.strerror else reason
        raise CheckpointError(
            f"cannot write {path}: {said}. Free some space or choose another place; what was there before is intact."
        ) from error


def load_tensors(path: Path, *, mmap: bool = False) -> dict[str, Any]:
    """A torch file of tensors and plain values, onto the CPU. Raises CheckpointError if it is missing, damaged or asks for code.

    mmap: leave the numbers on the disk until somebody looks at them, for a glance at a large file.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
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
