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
from vidsgg.app.wording import in_app
from vidsgg.assembly.detectors import build_box_detector, default_detector
from vidsgg.assembly.drawn import SHORT, learnt_from_drawings
from vidsgg.assembly.saved_run import (
    SHARED_FILES,
    SavedRun,
    built_in_run,
    detector_places,
    find_detector_of,
    lacks_detector,
    looks_at_pictures,
    read_run,
    reads_boxes,
    sees_pictures,
)
from vidsgg.assembly.sources import open_box_source, open_source
from vidsgg.assembly.video_predictor import check_reads_videos
from vidsgg.detectors.label_files import NO_LABELS, LabelFiles
from vidsgg.detectors.record import DetectorRecord
from vidsgg.detectors.registry import named_detector
from vidsgg.engine.checkpoint_files import SHARED
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.io.hub import fetch, is_hub_address
from vidsgg.methods.registry import built_in_models
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

FOLDER = "output"
_BLIND = "guesses relations from boxes; no model sees the picture"
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
    drawn: bool = False  # learnt from drawn films, and knows no real ones


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

    def __init__(
        self,
        places: Sequence[str],
        built_in: Sequence[CheckpointChoice] = (),
        finder: BoxFinder | None = None,
    ) -> None:
        """finder: what finds boxes for models that come without a detector. Raises ConfigError if a place
        that was named is not there or holds no checkpoint."""
        self._built_in, self._finder = list(built_in), finder or BoxFinder.of(None)
        self._places = [
            fetch(place, SHARED_FILES, SHARED) if is_hub_address(place) else Path(place)
            for place in places or (FOLDER,)
        ]
        self._known: dict[Path, _Look] = {}
        self._records: dict[tuple[str, Stamp | None, tuple[str, ...], bool], DetectorRecord | None] = {}
        self._lock = threading.Lock()
        self._named = bool(places)
        check_named(places)

    def __call__(self) -> list[CheckpointChoice]:
        """All of them: those that read plain videos first, of these the latest. Unless places were named,
        what learnt from drawn films comes after the built-in models."""
        with self._lock:
            looks = [look for file in dict.fromkeys(self._found()) if (look := self._look(file)) is not None]
        found = [look.choice for look in sorted(looks, key=lambda look: -look.stamp[0])]
        return sorted(
            [*found, *self._built_in],
            key=lambda choice: (choice.problem is not None, choice.drawn and not self._named),
        )

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
            drawn = learnt_from_drawings(run)
            note = "; ".join(filter(None, (SHORT if drawn else "", "" if sees_pictures(run) else _BLIND)))
            choice = replace(choice, model=run.options.model, mode=run.options.mode, note=note, drawn=drawn)
            check_reads_videos(run)
            if lacks_detector(run):
                choice = self._finder.applied(choice, run.checkpoint.schema)
            elif looks_at_pictures(run):
                places = detector_places(run)
                record_of = partial(self._record_of, run)
                record = record_of(find_detector_of(run, (), record_of))
                choice = replace(choice, detector=record.architecture if record else "")
        except VidsggError as error:
            choice = replace(choice, problem=in_app(str(error).removeprefix(f"{file} ").removeprefix(f"{file}: ")))
        except Exception as error:  # a file that is not as it should be costs itself only
            traceback.print_exc()
            choice = replace(
                choice, problem=f"cannot be used; it may be damaged ({type(error).__name__}: {str(error)[:200]})."
            )
        return _Look(stamp, tuple((place, _stamp(Path(place))) for place in places), choice)

    def _record_of(self, run: SavedRun, name: str) -> DetectorRecord | None:
        """What a detector is; one and the same is mostly that of many checkpoints."""
        schema, boxes = run.checkpoint.schema, reads_boxes(run)
        key = name, _stamp(Path(name)), schema.vocabulary.objects, boxes
        if key not in self._records:
            named = named_detector(name)
            file = None if named is None else named[0].download(named[1])
            if file is not None and not file.is_file():
                raise ConfigError(f"the weights of {name} are not on this machine, and the app downloads nothing")
            here = torch.device("cpu")
            source = (
                open_box_source(schema, here, FeatureWidths(), name)
                if boxes
                else open_source(Path(), schema, "sgdet", here, looks=True, detector=name)
            )
            self._records[key] = source.detector_record()
        return self._records[key]


@dataclass(frozen=True)
class BoxFinder:
    """What finds boxes for models that come without a detector."""

    detector: str | None  # its name or file; None: there is none
    labels: LabelFiles = NO_LABELS  # what the user says of its labels
    problem: str | None = None  # why there is none

    @staticmethod
    def of(detector: str | None, labels: LabelFiles = NO_LABELS) -> BoxFinder:
        """detector: as the user names it; None: the one that is taken where none is named, if its weights
        are on this machine. Raises ConfigError if something is said of the labels of none."""
        if detector is not None:
            return BoxFinder(detector, labels)
        labels.refuse("the detector that is taken where none is named", "knows its labels")
        name, there = default_detector()
        if there:
            return BoxFinder(name)
        return BoxFinder(
            None,
            problem=(
                f"needs a detector, and the app downloads nothing: run 'vidsgg predict VIDEO' once, which downloads {name}, or"
                " start the app with -detector, such as an ONNX file."
            ),
        )

    def applied(self, choice: CheckpointChoice, schema: Schema) -> CheckpointChoice:
        """The choice with this detector, or with the reason why it needs one. Raises ConfigError or
        CheckpointError if the detector cannot be used with the classes of the schema."""
        if self.detector is None:
            return replace(choice, problem=self.problem)
        build_box_detector(self.detector, schema, torch.device("cpu"), self.labels)
        return replace(choice, detector=Path(self.detector).name)


def built_in_choices(finder: BoxFinder) -> list[CheckpointChoice]:
    """The models that need no training. finder: what finds boxes for them. Raises as its ``applied``."""
    choices = []
    for name in built_in_models():
        run = built_in_run(name)
        number = hashlib.sha256(f"built in: {name}".encode()).hexdigest()[:16]
        title = f"{name} (needs no training)"
        choice = CheckpointChoice(number, Path(name), title, name, run.options.mode, note=_BLIND)
        choices.append(finder.applied(choice, run.checkpoint.schema))
    return choices


def _stamp(file: Path) -> Stamp | None:
    """None where no file is."""
    try:
        status = file.stat()
    except (OSError, ValueError):
        return None
    return (status.st_mtime_ns, status.st_size) if stat.S_ISREG(status.st_mode) else None
