"""A trained model at work on videos that belong to no data set."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import get_args

from vidsgg.assembly.drawn import graph_notes
from vidsgg.assembly.saved_run import ReadyModel, SavedRun, reads_boxes
from vidsgg.assembly.video_defaults import FLOOR, FPS, TRACKER, Tracking
from vidsgg.detectors.base import BoxDetector
from vidsgg.detectors.record import weights_digest
from vidsgg.errors import ConfigError
from vidsgg.inference.intervals import IntervalRules, RelationTimeline
from vidsgg.inference.trackers import Tracker, make_tracker
from vidsgg.inference.video import GraphRules, Scorer, Window, video_graphs
from vidsgg.io.ahead import ahead
from vidsgg.io.box_files import BoxFile, read_boxes
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.footage import Footage, FootageFrame, frame_bytes, open_footage
from vidsgg.io.identity import content_of
from vidsgg.io.locations import Location
from vidsgg.methods.registry import find_method
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.graph import GraphFrame, Origin, VideoFile, VideoGraph
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class VideoSettings:
    """What is asked of videos."""

    fps: float = FPS  # graphs a second; of a folder of pictures, which are all used, how many were taken a second
    boxes: Path | None = None  # table (CSV) or graph file (JSON) of boxes, for predcls and sgcls
    threshold: float | None = None  # from which on predicates are shown; None: each group's own
    least_score: float | None = None  # of detections; None: the detector's own
    uncertainty_threshold: float | None = None  # above it an edge is marked as uncertain; None: as trained
    tracker: Tracking = TRACKER  # how things get their ids

    def __post_init__(self) -> None:
        if not 0 < self.fps < math.inf:
            raise ConfigError(f"option -fps: {self.fps} is not a positive number of graphs a second.")
        for name in ("threshold", "least_score"):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) <= 1:
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
            f"{run.file} relates actions ({', '.join(schema.vocabulary.subjects[:3])}, ...) to objects, as EASG"
            " does. Actions and objects come with its annotated clips, not from a video. Name one of its clips"
            " with -video, without a video file."
        )
    if reads_boxes(run):
        return schema
    if mode != "sgdet" and not boxes:
        raise ConfigError(
            f"{run.file} is a model for {mode}, which needs boxes: pass them as -boxes FILE, or use a checkpoint"
            " of mode sgdet, which finds them itself."
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
        mode, unsure = ready.source.mode, unsure_above(run, settings.uncertainty_threshold)
        box_rules = _box_rules(ready, settings)
        self.scorer = _scorer_of(ready, self.schema.of_own_videos(), box_rules)
        groups = self.schema.vocabulary.groups
        self.shown_from = tuple(
            (group.name, group.shown_from if settings.threshold is None else settings.threshold) for group in groups
        )
        floor = min(FLOOR, *(least for _, least in self.shown_from))
        self.rules = GraphRules(floor, box_rules.least_score if mode == "sgdet" else 0.0, unsure, best=False)
        objects = self.schema.vocabulary.objects
        self.boxes: BoxFile | None = (
            None if settings.boxes is None else read_boxes(settings.boxes, objects, mode == "predcls")
        )
        self.notes = graph_notes(run)
        self.tracker()  # its library must be there before any video is looked at
        values = {"floor": floor}
        values |= {name: float(value) for name, value in asdict(box_rules).items()} if self.boxes is None else {}
        values |= {} if unsure is None else {"uncertainty_threshold": unsure}
        values |= {} if settings.boxes is None else {"boxes_crc32": float(zlib.crc32(settings.boxes.read_bytes()))}
        origin = origin_of(run, ready, settings.fps if self.boxes is None else None, values)
        self.origin = replace(
            origin,
            tracker=None if self.boxes and self.boxes.tracked else settings.tracker,
            shown_from=self.shown_from,
            on_request=tuple(name for group in groups for name in group.on_request),
        )

    @property
    def left_out(self) -> Mapping[str, int]:
        """In how many pictures so far the detector saw each label that is no class of the model."""
        source = self.ready.source
        detector = source.boxes or source.detector
        return {} if detector is None else detector.left_out

    def tracker(self) -> Tracker:
        """A new one, for one video."""
        return make_tracker(self.settings.tracker, self.settings.fps)

    def open(self, video: Location) -> tuple[Footage, GivenBoxes | None]:
        """The frames that are wanted of a video, and its boxes where they are given. Raises
        DataError naming the video."""
        boxes = None if self.boxes is None else self.boxes.of(video)
        return open_footage(video, self.settings.fps, None if boxes is None else boxes.frames.keys()), boxes

    def frames(
        self, name: str, frames: Iterable[FootageFrame], boxes: GivenBoxes | None = None
    ) -> Iterator[GraphFrame]:
        """Graphs of frames in order, with ids of things. Where things are detected, all frames are
        looked at before the first graph comes, see ``inference.whole_tracks``."""
        return video_graphs(name, frames, self.scorer, self.rules, self.window, boxes, self.tracker())

    @property
    def window(self) -> Window:
        """How a video is cut: windows overlap by what the model looks back on, if that is known."""
        looks_back = find_method(self.run.options.model).capabilities.looks_back
        return Window() if looks_back is None else Window(overlap=looks_back)

    @property
    def interval_rules(self) -> IntervalRules:
        """By which relations are intervals: a group's reaches what it is shown from."""
        return IntervalRules(high_of=self.shown_from)

    def live(self, name: str, frames: Iterable[FootageFrame], delay: int = 0) -> Iterator[GraphFrame]:
        """As ``frames``, but the graph of a frame comes at the latest when ``delay`` further frames
        have been read, and tracks are judged by what was seen of them so far. Raises
        ConfigError for a negative delay."""
        if delay < 0:
            raise ConfigError(f"delay is {delay} frames; the least is 0.")
        window = replace(self.window, frames=delay + 1)
        return video_graphs(name, frames, self.scorer, self.rules, window, tracker=self.tracker(), live=True)

    def graph(self, video: Location) -> VideoGraph:
        """The whole graph of a video, in memory. Raises DataError if the video cannot be read."""
        footage, boxes = self.open(video)
        timeline, frames = RelationTimeline(), list[GraphFrame]()
        for frame in self.frames(footage.name, ahead(footage.frames(), frame_bytes), boxes):
            timeline.add(frame)
            frames.append(frame)
        notes = (*self.notes, *footage.notes, *(boxes.notes() if boxes else ()))
        made_by = replace(self.origin, notes=notes, source=str(video.resolve()))
        known = video_file(video, footage)
        return VideoGraph(
            footage.name,
            self.schema.name,
            tuple(frames),
            timeline.intervals(self.interval_rules),
            made_by,
            self.schema,
            known,
        )


def video_file(video: Location, footage: Footage) -> VideoFile:
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
            f"option -uncertainty_threshold: {run.file} is of model {run.options.model!r}, which estimates no"
            " uncertainty; leave it out."
        )
    return trained if given is None else given


def origin_of(
    run: SavedRun, ready: ReadyModel, fps: float | None = None, settings: dict[str, float] | None = None
) -> Origin:
    """What graphs say of what made them."""
    key = ready.source.key
    boxes = ready.source.boxes
    found_by = key.weights if key else boxes.digest() if boxes else ""
    weights = weights_digest(run.checkpoint.weights) + found_by
    return Origin(
        model=run.options.model,
        mode=ready.source.mode,
        checkpoint=f"{run.file} (built in)" if run.built_in else f"{run.file.resolve().parent.name}/{run.file.name}",
        weights=hashlib.sha256(weights.encode()).hexdigest(),
        detector=key.detector_name if key else _named(boxes) if boxes else None,
        fps=fps,
        settings=tuple((settings or {}).items()),
    )


def _named(detector: BoxDetector) -> str:
    """Its architecture, and what computed it where that is not the default."""
    used = detector.inference
    return detector.architecture if used.is_default else f"{detector.architecture} ({used})"


def _box_rules(ready: ReadyModel, settings: VideoSettings) -> BoxRules:
    """The detector's rules, or those that follow from the least score that is asked for."""
    source = ready.source
    detector = source.boxes or source.detector
    rules = BoxRules() if detector is None else detector.rules
    if settings.least_score is None:
        return rules
    # What is asked for goes for tracks as well: where it is below the detector's own, no track is
    # left out for its scores alone.
    return replace(rules, least_score=settings.least_score, track_score=settings.least_score)


def _scorer_of(ready: ReadyModel, schema: Schema, box_rules: BoxRules) -> Scorer:
    source = ready.source
    # Where subjects are things like others, a frame is not about a few of them.
    extractor = source.extractor(learn=False, subjects_from=None if schema.mutual else box_rules.least_score)
    return Scorer(
        ready.model,
        extractor,
        schema,
        source.mode,
        source.device,
        ready.options.exclusive_decoding,
        None if source.boxes is None else source.boxes.find,
        box_rules,
        find_method(ready.options.model).capabilities.all_subjects,
    )
