"""A trained model at work on videos that belong to no data set."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

from vidsgg.assembly.drawn import drawn_note
from vidsgg.assembly.saved_run import ReadyModel, SavedRun
from vidsgg.assembly.video_defaults import FPS, LEAST_SCORE, THRESHOLD, TRACKER, Tracking
from vidsgg.detectors.record import weights_digest
from vidsgg.errors import ConfigError
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.inference.trackers import Tracker, make_tracker
from vidsgg.inference.video import GraphRules, Scorer, Window, video_graphs
from vidsgg.io.box_files import BoxFile, read_boxes
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.footage import Footage, FootageFrame, open_footage
from vidsgg.io.identity import content_of
from vidsgg.methods.registry import find_method
from vidsgg.structures.graph import GraphFrame, Origin, VideoFile, VideoGraph
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class VideoSettings:
    """What is asked of videos."""

    fps: float = FPS  # graphs a second; of a folder of pictures, which are all used, how many were taken a second
    boxes: Path | None = None  # table (CSV) or graph file (JSON) of boxes, for predcls and sgcls
    threshold: float = THRESHOLD
    least_score: float = LEAST_SCORE  # of sgdet
    uncertainty_threshold: float | None = None  # above it an edge is marked as uncertain; None: as trained
    tracker: Tracking = TRACKER  # how things get their ids

    def __post_init__(self) -> None:
        if not 0 < self.fps < math.inf:
            raise ConfigError(f"option -fps: {self.fps} is not a positive number of graphs a second.")
        for name in ("threshold", "least_score"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"option -{name}: {getattr(self, name)} is not a number from 0 to 1.")
        if self.tracker not in get_args(Tracking):
            raise ConfigError(
                f"option -tracker: there is no {self.tracker!r}; there are {', '.join(get_args(Tracking))}."
            )


def check_reads_videos(run: SavedRun, *, boxes: bool = False) -> Schema:
    """What the checkpoint knows of the world. boxes: whether they are given. Raises ConfigError
    with the remedy if it cannot read a video, or not in this way."""
    mode, schema = run.options.mode, run.checkpoint.schema
    if not schema.subject_has_box:
        raise ConfigError(
            f"{run.file} relates actions ({', '.join(schema.vocabulary.subjects[:3])}, ...) to things, as EASG does:"
            " which actions and things there are comes with its annotated clips, not from a video. Name one of its"
            " clips with -video, without a video file."
        )
    if mode != "sgdet" and not boxes:
        raise ConfigError(
            f"{run.file} is a model for {mode}, which reads given boxes: give them with -boxes FILE, or take a"
            " checkpoint of mode sgdet, which finds them itself."
        )
    if mode == "sgdet" and boxes:
        raise ConfigError(
            f"{run.file} is a model for sgdet, which finds boxes itself: leave out -boxes, or take one of mode predcls"
            " or sgcls."
        )
    find_method(run.options.model).capabilities.check(run.options.model, mode, schema)
    return schema


class VideoPredictor:
    """A model, its detector and what was asked, ready for one video after another."""

    def __init__(self, run: SavedRun, ready: ReadyModel, settings: VideoSettings) -> None:
        """Raises ConfigError or DataError if the settings do not fit the model, before any video is
        looked at."""
        self.run, self.ready, self.settings = run, ready, settings
        self.schema = check_reads_videos(run, boxes=settings.boxes is not None)
        self.scorer = _scorer_of(ready, self.schema)
        mode = run.options.mode
        unsure = unsure_above(run, settings.uncertainty_threshold)
        self.rules = GraphRules(settings.threshold, settings.least_score if mode == "sgdet" else 0.0, unsure)
        objects = self.schema.vocabulary.objects
        self.boxes: BoxFile | None = (
            None if settings.boxes is None else read_boxes(settings.boxes, objects, mode == "predcls")
        )
        self.drawn = drawn_note(run)
        self.tracker()  # its library must be there before any video is looked at
        values = {"threshold": self.rules.threshold, "least_score": self.rules.least}
        values |= {} if unsure is None else {"uncertainty_threshold": unsure}
        values |= {} if settings.boxes is None else {"boxes_crc32": float(zlib.crc32(settings.boxes.read_bytes()))}
        origin = origin_of(run, ready, settings.fps if self.boxes is None else None, values)
        self.origin = replace(origin, tracker=None if self.boxes and self.boxes.tracked else settings.tracker)

    def tracker(self) -> Tracker:
        """A new one, for one video."""
        return make_tracker(self.settings.tracker, self.settings.fps)

    def open(self, video: Path) -> tuple[Footage, GivenBoxes | None]:
        """The frames that are wanted of a video, and its boxes where they are given. Raises
        DataError naming the video."""
        boxes = None if self.boxes is None else self.boxes.of(video)
        return open_footage(video, self.settings.fps, None if boxes is None else boxes.frames.keys()), boxes

    def frames(
        self, name: str, frames: Iterable[FootageFrame], boxes: GivenBoxes | None = None
    ) -> Iterator[GraphFrame]:
        """Graphs of frames in order, with ids of things. They come a window of frames at a time,
        see ``inference.video.Window``."""
        return video_graphs(name, frames, self.scorer, self.rules, boxes=boxes, tracker=self.tracker())

    def live(self, name: str, frames: Iterable[FootageFrame], delay: int = 0) -> Iterator[GraphFrame]:
        """As ``frames``, but the graph of a frame comes at the latest when ``delay`` further frames
        have been read. Raises ConfigError for a negative delay."""
        if delay < 0:
            raise ConfigError(f"delay is {delay} frames; the least is 0.")
        window = Window(frames=delay + 1)
        return video_graphs(name, frames, self.scorer, self.rules, window, tracker=self.tracker())

    def graph(self, video: Path) -> VideoGraph:
        """The whole graph of a video, in memory. Raises DataError if the video cannot be read."""
        footage, boxes = self.open(video)
        timeline, frames = RelationTimeline(), list[GraphFrame]()
        for frame in self.frames(footage.name, footage.frames(), boxes):
            timeline.add(frame)
            frames.append(frame)
        notes = (*self.drawn, *footage.notes, *(boxes.notes() if boxes else ()))
        made_by = replace(self.origin, notes=notes, source=str(video.resolve()))
        known = video_file(video, footage)
        return VideoGraph(
            footage.name, self.schema.name, tuple(frames), timeline.intervals(), made_by, self.schema, known
        )


def video_file(video: Path, footage: Footage) -> VideoFile:
    """What a video is known by."""
    content, seconds = content_of(video), footage.time_of(footage.count)
    return VideoFile(
        content.size, content.digest, footage.count, round((footage.count - 1) / seconds, 6) if seconds > 0 else None
    )


def unsure_above(run: SavedRun, given: float | None) -> float | None:
    """The uncertainty above which edges are marked; None of models that know none. Raises
    ConfigError if it is asked for of those."""
    trained = find_method(run.options.model).unsure_above(run.options)
    if trained is None and given is not None:
        raise ConfigError(
            f"option -uncertainty_threshold: {run.file} is of model {run.options.model!r}, which knows no uncertainty;"
            " leave it out."
        )
    return trained if given is None else given


def origin_of(
    run: SavedRun, ready: ReadyModel, fps: float | None = None, settings: dict[str, float] | None = None
) -> Origin:
    """What graphs say of what made them."""
    key = ready.source.key
    weights = weights_digest(run.checkpoint.weights) + (key.weights if key else "")
    return Origin(
        model=run.options.model,
        mode=run.options.mode,
        checkpoint=f"{run.file.resolve().parent.name}/{run.file.name}",
        weights=hashlib.sha256(weights.encode()).hexdigest(),
        detector=key.detector_name if key else None,
        fps=fps,
        settings=tuple((settings or {}).items()),
    )


def _scorer_of(ready: ReadyModel, schema: Schema) -> Scorer:
    source = ready.source
    extractor = source.extractor(learn=False)
    return Scorer(ready.model, extractor, schema, source.mode, source.device, ready.options.exclusive_decoding)
