"""Which data set a folder holds: every format, built-in or installed, is asked whether it
recognises it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.format import DatasetFormat
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.locations import Location, RemotePath, location
from vidsgg.options import closest
from vidsgg.plugins import Registry

T = TypeVar("T")
_DEFAULT = Path("data", "action_genome")
_warned: set[str] = set()  # what was said of installed packages in this process
_STEPS = 4  # folders above a path in which a data set is looked for, to name it


def _wrong(name: str, thing: Any) -> str:
    if not isinstance(thing, DatasetFormat):
        return f"it is {short(thing)}, not an object of a class that extends vidsgg.extend.DatasetFormat"
    return "" if thing.name == name else f"the format calls itself {short(thing.name)}; give both one name"


FORMATS: Registry[DatasetFormat] = Registry(
    "data_path",
    "vidsgg.datasets",
    {
        "action_genome": "vidsgg.datasets.action_genome_format:FORMAT",
        "action_genome_coco": "vidsgg.datasets.action_genome_coco_format:FORMAT",
        "easg": "vidsgg.datasets.easg_format:FORMAT",
        "coco_video": "vidsgg.datasets.coco_video.format:FORMAT",
        "coco_relations": "vidsgg.datasets.coco_relations.format:FORMAT",
        "pvsg": "vidsgg.datasets.pvsg.format:FORMAT",
        "vidvrd": "vidsgg.datasets.vidvrd.format:VIDVRD",
        "vidor": "vidsgg.datasets.vidvrd.format:VIDOR",
        "vidvrd_coco": "vidsgg.datasets.vidvrd.coco_style_format:FORMAT",
    },
    _wrong,
)


def identify(path: str | Location) -> tuple[str, Location]:
    """(name of the data set, folder to open it with). Raises DataError naming the folder and what
    was looked for, ConfigError for a data set in object storage that can only be read from a disk."""
    path = location(path)
    try:
        here = isinstance(path, RemotePath) or path.is_dir()
        form, failures = _format_of(path) if here else (None, [])
        if form is not None:
            for failure in failures:
                if failure in _warned:
                    continue
                _warned.add(failure)
                print(f"warning: {failure} The folder is read as {form.title}.", file=sys.stderr)
            if _ask(form, form.inside, path):
                if isinstance(path, RemotePath) or path.name not in ("", ".."):
                    above = path.parent
                else:
                    above = Path(os.path.abspath(path)).parent
                raise DataError(
                    f"{path} holds only the annotations of a data set; did you mean its folder, {_said(above)}?"
                )
            return form.name, path
        raise _nothing_stored(path, failures) if isinstance(path, RemotePath) else _nothing(path, failures)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        if isinstance(error, DataError):
            raise
        where = getattr(error, "filename", None) or path
        raise DataError(
            f"data set folder {path!s:.200} cannot be read: {where!s:.200}:"
            f" {getattr(error, 'strerror', None) or error}. Check the path and its permissions."
        ) from error


def _nothing_stored(path: RemotePath, failures: Sequence[str]) -> DataError:
    """As ``_nothing``, for a folder of object storage, of which no other folder is looked into."""
    if failures:
        return _only_failed(path, failures)
    formats = _formats_for(path)
    if refusal := _refusal(path, formats):
        return DataError(f"data set folder {path} {refusal}")
    wanted = "; ".join(f"{form.name}: {' or '.join(form.marks)}" for form in formats)
    others = _OTHERS if len(formats) < len(FORMATS.all()) else ""
    return DataError(f"data set folder {path} holds no known data set. Looked for {wanted}.{others}")


_OTHERS = " Formats of other packages may need a folder of this machine: copy the data set there."


class _FormatFailed(DataError):
    """A format of an installed package failed instead of answering."""


def _ask(form: DatasetFormat, question: Callable[[Path], T], folder: Location) -> T:
    """The answer of a format. Whatever an installed one raises becomes a message that names its
    package."""
    try:
        return question(cast(Path, folder))  # see DatasetFormat.remote
    except Exception as error:
        package = FORMATS.origin(form.name)
        if not package:
            raise
        said = " ".join(str(error)[:300].split()).rstrip(".")
        raise _FormatFailed(
            f"the data set format {short(form.name)} of the installed package {package} failed on {folder}:"
            f" {type(error).__name__}{f': {said}' if said else ''}. Report this to the authors of {package}."
        ) from error


def _formats_for(folder: Location) -> list[DatasetFormat]:
    """Those that can read a folder where it is."""
    return [form for form in FORMATS.all().values() if form.remote or not isinstance(folder, RemotePath)]


def _refusal(folder: Location, formats: Sequence[DatasetFormat]) -> str:
    """What the first format that knows a folder and cannot read it says of it."""
    return next(filter(None, (_ask(form, form.refusal, folder) for form in formats)), "")


def _only_failed(folder: Location, failures: Sequence[str]) -> DataError:
    return DataError(f"data set folder {folder} holds no data set that another format recognises, and {failures[0]}")


def _format_of(folder: Location) -> tuple[DatasetFormat | None, list[str]]:
    """The format of a folder, and what went wrong in formats of installed packages. Raises
    DataError if several recognise it."""
    found, failures = [], []
    for form in _formats_for(folder):
        try:
            if _ask(form, form.recognises, folder):
                found.append(form)
        except _FormatFailed as error:
            failures.append(str(error))
    if len(found) > 1:
        raise DataError(
            f"data set folder {folder} matches several formats:"
            f" {' and '.join(f'{form.title} ({form.marks[0]})' for form in found)}. Move one into a folder of its"
            " own."
        )
    return (found[0] if found else None), failures


def _nothing(path: Path, failures: Sequence[str]) -> DataError:
    """What is wrong with a path that is no data set, with the one that may be meant. failures: as
    ``_format_of`` gives them."""
    if failures:
        return _only_failed(path, failures)
    if path.is_dir():
        formats = _formats_for(path)
        if refusal := _refusal(path, formats):
            return DataError(f"data set folder {path} {refusal}")
        wanted = "; ".join(f"{form.name}: {' or '.join(form.marks)}" for form in formats)
        text, remedy = f"data set folder {path} holds no known data set", f" Looked for {wanted}."
    else:
        text, remedy = f"data set folder {path} {'is a file, not a folder' if path.exists() else 'does not exist'}", ""
    if meant := next(_meant(path), None):
        return DataError(f"{text}; did you mean {_said(meant)}?")
    near = ""
    if not path.exists() and path.parent.is_dir():
        near = closest(path.name, sorted(os.listdir(path.parent)))
    return DataError(f"{text}{near}.{remedy}" if remedy else f"{text}{near}")


def _meant(path: Path) -> Iterator[Path]:
    """Data sets that ``path`` lies in, the nearest first, then those in it."""
    if path.exists():
        given = {os.path.abspath(folder): folder for folder in reversed(path.parents)}  # as the user writes them
        for absolute in Path(os.path.abspath(path)).parents[:_STEPS]:
            folder = given.get(str(absolute), absolute)
            with contextlib.suppress(OSError, DataError):  # a folder that may not be entered is not meant
                form, _ = _format_of(folder)
                if form is not None and not _ask(form, form.inside, folder):
                    yield folder
    if path.is_dir():
        for folder in sorted(path.iterdir()):
            with contextlib.suppress(OSError, DataError):
                if folder.is_dir() and _format_of(folder)[0]:
                    yield folder


def _said(path: Location) -> str:
    return f"'{path}'"


def open_whole_split(
    path: str | Location, split: str, mode: str, skip_bad: bool = False, videos_path: Location | None = None
) -> VideoDataset:
    """The data set in a folder. ``split``: "train" or "test"; ``mode``: "predcls", "sgcls" or
    "sgdet".

    skip_bad: leave out and count entries that cannot be used, instead of raising. videos_path: the
    folder with the videos or pictures, if that is another.
    Raises DataError naming the folder or file, ConfigError for an unknown split or mode.
    """
    form, root = format_at(path)
    data = form.open(root, split, mode, skip_bad)
    return data if videos_path is None else data.with_videos_in(videos_path)


def format_at(path: str | Location) -> tuple[DatasetFormat, Path]:
    """The format of the data set in a folder, and the folder to open it with: a RemotePath only if
    the format is ``remote``. Raises DataError as ``identify``."""
    name, root = identify(path)
    return FORMATS.get(name), cast(Path, root)


def has_validation(path: str | Location) -> bool:
    """Whether the data set in a folder has videos of its own to validate on. Raises DataError as
    ``identify``."""
    form, root = format_at(path)
    return form.has_validation(root)


def data_folder(given: str | None) -> Location:
    """What -data_path names, by default ``data/action_genome`` under the working directory. Raises
    ConfigError if that is not there."""
    if given is not None:
        return location(given)
    if not _DEFAULT.is_dir():
        raise ConfigError(f"option -data_path is required: give the folder of a data set ({_DEFAULT} is not there)")
    return _DEFAULT


def videos_folder(given: str | None) -> Location | None:
    """What -videos_path names; None for the data set's own folder. Raises ConfigError if there is no such
    folder."""
    if given is None:
        return None
    folder = location(given)
    try:
        if folder.is_dir():
            return folder
        what = "is a file, not a folder" if folder.exists() else "there is no such folder"
    except (OSError, ValueError) as error:
        what = str(getattr(error, "strerror", None) or error)
    raise ConfigError(f"option -videos_path: {folder!s:.200}: {what}.")
