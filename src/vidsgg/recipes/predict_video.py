"""Graphs of videos that belong to no data set: one file each, several at a time, going on where an earlier call was stopped."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tqdm import tqdm

from vidsgg.engine.processes import cores, run_tasks
from vidsgg.errors import ConfigError, DataError
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.inference.trackers import make_tracker
from vidsgg.inference.video import GraphRules, have_tracks, video_graphs
from vidsgg.io.boxes import FrameBoxes, read_boxes
from vidsgg.io.footage import PICTURES, VIDEOS, Footage, FootageFrame, open_footage, picture_files
from vidsgg.io.graphs import SUFFIX, graph_writer, path_to, read_graph
from vidsgg.options import closest
from vidsgg.recipes.options import PredictOptions
from vidsgg.recipes.predict_model import check_run, load_for_videos, origin_of, scorer_of, unsure_above
from vidsgg.recipes.runs import read_run
from vidsgg.structures.graph import Origin

FOLDER = "graphs"
Watch = Callable[[int, int], None]  # is called with the number of frames that are decoded, and with that of all


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
            return f"{self.video}: {self.file} is there already"
        rate = self.frames / max(self.seconds, 1e-9)
        lines = [f"{self.video}: {self.frames} frames, {self.relations} relations over time, {rate:.1f} frames a second -> {self.file}"]
        return "\n".join(lines + [f"  {note}" for note in self.notes])


@dataclass(frozen=True)
class _Task:
    """name: what the video is called in its graph; None: as its file."""

    video: Path
    file: Path
    name: str | None = None


@dataclass(frozen=True)
class _Setup:
    """Makes a process ready: it has its own model, and its share of the processor."""

    options: PredictOptions

    def __call__(self, number: int) -> Callable[[_Task], VideoDone]:
        if self.options.jobs > 1:
            torch.set_num_threads(max(1, cores() // self.options.jobs))
        return _Predictor(self.options).predict


def run_video_prediction(options: PredictOptions) -> Iterator[VideoDone]:
    """Predict videos of the user's own and write their graphs. Everything that can be wrong with the options is found before any of it.

    A video that cannot be read costs its own graph only; its problem is told. Graphs that are there are kept if they were made
    alike. Raises ConfigError if they were not, or if two videos would have the same graph file.
    """
    if options.video != PredictOptions.video or options.split != PredictOptions.split:
        raise ConfigError("options -video and -split name a video of a data set; leave them out, or the videos of your own.")
    folder = Path(options.out or FOLDER)
    tasks = _tasks(find_videos(options.videos), folder)
    predictor = _Predictor(options)
    print("\n".join(predictor.lines), flush=True)
    waiting = []
    for task in tasks:
        if not options.overwrite and _is_done(task.file, predictor.origin):
            yield VideoDone(task.video, task.file)
        else:
            waiting.append(task)
    jobs = min(options.jobs, len(waiting))
    if jobs > 1:
        del predictor  # every process has its own
        yield from tqdm(run_tasks(_Setup(options), waiting, jobs), total=len(waiting), desc="videos", unit="video", disable=None)
    else:
        yield from map(predictor.predict, waiting)


def predict_one(options: PredictOptions, video: Path, file: Path, name: str, watch: Watch) -> VideoDone:
    """Write the graph of one video, also where there is one, for a program of its own. name: what the video is called in it.

    Raises ConfigError and CheckpointError as run_video_prediction does; what is wrong with the video is told in the answer.
    """
    return _Predictor(options, watch).predict(_Task(video, file, name))


def find_videos(words: Sequence[str]) -> list[Path]:
    """Video files and folders of pictures. A folder stands for its videos, its pictures, or its sub-folders of pictures.

    Raises ConfigError naming what is not there, and folders that hold none of these, or videos and pictures.
    """
    found: list[Path] = []
    for path in map(Path, words):
        if path.is_dir():
            found += _in_folder(path)
        elif path.exists():
            found.append(path)
        else:
            near = closest(path.name, sorted(file.name for file in path.parent.iterdir())) if path.parent.is_dir() else ""
            raise ConfigError(f"{path} does not exist{near}")
    return found


def _in_folder(folder: Path) -> list[Path]:
    videos = sorted(file for file in folder.iterdir() if file.suffix.lower() in VIDEOS and not file.name.startswith("."))
    pictures = picture_files(folder)
    if videos and pictures:
        raise ConfigError(
            f"{folder} holds {len(videos)} videos and {len(pictures)} pictures; name the videos, or put the pictures elsewhere."
        )
    if videos or pictures:
        return videos or [folder]
    below = sorted(part for part in folder.iterdir() if part.is_dir() and picture_files(part))
    if not below:
        raise ConfigError(f"{folder} holds neither videos ({', '.join(sorted(VIDEOS))}) nor pictures ({', '.join(sorted(PICTURES))}).")
    return below


def _tasks(videos: Sequence[Path], folder: Path) -> list[_Task]:
    files: dict[Path, Path] = {}
    for video in videos:
        path = video.resolve()
        file = folder / ((path.name if path.is_dir() else path.stem) + SUFFIX)
        if file in files:
            raise ConfigError(f"{files[file]} and {video} would both be written to {file}; predict them into folders of their own.")
        files[file] = video
    return [_Task(video, file) for file, video in files.items()]


def _is_done(file: Path, origin: Origin) -> bool:
    if not file.exists():
        return False
    try:
        before = read_graph(file).made_by
    except DataError as error:
        raise ConfigError(f"{error} Remove it, use another -o, or make it again with -overwrite True.") from error
    if before is not None:
        before = replace(before, notes=(), source=None)  # these tell of the video
    if before != origin:
        raise ConfigError(
            f"{file} was made otherwise ({_difference(before, origin)}); use another -o, or make it again with -overwrite True."
        )
    return True


def _difference(before: Origin | None, origin: Origin) -> str:
    if before is None:
        return "it does not say how"
    names = [name for name in Origin.__dataclass_fields__ if getattr(before, name) != getattr(origin, name)]
    return "; ".join(f"{name} {getattr(before, name)}, now {getattr(origin, name)}" for name in names)


class _Predictor:
    """A model at work on one video after another."""

    def __init__(self, options: PredictOptions, watch: Watch | None = None) -> None:
        self._watch = watch
        run = read_run(Path(options.checkpoint))
        schema = check_run(run, options)
        trained = load_for_videos(run, schema, options)
        self._options, self._schema, self._scorer = options, schema, scorer_of(trained, schema)
        sgdet = run.options.mode == "sgdet"
        unsure = unsure_above(run, options)
        self._rules = GraphRules(options.threshold, options.least_score if sgdet else 0.0, unsure)
        self._boxes = (
            None if options.boxes is None else read_boxes(Path(options.boxes), schema.vocabulary.objects, run.options.mode == "predcls")
        )
        settings = {"threshold": options.threshold, "least_score": self._rules.least}
        settings |= {} if unsure is None else {"uncertainty_threshold": unsure}
        if options.boxes is not None:
            settings["boxes_crc32"] = float(zlib.crc32(Path(options.boxes).read_bytes()))
        make_tracker(options.tracker, options.fps)  # its library must be there before any video is looked at
        origin = origin_of(run, trained, options.fps if self._boxes is None else None, settings)
        given = any(map(have_tracks, (self._boxes or {}).values()))
        self.origin = replace(origin, tracker=None if given else options.tracker)
        self.lines = [
            f"model: {run.options.model}, mode {run.options.mode}, from {run.file}, on {trained.source.device}",
            *trained.source.lines,
        ]

    def predict(self, task: _Task) -> VideoDone:
        """Write the graph of a video. What is wrong with the video is told in the answer."""
        started = time.perf_counter()
        try:
            boxes = self._boxes_of(task.video)
            footage = open_footage(task.video, self._options.fps, None if boxes is None else boxes.keys())
            footage.name = task.name or footage.name
            frames, relations = self._write(task, footage, boxes)
        except DataError as error:
            return VideoDone(task.video, task.file, problem=str(error))
        return VideoDone(task.video, task.file, frames, relations, time.perf_counter() - started, tuple(footage.notes))

    def _write(self, task: _Task, footage: Footage, boxes: dict[int, FrameBoxes] | None) -> tuple[int, int]:
        """Numbers of frames and of relations over time."""
        timeline, count = RelationTimeline(), 0
        tracker = make_tracker(self._options.tracker, self._options.fps)
        with graph_writer(task.file, footage.name, self._schema.name, self._schema.vocabulary) as writer:
            for frame in video_graphs(footage.name, self._watched(footage), self._scorer, self._rules, boxes=boxes, tracker=tracker):
                writer.add(frame)
                timeline.add(frame)
                count += 1
            relations = timeline.intervals()
            writer.finish(relations, replace(self.origin, notes=tuple(footage.notes), source=path_to(task.video, task.file)))
        return count, len(relations)

    def _watched(self, footage: Footage) -> Iterator[FootageFrame]:
        """The frames, while somebody is told how many there have been."""
        hidden = True if self._options.jobs > 1 or self._watch else None  # None: unless there is a terminal
        pictures = tqdm(footage.frames(), total=len(footage.numbers), desc=footage.name, unit="frame", disable=hidden)
        for done, frame in enumerate(pictures):
            if self._watch is not None:
                self._watch(done, len(footage.numbers))
            yield frame

    def _boxes_of(self, video: Path) -> dict[int, FrameBoxes] | None:
        if self._boxes is None:
            return None
        for name in (video.name, video.stem, None):
            if name in self._boxes:
                return self._boxes[name]
        raise DataError(f"{video}: {self._options.boxes} has no boxes of it; it has those of {', '.join(map(str, self._boxes))}.")
