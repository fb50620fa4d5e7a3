"""What was asked of the app: a folder for each video, with what is known of it in ``job.json``, so that it outlives the program."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal

from vidsgg.errors import DataError
from vidsgg.io.atomic import remove_left_behind, write_whole
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.io.homes import claim_home
from vidsgg.io.links import is_link
from vidsgg.io.untrusted import read_json

State = Literal["waiting", "running", "done", "failed", "cancelled", "stopped"]
UNFINISHED = ("waiting", "running")
VIDEO, GRAPH, PAGE, OVERLAY = "video.bin", "video.graph.json", "video.html", "video.overlay.mp4"
_RECORD = "job.json"
_LARGEST = 1_000_000  # bytes of a record
_RESULTS = (GRAPH, PAGE, OVERLAY, *(form.name + form.suffix for form in FORMATS.values()))
_MADE = (VIDEO, _RECORD, *_RESULTS)  # the only files that are ever removed
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Asked:
    """What is wanted of a video. checkpoint: its file. fps, least_score, threshold: as in PredictOptions. overlay: whether the MP4 too."""

    checkpoint: str
    fps: float = 2.0
    least_score: float = 0.3
    threshold: float = 0.5
    overlay: bool = True


@dataclass(frozen=True)
class Job:
    """One video. id: 16 hexadecimal digits, the name of its folder. name: what its file was called, never part of a path. model: what is
    shown of the checkpoint. created: seconds since 1970. message: what went wrong. step, done, total: of the work under way; left: seconds,
    None if not known. frames, relations, seconds, notes: of the result. files: what can be downloaded.
    """

    id: str
    name: str
    model: str
    asked: Asked
    created: float
    state: State = "waiting"
    message: str = ""
    step: str = ""
    done: int = 0
    total: int = 0
    left: float | None = None
    frames: int = 0
    relations: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=())


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
        """Leave the video and the record, and what the app has not made."""
        remove_left_behind(self.path(job))
        for name in _RESULTS:
            (self.path(job) / name).unlink(missing_ok=True)

    def load(self) -> Iterator[Job]:
        """Jobs of earlier calls. What was under way is stopped; folders without a record, of uploads that were cut off, are removed."""
        for folder in _job_folders(self.root):
            if not (folder / _RECORD).exists():
                _remove(folder)
                continue
            try:
                job = _job(folder)
            except DataError as error:
                print(f"{error} It is left out.", flush=True)
                continue
            if job.state in UNFINISHED:
                job = replace(job, state="stopped", message="The app was ended before this was done.")
                self.save(job)
            yield job


def own_folder(folder: Path) -> None:
    """Make the app's folder if it is not there. Raises ConfigError if it is somebody else's, OSError if it cannot be written to."""
    claim_home(folder, "app", "-data", unmarked=_made_before_marks)


def _made_before_marks(root: Path) -> bool:
    """Whether versions that wrote no mark have used this folder: a job's record that can be read tells, or there is nothing but folders of
    jobs and the lock.
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
    """Raises DataError naming the record and the place in it."""
    return replace(read_json(folder / _RECORD, Job, _LARGEST), id=folder.name)
