"""The checkpoints that the user names. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from vidsgg.engine.checkpoint_files import find_checkpoint
from vidsgg.errors import CheckpointError, ConfigError
from vidsgg.io.hub import is_hub_address


def check_named(places: Sequence[str]) -> None:
    """Raises ConfigError if one of them is not there or holds no checkpoint."""
    for place in map(Path, places):
        if not is_hub_address(place) and not any(files_of(place)):
            raise ConfigError(
                f"{place} {'holds no checkpoint' if place.exists() else 'does not exist'}; name a run or a checkpoint."
            )


def files_of(place: Path) -> Iterator[Path]:
    """The checkpoint of a file, of a run's folder, or of all runs below a folder."""
    if place.is_file():
        yield place
        return
    for folder, folders, _ in os.walk(place):
        try:
            yield find_checkpoint(Path(folder))
            folders.clear()  # there is no run within a run
        except CheckpointError:
            folders.sort()
