"""Graphs of videos that belong to no data set: one file each, several at a time, going on where an
earlier call was stopped."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import torch
from tqdm import tqdm

from vidsgg.assembly.saved_run import read_run
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.assembly.video_predictor import VideoPredictor, VideoSettings, video_file
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.execution.items import Lost
from vidsgg.execution.many import Engine, apply_to_many
from vidsgg.execution.processes import Processes
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.io.ahead import ahead
from vidsgg.io.atomic import remove_left_behind
from vidsgg.io.boxes import GivenBoxes
from vidsgg.io.footage import Footage, FootageFrame, FramesDone, frame_bytes
from vidsgg.io.graphs import SUFFIX, GraphExists, graph_writer, path_to, read_graph, whole_path_to
from vidsgg.io.locations import Location, location
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.graph_places import GraphPlace, check_alike, graph_places
from vidsgg.recipes.graph_videos import check_video
from vidsgg.recipes.videos import find_videos
from vidsgg.status import hides_bars, say

if TYPE_CHECKING:
    from vidsgg.library.folder import LibraryFolder

FOLDER = "graphs"
_NAMED = 5  # labels in a note


@dataclass(frozen=True)
class VideoDone:
    """What became of a video. file: its graph. problem: why there is none. frames: 0 if the graph
    was there already."""

    video: Location
    file: Location
    frames: int = 0
    relations: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    problem: str | None = None
    in_library: bool = False  # ``file`` is then the library
    graph: bytes | None = None  # on its way there, packed

    def text(self) -> str:
        if not self.frames and self.in_library:
            line = f"{self.video}: its graph is in {self.file} already"
        elif not self.frames:
            line = f"{self.video}: {self.file} is there already"
        else:
            rate = self.frames / max(self.seconds, 1e-9)
            line = (
                f"{self.video}: {counted(self.frames, 'frame')}, {counted(self.relations, 'relation')} over time, {rate:.1f} frames a second"
                f" -> {self.file}"
            )
        return "\n".join([line, *(f"  {note}" for note in self.notes)])


@dataclass(frozen=True)
class _Setup:
    """Makes a worker ready: it has its own model, and its share of the processor. threads: None for
    PyTorch's own choice. ready: the model of this process, for work in it."""

    options: PredictOptions
    threads: int | None
    ready: _Predictor | None

    def __call__(self, number: int) -> Callable[[GraphPlace], VideoDone]:
        if self.ready is not None:
            return self.ready.predict
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        device = self.options.device_of_workers(self.options.device)
        return _Predictor(replace(self.options, device=device), several=True).predict


def run_video_prediction(options: PredictOptions) -> Iterator[VideoDone]:
    """Predict videos of the user's own and write their graphs. Everything that can be wrong with
    the options is found before any of it.

    A video that cannot be read costs its own graph only; ``problem`` says what is wrong. Graphs of
    the same videos that are there are kept if they were made alike. Raises ConfigError if they were
    not.
    """
    if options.video != PredictOptions.video or options.split != PredictOptions.split:
        raise ConfigError(
            "options -video and -split name a video of a data set; leave them out, or the videos of your own."
        )
    options.check_engine(options.device)
    folder, part = location(options.out or FOLDER), options.part
    videos = find_videos(options.videos)
    # on Ray this machine need not have the device, and only looks at what is asked for
    predictor = _Predictor(replace(options, device="cpu") if options.engine == "ray" else options)
    if predictor.boxes is not None:
        predictor.boxes.check(videos)
    library = _library(options, folder)
    if library is None:
        remove_left_behind(folder)  # also if there is nothing left to write
        places = graph_places(videos, folder, predictor.origin, options.overwrite, part)
    else:
        from vidsgg.recipes.predict_library import library_places  # pyarrow

        places = library_places(videos[part], library, predictor.origin, options.overwrite)
    say("\n".join(predictor.lines))
    waiting = []
    for place in places:
        if place.done or place.problem:
            yield VideoDone(
                place.video, place.file, notes=_noted(place), problem=place.problem, in_library=place.in_library
            )
        else:
            waiting.append(place)
    shared = [folder] if library is None else []  # by all workers
    engine = options.engine_for(options.jobs, len(waiting), options.device, shared)
    here = engine == Processes()
    setup = _Setup(options, engine.threads, predictor if here else None)
    del predictor  # elsewhere every worker has its own
    results = _done(setup, waiting, engine, here)
    if library is not None:
        from vidsgg.recipes.predict_library import into_library

        results = into_library(library, results)
    try:
        with closing(results):
            yield from results
    finally:
        if library is None:
            remove_left_behind(folder)  # by workers that ended


def _done(setup: _Setup, waiting: Sequence[GraphPlace], engine: Engine, here: bool) -> Generator[VideoDone, None, None]:
    """What became of videos, in the order in which they are finished. here: whether this process works on them."""
    with (
        tqdm(total=len(waiting), desc="videos", unit="video", disable=hides_bars(here)) as bar,
        closing(apply_to_many(setup, waiting, engine, watch=bar.set_postfix_str)) as results,
    ):
        for done in results:
            bar.update()
            if isinstance(done, Lost):
                place = done.item
                yield VideoDone(place.video, place.file, problem=f"{place.video}: {done.problem}")
            else:
                yield done


def _library(options: PredictOptions, folder: Location) -> LibraryFolder | None:
    """The library that -out is, or is to be; None if it is a folder of graphs. Raises ConfigError if
    -format says otherwise than what is there."""
    there = (folder / "library.json").is_file()
    if not there and options.format != "library":
        return None
    from vidsgg.library.folder import LibraryFolder  # pyarrow

    if options.format == "graphs":
        raise ConfigError(f"option -out: {folder} is a library; name another folder for graphs, or leave out -format.")
    if options.out is None:
        raise ConfigError("option -out: name the folder of the library.")
    return LibraryFolder.create(folder)


def predict_one(options: PredictOptions, video: Path, file: Path, name: str, watch: FramesDone) -> VideoDone:
    """Write the graph of one video, also where there is one, for a program of its own. name: what
    the video is called in it.

    Raises ConfigError and CheckpointError as run_video_prediction does; what is wrong with the
    video is told in the answer.
    """
    return _Predictor(options, watch, name).predict(GraphPlace(video, file))


def _noted(place: GraphPlace) -> tuple[str, ...]:
    return () if place.note is None else (place.note,)


@dataclass(frozen=True)
class _Found:
    """What a graph holds: frames, things and edges over all its frames, relations over time."""

    frames: int
    things: int
    edges: int
    relations: int


def _why_nothing(found: _Found, subjects: Sequence[str], least: float) -> str:
    """Why a graph has no relations over time, and what a user can do about it. least: score from
    which boxes count; 0 if all do."""
    counts = f" Things count from a score of {least:g} on; a smaller -least_score keeps more." if least else ""
    if not found.things:
        return f"no frame has a thing of the model's classes; another -detector may find some.{counts}"
    if not found.edges:
        pair = f"a {subjects[0]} and another thing" if len(subjects) == 1 else "two things that can be related"
        return f"no frame has {pair}.{counts}"
    return f"no relation is likely for long enough; a smaller -threshold keeps more.{counts}"


def _left_out(seen: Counter[str], frames: int) -> str | None:
    """What the detector saw that is no class of the model, the most frequent first. seen: labels,
    and in how many of the frames."""
    if not seen:
        return None
    few = [f"{name[:60]} (in {count} of {frames} frames)" for name, count in seen.most_common(_NAMED)]
    more = f" and {len(seen) - len(few)} more" if len(seen) > len(few) else ""
    return (
        f"the detector also saw {', '.join(few)}{more}, no class of the model. A label map gives a label one of"
        " the model's classes; for classes and relations of your own, train a model on annotated videos."
    )


def predictor_of(options: PredictOptions) -> _Predictor:
    """The model that is asked for, with its detector. Raises ConfigError and CheckpointError as run_video_prediction."""
    return _Predictor(options)


class _Predictor:
    """A model at work on one video after another. name: what a video is called in its graph, by
    default as its file. several: whether others are at work beside it."""

    def __init__(
        self, options: PredictOptions, watch: FramesDone | None = None, name: str | None = None, several: bool = False
    ) -> None:
        self._watch, self._name, self._several, self._overwrite = watch, name, several, options.overwrite
        run = read_run(Path(options.checkpoint), model=options.model)
        folders = [location(options.data_path)] if options.data_path is not None else []
        model = TrainedModel(
            run, options.device, options.detector, folders, options.labels, options.backend, options.precision
        )
        settings = VideoSettings(
            options.fps,
            None if options.boxes is None else Path(options.boxes),
            options.threshold,
            options.least_score,
            options.uncertainty_threshold,
            options.tracker,
        )
        self._at = model.on_videos(settings)
        self.boxes, self.origin, source = self._at.boxes, self._at.origin, self._at.ready.source
        self.lines = [
            f"model: {run.options.model}, mode {run.options.mode}, from {run.file}, on {source.device}",
            *source.lines,
            *self._at.notes,
        ]

    @property
    def at(self) -> VideoPredictor:
        """The model, ready for videos."""
        return self._at

    def predict(self, place: GraphPlace) -> VideoDone:
        """Write the graph of a video. A problem with the video is part of what is returned."""
        started, before = time.perf_counter(), Counter(self._at.left_out)
        try:
            notes = [] if self.boxes is None else check_video(self.boxes.source, str(self.boxes.path), place.video)
            footage, boxes = self._at.open(place.video)
            footage.name = self._name or footage.name
            graph = None
            if place.in_library:
                from vidsgg.recipes.predict_library import packed

                with TemporaryDirectory(prefix="vidsgg-") as folder:
                    file = Path(folder) / f"video{SUFFIX}"
                    found = self._write(place, file, footage, boxes, notes)
                    graph = packed(file)
            else:
                found = self._write(place, place.file, footage, boxes, notes)
        except DataError as error:
            return VideoDone(place.video, place.file, problem=str(error))
        if not found.relations:
            notes.append(_why_nothing(found, self._at.schema.vocabulary.subjects, self._at.rules.least))
            if seen := _left_out(Counter(self._at.left_out) - before, found.frames):
                notes.append(seen)
        return VideoDone(
            place.video,
            place.file,
            found.frames,
            found.relations,
            time.perf_counter() - started,
            (*_noted(place), *notes),
            in_library=place.in_library,
            graph=graph,
        )

    def _write(
        self, place: GraphPlace, file: Location, footage: Footage, boxes: GivenBoxes | None, notes: list[str]
    ) -> _Found:
        """notes: gets what a reader of the graph should know."""
        timeline, schema = RelationTimeline(), self._at.schema
        count = things = edges = 0
        # What a library holds is seen from anywhere.
        source = whole_path_to(str(place.video), Path()) if place.in_library else path_to(place.video, file)
        content, new = video_file(place.video, footage), place.new and not place.in_library
        try:
            with graph_writer(file, footage.name, schema.name, schema, content, new=new) as writer:
                for frame in self._at.frames(footage.name, self._watched(footage), boxes):
                    writer.add(frame)
                    timeline.add(frame)
                    count += 1
                    things += len(frame.nodes)
                    edges += len(frame.edges)
                relations = timeline.intervals(self._at.interval_rules)
                notes += [*footage.notes, *(boxes.notes() if boxes else ())]
                writer.finish(
                    relations,
                    replace(self.origin, notes=(*self._at.notes, *notes), source=source),
                )
        except GraphExists:
            there = read_graph(file)
            if there.video != content:
                raise
            check_alike(str(file), there, self.origin, self._overwrite)
            notes.append("another call wrote its graph meanwhile, which stays")
        return _Found(count, things, edges, len(relations))

    def _watched(self, footage: Footage) -> Iterator[FootageFrame]:
        """The frames, while their number is reported."""
        hidden = hides_bars(self._several or self._watch is not None)
        frames = ahead(footage.frames(), frame_bytes)
        pictures = tqdm(frames, total=len(footage.numbers), desc=footage.name, unit="frame", disable=hidden)
        for done, frame in enumerate(pictures):
            if self._watch is not None:
                self._watch(done, len(footage.numbers))
            yield frame
