"""The checkpoints that the app offers: found on the disk, never named by a browser."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidsgg.engine.checkpoint import find_checkpoint
from vidsgg.errors import CheckpointError, ConfigError, VidsggError
from vidsgg.recipes.options import PredictOptions
from vidsgg.recipes.predict_model import check_run
from vidsgg.recipes.runs import read_run

FOLDER = "output"


@dataclass(frozen=True)
class Choice:
    """A checkpoint to choose. id: what a browser calls it. detector: its architecture, empty where nothing looks at pictures.
    problem: why it reads no plain video, else None.
    """

    id: str
    file: Path
    name: str
    model: str = ""
    mode: str = ""
    detector: str = ""
    problem: str | None = None


class Checkpoints:
    """What is there now; files are looked into again only when they have changed."""

    def __init__(self, places: Sequence[str]) -> None:
        """Raises ConfigError if a place that was named is not there or holds no checkpoint."""
        self._places = [Path(place) for place in places or (FOLDER,)]
        self._known: dict[Path, tuple[int, Choice]] = {}
        if places:
            for place in self._places:
                if not any(_files(place)):
                    raise ConfigError(
                        f"{place} {'holds no checkpoint' if place.exists() else 'does not exist'}; name a run or a checkpoint."
                    )

    def __call__(self) -> list[Choice]:
        """All of them, those that read plain videos first, then the latest."""
        files = dict.fromkeys(file.resolve() for place in self._places for file in _files(place))
        choices = [choice for file in files if (choice := self._choice(file)) is not None]
        return sorted(choices, key=lambda choice: (choice.problem is not None, -self._known[choice.file][0]))

    def _choice(self, file: Path) -> Choice | None:
        try:
            changed = file.stat().st_mtime_ns
        except OSError:  # a run at work has just replaced it
            return None
        if self._known.get(file, (None,))[0] != changed:
            self._known[file] = changed, _look(file)
        return self._known[file][1]


def _files(place: Path) -> Iterator[Path]:
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


def _look(file: Path) -> Choice:
    number, name = hashlib.sha256(str(file).encode("utf-8", "replace")).hexdigest()[:16], file.parent.name
    if not file.name.startswith("checkpoint_"):
        name = f"{name}/{file.name}"
    try:
        run = read_run(file, mmap=True)
    except VidsggError as error:
        return Choice(number, file, name, problem=str(error))
    detector = (run.content.get("detector") or {}).get("description", {}).get("detector", "")
    problem = None
    try:
        check_run(run, PredictOptions())
    except VidsggError as error:
        problem = str(error).removeprefix(f"{file} ")
    return Choice(number, file, name, run.options.model, run.options.mode, str(detector), problem)
