"""What was asked of the app: a folder for each video, with what is known of it in ``job.json``, so
that it outlives the program."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from vidsgg.errors import DataError
from vidsgg.io.atomic import remove_left_behind, write_whole
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.io.homes import claim_home
from vidsgg.io.links import is_link
from vidsgg.io.untrusted import read_json

State = Literal["waiting", "running", "done", "failed", "cancelled", "stopped", "damaged"]
UNFINISHED = ("waiting", "running")
VIDEO, GRAPH, PAGE, OVERLAY = "video.bin", "video.graph.json", "video.html", "video.overlay.mp4"
_RECORD = "job.json"
_RESULTS = (GRAPH, PAGE, OVERLAY, *(form.name + form.suffix for form in FORMATS.all().values()))
_MADE = (VIDEO, _RECORD, *_RESULTS)  # the only files that are ever removed
_ID = re.compile(r"[0-9a-f]{16}")
_LARGEST_RECORD = 1 << 20  # bytes


_Count = Annotated[int, msgspec.Meta(ge=0, le=10**12)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=10**11)]


@dataclass(frozen=True)
class Asked:
    """What is wanted of a video. least_score, threshold: None for the values of the detector and of
    each group of predicates, see the options of ``vidsgg predict``."""

    checkpoint: str  # its file
    fps: float = 2.0
    least_score: float | None = None
    threshold: float | None = None
    overlay: bool = True  # whether the MP4 too


@dataclass(frozen=True)
class Job:
    """One video, as its record has it; bounds are those of records."""

    id: str  # 16 hexadecimal digits, the name of its folder
    name: str  # what its file was called, never part of a path
    model: str  # what is shown of the checkpoint
    asked: Asked
    created: _Seconds  # since 1970
    state: State = "waiting"
    message: str = ""  # what went wrong
    again: bool = True  # whether it can go better when it is tried again
    step: str = ""  # of the work under way
    done: _Count = 0  # of the step
    total: _Count = 0
    left: _Seconds | None = None  # until the step is done; None if not known
    frames: _Count = 0
    relations: _Count = 0
    seconds: _Seconds = 0.0  # of work
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=())  # what can be downloaded


class JobFolder:
    """The folders of all jobs. Paths are made of ids of our own only."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, job: Job) -> Path:
        assert _ID.fullmatch(job.id), job.id
        return self.root / job.id

    def new_id(self) -> str:
        return secrets.token_hex(8)

    def save(self, job: Job) -> None:
        """Raises OSError if the disk refuses."""
        write_whole(self.path(job) / _RECORD, json.dumps(asdict(job), indent=1))

    def remove(self, job: Job) -> None:
        """A job's folder, unless there is something in it that the app has not made: that stays."""
        _remove(self.path(job))

    def clear(self, job: Job) -> None:
        """Leave the video and the record, and what the app has not made. Raises OSError if the
        video is not there any more."""
        (self.path(job) / VIDEO).stat()
        remove_left_behind(self.path(job))
        for name in _RESULTS:
            (self.path(job) / name).unlink(missing_ok=True)

    def load(self) -> Iterator[Job]:
        """Jobs of earlier calls. What was under way is stopped, and one whose record cannot be read
        is damaged; folders without a record, of uploads that were cut off, are removed.
        """
        for folder in _job_folders(self.root):
            if not os.path.lexists(folder / _RECORD):
                _remove(folder)
                continue
            try:
                job = _job(folder)
            except DataError as error:
                print(f"warning: {error}", flush=True)
                yield _damaged(folder, error)
                continue
            if job.state in UNFINISHED:
                job = replace(job, state="stopped", left=None, message="The app was ended before this was done.")
                try:
                    self.save(job)
                except OSError as error:
                    print(f"warning: {folder / _RECORD} cannot be written ({error.strerror})", flush=True)
            # limits, models and packages may be others than when it failed
            yield replace(job, again=True)


def own_folder(folder: Path) -> None:
    """Make the app's folder if it is not there. Raises ConfigError if it is somebody else's,
    OSError if it cannot be written to."""
    claim_home(folder, "app", "-data", unmarked=_made_before_marks)


def _made_before_marks(root: Path) -> bool:
    """Whether versions that wrote no mark have used this folder: a job's record that can be read
    tells, or there is nothing but folders of jobs and the lock.
    """
    folders = _job_folders(root)
    for folder in folders:
        with suppress(DataError):
            _job(folder)
            return True
    only_ours = all({entry.name for entry in folder.iterdir()} <= set(_MADE) for folder in folders)
    return only_ours and {entry.name for entry in root.iterdir()} == {".lock", *(folder.name for folder in folders)}


def _job_folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if _ID.fullmatch(path.name) and path.is_dir() and not is_link(path))


def _remove(folder: Path) -> None:
    remove_left_behind(folder)
    with suppress(OSError):  # what cannot be removed stays
        for name in _MADE:
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _job(folder: Path) -> Job:
    """Raises DataError if the folder's record cannot be read, or is not as ``JobFolder.save``
    writes them."""
    path = folder / _RECORD
    if is_link(path):
        raise DataError(f"{path}: is a link, which is not followed.")
    return replace(read_json(path, Job, _LARGEST_RECORD), id=folder.name)


def _damaged(folder: Path, problem: DataError) -> Job:
    reason = str(problem).removeprefix(str(folder / _RECORD)).removeprefix(":").strip()
    message = f"The record of this video is damaged: {reason} What there is of it lies in {folder}."
    created = min(max(0.0, os.lstat(folder).st_mtime), time.time())
    return Job(folder.name, folder.name, "", Asked(""), created, "damaged", message)
