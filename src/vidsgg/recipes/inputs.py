"""What a command is to read and what is not there: found before torch is imported, which takes
longer than anybody waits for a refusal. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vidsgg.datasets.format import DatasetFormat
from vidsgg.datasets.registry import FORMATS, data_folder, identify, videos_folder
from vidsgg.detectors.names import HUB
from vidsgg.detectors.registry import detector_names, unknown_detector
from vidsgg.engine.checkpoint_files import find_checkpoint
from vidsgg.errors import CheckpointError
from vidsgg.io.hub import hub_name, is_hub_address
from vidsgg.methods.registry import built_in_models
from vidsgg.plugins import names_code


def check_data(given: str | None, videos_path: str | None = None) -> DatasetFormat | None:
    """given, videos_path: as -data_path and -videos_path of a command that needs a data set. Returns its
    format, None for one that may have to be made. Raises ConfigError or DataError if there is none."""
    form = None if given == "synthetic" else FORMATS.get(identify(data_folder(given))[0])
    videos_folder(videos_path)
    return form


def check_checkpoints(
    given: Sequence[str], data_path: str | None = None, detector: str | None = None, videos_path: str | None = None
) -> None:
    """given: as -checkpoint, each. data_path, detector, videos_path: what is read instead of those of its
    run.

    What lies on the hub is asked for later. Raises CheckpointError, ConfigError or DataError if one
    of the others is not there.
    """
    for text in given:
        path = Path(text)
        if is_hub_address(text):
            hub_name(text)
        elif path.exists():
            find_checkpoint(path)
        elif text not in built_in_models():
            raise CheckpointError(f"there is no file {path}.")
    if data_path is not None:
        check_data(data_path)
    videos_folder(videos_path)
    if detector is not None:
        check_detector(detector)


def check_detector(given: str) -> None:
    """given: as -detector. Raises ConfigError if it is no file, no folder and no name."""
    known = given == "auto" or names_code(given) or given.startswith(HUB) or os.path.exists(given)
    if not known and given not in detector_names():
        raise unknown_detector(given)
