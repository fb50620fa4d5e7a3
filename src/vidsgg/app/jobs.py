"""What was asked of the app: a folder for each video, with what is known of it in ``job.json``, so that it outlives the program."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from vidsgg.errors import DataError
from vidsgg.io.atomic import whole_file

State = Literal["waiting", "running", "done", "failed", "cancelled", "stopped"]
UNFINISHED = ("waiting", "running")
VIDEO, GRAPH, PAGE, OVERLAY = "video.bin", "video.graph.json", "video.html", "video.overlay.mp4"
_RECORD = "job.json"
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
        with whole_file(self.path(job) / _RECORD) as file:
            file.write(json.dumps(asdict(job), indent=1).encode())

    def remove(self, job: Job) -> None:
        shutil.rmtree(self.path(job), ignore_errors=True)

    def clear(self, job: Job) -> None:
        """Leave the video and the record only."""
        for path in self.path(job).iterdir():
            if path.name not in (VIDEO, _RECORD):
                path.unlink()

    def load(self) -> Iterator[Job]:
        """Jobs of earlier calls. What was under way is stopped; folders without a record, of uploads that were cut off, are removed."""
        for folder in sorted(path for path in self.root.iterdir() if path.is_dir() and _ID.fullmatch(path.name)):
            if not (folder / _RECORD).exists():
                shutil.rmtree(folder, ignore_errors=True)
                continue
            try:
                job = _job(folder.name, json.loads((folder / _RECORD).read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError, KeyError) as error:
                print(f"{folder / _RECORD} cannot be read and is left out: {error}", flush=True)
                continue
            if job.state in UNFINISHED:
                job = replace(job, state="stopped", message="The app was ended before this was done.")
                self.save(job)
            yield job


def _job(number: str, values: Mapping[str, Any]) -> Job:
    job = Job(
        **{**values, "id": number, "asked": Asked(**values["asked"]), "notes": tuple(values["notes"]), "files": tuple(values["files"])}
    )
    if job.state not in get_args(State):
        raise DataError(f"state {job.state!r}")
    return job
