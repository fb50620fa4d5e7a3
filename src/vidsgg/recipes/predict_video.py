"""Graphs of videos that belong to no data set: one file each, several at a time, going on where an earlier call was stopped."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from vidsgg.assembly.drawn import drawn_note
from vidsgg.assembly.saved_run import read_run
from vidsgg.engine.processes import cores, run_tasks
from vidsgg.errors import ConfigError, DataError
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.inference.trackers import make_tracker
from vidsgg.inference.video import GraphRules, video_graphs
from vidsgg.io.atomic import remove_left_behind
from vidsgg.io.box_files import read_boxes
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.footage import Footage, FootageFrame, FramesDone, open_footage
from vidsgg.io.graphs import graph_writer, path_to
from vidsgg.io.identity import content_of
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.graph_places import GraphPlace, graph_places
from vidsgg.recipes.graph_videos import check_video
from vidsgg.recipes.predict_model import check_run, load_for_videos, origin_of, scorer_of, unsure_above
from vidsgg.recipes.videos import find_videos
from vidsgg.structures.graph import VideoFile

FOLDER = "graphs"


@dataclass(frozen=True)
class VideoDone:
    """What became of a video. file: its graph. problem: why there is none. frames: 0 if the graph was there already."""

    video: Path
    file: Path
    frames: int = 0
    relations: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    problem: str | None = None

    def text(self) -> str:
        if not self.frames:
            line = f"{self.video}: {self.file} is there already"
        else:
            rate = self.frames / max(self.seconds, 1e-9)
            line = f"{self.video}: {self.frames} frames, {self.relations} relations over time, {rate:.1f} frames a second -> {self.file}"
        return "\n".join([line, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class _Setup:
    """Makes a process ready: it has its own model, and its share of the processor."""

    options: PredictOptions

    def __call__(self, number: int) -> Callable[[GraphPlace], VideoDone]:
        if self.options.jobs > 1:
            torch.set_num_threads(max(1, cores() // self.options.jobs))
        return _Predictor(self.options).predict


def run_video_prediction(options: PredictOptions) -> Iterator[VideoDone]:
    """Predict videos of the user's own and write their graphs. Everything that can be wrong with the options is found before any of it.

    A video that cannot be read costs its own graph only; ``problem`` says what is wrong. Graphs of the same videos that are there are kept
    if they were made alike. Raises ConfigError if they were not.
    """
    if options.video != PredictOptions.video or options.split != PredictOptions.split:
        raise ConfigError("options -video and -split name a video of a data set; leave them out, or the videos of your own.")
    folder = Path(options.out or FOLDER)
    videos = find_videos(options.videos)
    predictor = _Predictor(options)
    if predictor.boxes is not None:
        predictor.boxes.check(videos)
    remove_left_behind(folder)  # also if there is nothing left to write
    print("\n".join(predictor.lines), flush=True)
    waiting = []
    for place in graph_places(videos, folder, predictor.origin, options.overwrite):
        if place.done or place.problem:
            yield VideoDone(place.video, place.file, notes=_noted(place), problem=place.problem)
        else:
            waiting.append(place)
    jobs = min(options.jobs, len(waiting))
    if jobs > 1:
        del predictor  # every process has its own
        yield from tqdm(run_tasks(_Setup(options), waiting, jobs), total=len(waiting), desc="videos", unit="video", disable=None)
    else:
        yield from map(predictor.predict, waiting)


def predict_one(options: PredictOptions, video: Path, file: Path, name: str, watch: FramesDone) -> VideoDone:
    """Write the graph of one video, also where there is one, for a program of its own. name: what the video is called in it.

    Raises ConfigError and CheckpointError as run_video_prediction does; what is wrong with the video is told in the answer.
    """
    return _Predictor(options, watch, name).predict(GraphPlace(video, file))


def _noted(place: GraphPlace) -> tuple[str, ...]:
    return () if place.note is None else (place.note,)


class _Predictor:
    """A model at work on one video after another. name: what a video is called in its graph, by default as its file."""

    def __init__(self, options: PredictOptions, watch: FramesDone | None = None, name: str | None = None) -> None:
        self._watch, self._name = watch, name
        run = read_run(Path(options.checkpoint), model=options.model)
        schema = check_run(run, options)
        trained, self._drawn = load_for_videos(run, schema, options), drawn_note(run)
        self._options, self._schema, self._scorer = options, schema, scorer_of(trained, schema)
        sgdet = run.options.mode == "sgdet"
        unsure = unsure_above(run, options)
        self._rules = GraphRules(options.threshold, options.least_score if sgdet else 0.0, unsure)
        self.boxes = (
            None if options.boxes is None else read_boxes(Path(options.boxes), schema.vocabulary.objects, run.options.mode == "predcls")
        )
        settings = {"threshold": options.threshold, "least_score": self._rules.least}
        settings |= {} if unsure is None else {"uncertainty_threshold": unsure}
        if options.boxes is not None:
            settings["boxes_crc32"] = float(zlib.crc32(Path(options.boxes).read_bytes()))
        make_tracker(options.tracker, options.fps)  # its library must be there before any video is looked at
        origin = origin_of(run, trained, options.fps if self.boxes is None else None, settings)
        self.origin = replace(origin, tracker=None if self.boxes and self.boxes.tracked else options.tracker)
        self.lines = [
            f"model: {run.options.model}, mode {run.options.mode}, from {run.file}, on {trained.source.device}",
            *trained.source.lines,
            *self._drawn,
        ]

    def predict(self, place: GraphPlace) -> VideoDone:
        """Write the graph of a video. What is wrong with the video is told in the answer."""
        started = time.perf_counter()
        try:
            boxes, notes = self._boxes_of(place.video)
            footage = open_footage(place.video, self._options.fps, None if boxes is None else boxes.frames.keys())
            footage.name = self._name or footage.name
            frames, relations = self._write(place, footage, boxes, notes)
        except DataError as error:
            return VideoDone(place.video, place.file, problem=str(error))
        return VideoDone(place.video, place.file, frames, relations, time.perf_counter() - started, (*_noted(place), *notes))

    def _write(self, place: GraphPlace, footage: Footage, boxes: GivenBoxes | None, notes: list[str]) -> tuple[int, int]:
        """Numbers of frames and of relations over time. notes: gets what a reader of the graph should know."""
        timeline, count = RelationTimeline(), 0
        tracker = make_tracker(self._options.tracker, self._options.fps)
        content = content_of(place.video)
        video = VideoFile(content.size, content.digest, footage.count, _rate(footage))
        with graph_writer(place.file, footage.name, self._schema.name, self._schema.vocabulary, video) as writer:
            for frame in video_graphs(footage.name, self._watched(footage), self._scorer, self._rules, boxes=boxes, tracker=tracker):
                writer.add(frame)
                timeline.add(frame)
                count += 1
            relations = timeline.intervals()
            notes += [*footage.notes, *(boxes.notes() if boxes else ())]
            writer.finish(relations, replace(self.origin, notes=(*self._drawn, *notes), source=path_to(place.video, place.file)))
        return count, len(relations)

    def _watched(self, footage: Footage) -> Iterator[FootageFrame]:
        """The frames, while somebody is told how many there have been."""
        hidden = True if self._options.jobs > 1 or self._watch else None  # None: unless there is a terminal
        pictures = tqdm(footage.frames(), total=len(footage.numbers), desc=footage.name, unit="frame", disable=hidden)
        for done, frame in enumerate(pictures):
            if self._watch is not None:
                self._watch(done, len(footage.numbers))
            yield frame

    def _boxes_of(self, video: Path) -> tuple[GivenBoxes | None, list[str]]:
        """The boxes of a video, and what a reader should know of them. Raises DataError if there are none, or those of another video."""
        if self.boxes is None:
            return None, []
        return self.boxes.of(video), check_video(self.boxes.source, str(self.boxes.path), video)


def _rate(footage: Footage) -> float | None:
    """Frames a second on average."""
    seconds = footage.time_of(footage.count)
    return round((footage.count - 1) / seconds, 6) if seconds > 0 else None
