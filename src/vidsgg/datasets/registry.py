"""Which data set a folder holds, told by its files."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from vidsgg.datasets import action_genome_layout, easg_layout
from vidsgg.datasets.base import VideoDataset
from vidsgg.errors import ConfigError, DataError
from vidsgg.options import closest

# What is looked for, as errors tell it.
MARKS = {
    "action_genome": ("annotations/person_bbox.pkl", "annotations/object_bbox_and_relationship.pkl"),
    "easg": ("easg_train.pkl", "annts_in_new_format/easg_train.pkl", "easg-generation/annts_in_new_format/easg_train.pkl"),
}
_DEFAULT = Path("data", "action_genome")
_STEPS = 4  # folders above a path in which a data set is looked for, to name it


def identify(path: Path) -> tuple[str, Path]:
    """(name of the data set, folder to open it with). Raises DataError naming the folder and what was looked for."""
    path = Path(path)
    try:
        if path.is_dir():
            if action_genome_layout.is_inner_folder(path):
                above = Path(os.path.abspath(path)).parent if path.name in ("", "..") else path.parent
                raise DataError(f"{path} holds only the annotations of a data set; did you mean its folder, {_said(above)}?")
            if name := _name_of(path):
                return name, path
        return _nothing(path)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, DataError):
            raise
        where = getattr(error, "filename", None) or path
        raise DataError(
            f"data set folder {path!s:.200} cannot be looked at: {where!s:.200}: {getattr(error, 'strerror', None) or error}."
            " Check the path and its permissions."
        ) from error


def _name_of(folder: Path) -> str | None:
    if action_genome_layout.has_annotations(folder):
        return "action_genome"
    return "easg" if easg_layout.has_annotations(folder) else None


def _nothing(path: Path) -> tuple[str, Path]:
    """Raises DataError for a path that is no data set, with the one that may be meant."""
    if path.is_dir():
        if easg_layout.has_full_release(path):
            raise DataError(
                f"data set folder {path} holds EASG's full release, which is not read; take the folder annts_in_new_format of the authors'"
                " repository (easg-generation), whose pickles their published numbers rest on."
            )
        wanted = "; ".join(f"{name}: {' or '.join(marks)}" for name, marks in MARKS.items())
        text, remedy = f"data set folder {path} holds no known data set", f" Looked for {wanted}."
    else:
        text, remedy = f"data set folder {path} {'is a file, not a folder' if path.exists() else 'does not exist'}", ""
    if meant := next(_meant(path), None):
        raise DataError(f"{text}; did you mean {_said(meant)}?")
    near = ""
    if not path.exists() and path.parent.is_dir():
        near = closest(path.name, sorted(os.listdir(path.parent)))
    raise DataError(f"{text}{near}.{remedy}" if remedy else f"{text}{near}")


def _meant(path: Path) -> Iterator[Path]:
    """Data sets that ``path`` lies in, the nearest first, then those in it."""
    if path.exists():
        given = {os.path.abspath(folder): folder for folder in reversed(path.parents)}  # as the user writes them
        for absolute in Path(os.path.abspath(path)).parents[:_STEPS]:
            folder = given.get(str(absolute), absolute)
            with contextlib.suppress(OSError):  # a folder that may not be entered is not meant
                if _name_of(folder) and not action_genome_layout.is_inner_folder(folder):
                    yield folder
    if path.is_dir():
        for folder in sorted(path.iterdir()):
            with contextlib.suppress(OSError):
                if folder.is_dir() and _name_of(folder):
                    yield folder


def _said(path: Path) -> str:
    return f"'{path}'"


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
