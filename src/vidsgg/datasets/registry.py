"""Which data set a folder holds, told by its files."""

from __future__ import annotations

from pathlib import Path

from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError, DataError
from vidsgg.options import closest

# Where each data set's annotations lie under the folder that the user names; the first file found decides.
MARKS = {
    "action_genome": ("annotations/person_bbox.pkl", "annotations/object_bbox_and_relationship.pkl"),
    "easg": ("easg_train.pkl", "annts_in_new_format/easg_train.pkl", "easg-generation/annts_in_new_format/easg_train.pkl"),
}
_DEFAULT = Path("data", "action_genome")


def identify(path: Path) -> tuple[str, Path]:
    """(name of the data set, folder to open it with). Raises DataError naming the folder and what was looked for."""
    path = Path(path)
    if not path.is_dir():
        kind = "is a file, not a folder" if path.exists() else "does not exist"
        near = closest(path.name, sorted(entry.name for entry in path.parent.iterdir())) if path.parent.is_dir() else ""
        raise DataError(f"data set folder {path} {kind}{near}")
    if any((path / mark).is_file() for mark in MARKS["action_genome"]):
        return "action_genome", path
    for mark in MARKS["easg"]:
        if (path / mark).is_file():
            return "easg", (path / mark).parent
    wanted = "; ".join(f"{name}: {' or '.join(marks)}" for name, marks in MARKS.items())
    raise DataError(f"data set folder {path} holds no known data set. Looked for {wanted}.")


def open_dataset(path: Path, split: str, mode: str, skip_bad: bool = False) -> VideoDataset:
    """The data set in a folder. ``split``: "train" or "test"; ``mode``: "predcls", "sgcls" or "sgdet".

    skip_bad: leave out and count entries that cannot be used, instead of raising (EASG's loader repairs what it can either way).
    Raises DataError naming the folder or file, ConfigError for an unknown split or mode.
    """
    name, root = identify(path)
    if name == "action_genome":
        from vidsgg.datasets.action_genome import ActionGenome

        return ActionGenome(root, split, mode, skip_bad=skip_bad)
    from vidsgg.datasets.easg import EASG

    return EASG(root, split, mode)


def default_data_path() -> Path:
    """The folder to use when none is given: ``data/action_genome`` under the working directory. Raises ConfigError if it is not there."""
    if not _DEFAULT.is_dir():
        raise ConfigError(f"option -data_path is required: give the folder of a data set ({_DEFAULT} is not there)")
    return _DEFAULT
