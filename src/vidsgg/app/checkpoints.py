"""The checkpoints that the app offers: found on the disk, never named by a browser."""

from __future__ import annotations

import hashlib
import stat
import threading
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch

from vidsgg.app.named import check_named, files_of
from vidsgg.assembly.detectors import build_box_detector, default_detector
from vidsgg.assembly.drawn import SHORT, learnt_from_drawings
from vidsgg.assembly.saved_run import (
    SHARED_FILES,
    built_in_run,
    detector_places,
    find_detector_of,
    looks_at_pictures,
    read_run,
)
from vidsgg.assembly.sources import open_source
from vidsgg.assembly.video_predictor import check_reads_videos
from vidsgg.detectors.record import DetectorRecord
from vidsgg.detectors.registry import named_detector
from vidsgg.engine.checkpoint_files import SHARED
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.io.hub import fetch, is_hub_address
from vidsgg.methods.registry import built_in_models
from vidsgg.structures.schema import Schema

FOLDER = "output"
Stamp = tuple[int, int]  # when a file changed, in nanoseconds, and its size


@dataclass(frozen=True)
class CheckpointChoice:
    """A checkpoint to choose."""

    id: str  # what a browser calls it
    file: Path
    name: str
    model: str = ""
    mode: str = ""
    detector: str = ""  # its architecture; empty where nothing looks at pictures
    problem: str | None = None  # why it cannot be run on plain videos
    note: str = ""  # what one should know before one chooses it


@dataclass(frozen=True)
class _Look:
    """What was seen when a checkpoint was looked into."""

    stamp: Stamp
    places: tuple[tuple[str, Stamp | None], ...]  # where its detector may be, as it was then; None: no such file
    choice: CheckpointChoice

    def holds(self, stamp: Stamp) -> bool:
        """Whether nothing has changed since then."""
        return self.stamp == stamp and all(_stamp(Path(name)) == then for name, then in self.places)


class Checkpoints:
    """What is there now; files are looked into again only when they, or the files of their
    detectors, have changed. Safe to call from any thread."""

    def __init__(self, places: Sequence[str], built_in: Sequence[CheckpointChoice] = ()) -> None:
        """Raises ConfigError if a place that was named is not there or holds no checkpoint."""
        self._built_in = list(built_in)
        self._places = [
            fetch(place, SHARED_FILES, SHARED) if is_hub_address(place) else Path(place)
            for place in places or (FOLDER,)
        ]
        self._known: dict[Path, _Look] = {}
        self._records: dict[tuple[str, Stamp | None, tuple[str, ...]], DetectorRecord | None] = {}
        self._lock = threading.Lock()
        check_named(places)

    def __call__(self) -> list[CheckpointChoice]:
        """All of them, those that read plain videos first, then the latest."""
        with self._lock:
            looks = [look for file in dict.fromkeys(self._found()) if (look := self._look(file)) is not None]
        found = [look.choice for look in sorted(looks, key=lambda look: -look.stamp[0])]
        return sorted([*found, *self._built_in], key=lambda choice: choice.problem is not None)

    def _found(self) -> Iterator[Path]:
        return (file.resolve() for place in self._places for file in files_of(place))

    def _look(self, file: Path) -> _Look | None:
        stamp = _stamp(file)
        if stamp is None:  # a run at work has just replaced it, or it is no file
            return None
        known = self._known.get(file)
        if known is None or not known.holds(stamp):
            known = self._known[file] = self._looked_into(file, stamp)
        return known

    def _looked_into(self, file: Path, stamp: Stamp) -> _Look:
        number, name = hashlib.sha256(str(file).encode("utf-8", "replace")).hexdigest()[:16], file.parent.name
        if not file.name.startswith("checkpoint_"):
            name = f"{name}/{file.name}"
        choice, places = CheckpointChoice(number, file, name), tuple[str, ...]()
        try:
            run = read_run(file, mmap=True)
            note = SHORT if learnt_from_drawings(run) else ""
            choice = replace(choice, model=run.options.model, mode=run.options.mode, note=note)
            check_reads_videos(run)
            if looks_at_pictures(run):
                places = detector_places(run)
                record_of = partial(self._record_of, run.checkpoint.schema)
                record = record_of(find_detector_of(run, (), record_of))
                choice = replace(choice, detector=record.architecture if record else "")
        except VidsggError as error:
            choice = replace(choice, problem=str(error).removeprefix(f"{file} ").removeprefix(f"{file}: "))
        except Exception as error:  # a file that is not as it should be costs itself only
            traceback.print_exc()
            choice = replace(
                choice, problem=f"cannot be used; it may be damaged ({type(error).__name__}: {str(error)[:200]})."
            )
        return _Look(stamp, tuple((place, _stamp(Path(place))) for place in places), choice)

    def _record_of(self, schema: Schema, name: str) -> DetectorRecord | None:
        """What a detector is; one and the same is mostly that of many checkpoints."""
        key = name, _stamp(Path(name)), schema.vocabulary.objects
        if key not in self._records:
            named = named_detector(name)
            file = None if named is None else named[0].download(named[1])
            if file is not None and not file.is_file():
                raise ConfigError(f"the weights of {name} are not on this machine, and the app downloads nothing")
            self._records[key] = open_source(
                Path(), schema, "sgdet", torch.device("cpu"), looks=True, detector=name
            ).detector_record()
        return self._records[key]


def built_in_choices(detector: str | None) -> tuple[list[CheckpointChoice], str | None]:
    """The models that need no training, and the detector that finds boxes for them.

    detector: as the user names it; None: the one that is taken where none is named, if its weights
    are on this machine. Raises ConfigError or CheckpointError if a detector that is named cannot be
    used.
    """
    problem = None
    if detector is None:
        name, there = default_detector()
        detector = name if there else None
        problem = (
            None
            if there
            else (
                f"needs a detector, and the app downloads nothing: run 'vidsgg predict VIDEO' once, which downloads {name}, or"
                " start the app with -detector, such as an ONNX file."
            )
        )
    choices = []
    for name in built_in_models():
        run = built_in_run(name)
        if detector is not None:
            build_box_detector(detector, run.checkpoint.schema, torch.device("cpu"))
        number = hashlib.sha256(f"built in: {name}".encode()).hexdigest()[:16]
        choices.append(
            CheckpointChoice(
                number,
                Path(name),
                f"{name} (needs no training)",
                name,
                run.options.mode,
                "" if detector is None else Path(detector).name,
                problem,
                "guesses relations from boxes; no model sees the picture",
            )
        )
    return choices, detector


def _stamp(file: Path) -> Stamp | None:
    """None where no file is."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None
