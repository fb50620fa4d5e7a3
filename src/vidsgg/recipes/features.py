"""Write the features of a data set's videos once, so that training and evaluating only read
them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import torch
from tqdm import tqdm

from vidsgg.assembly.data import choose_device, open_split, resolve_data_path
from vidsgg.assembly.detectors import build_detector, find_detector, open_detector
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pictures import picture_notes
from vidsgg.datasets.registry import videos_folder
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.execution.items import Lost
from vidsgg.execution.many import Engine, apply_to_many
from vidsgg.execution.processes import Processes, cores
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore, default_folder
from vidsgg.features.stored_clip import RecordSource
from vidsgg.io.links import check_no_links
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location, location
from vidsgg.methods.registry import METHODS
from vidsgg.ops.candidates import annotated_clip
from vidsgg.recipes.command_options import FeaturesOptions
from vidsgg.status import hides_bars
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

# per GPU, where one computes while others decode pictures; on CPUs, where more cost memory and gain
# little
MOST_PROCESSES = 4
VIDEOS_PER_PROCESS = 8  # starting a process takes as long as so many videos


@dataclass(frozen=True, eq=False)
class Part:
    """Videos of a store, and the records of each: to learn from (True), to be scored (False)."""

    videos: VideoDataset
    learn: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class FeaturePlan:
    """What the options ask for, found out before anything is written. build: makes the detector,
    and its line, in any process."""

    root: Location
    parts: tuple[Part, ...]
    store: FeatureStore
    line: str
    build: Callable[[torch.device], tuple[RegionDetector, str]]
    devices: tuple[torch.device, ...]  # of this machine; none where the work is done on others

    def engine(self, options: FeaturesOptions, videos: int) -> Engine:
        """Where so many videos are done."""
        if options.engine == "ray":
            return options.engine_for(options.num_workers, videos, options.device, [self.store.folder])
        return Processes(self.processes(options, videos))

    def processes(self, options: FeaturesOptions, videos: int) -> int:
        """How many to start on this machine."""
        wanted = options.num_workers or min(
            cores(), MOST_PROCESSES * len(self.devices), math.ceil(videos / VIDEOS_PER_PROCESS)
        )
        return max(1, min(wanted, videos))


def threads_of(processes: int) -> int:
    """Threads of each process. More than one process of one thread each are faster than one process
    of as many threads."""
    return max(1, min(torch.get_num_threads(), cores() // processes))


@dataclass(frozen=True)
class RecordTask:
    """Records of one video that are to be written."""

    part: int
    index: int
    video_id: str
    learn: tuple[bool, ...]
    frames: int

    def __str__(self) -> str:
        return f"video {self.video_id!r}"


@dataclass(frozen=True)
class Done:
    """A finished task: the bytes of its records, or why the video was left out."""

    task: RecordTask
    sizes: tuple[int, ...] = ()
    left_out: str | None = None


@dataclass
class FeaturesOutcome:
    """written, kept: records. repaired: those among them that were there, with what was wrong.
    seconds: of writing. left_out: videos that cannot be read. lost: videos at which workers ended.

    line: what the detector is. command: that trains with these features.
    """

    folder: Location
    line: str
    command: str
    written: int = 0
    kept: int = 0
    bytes: int = 0
    frames: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()  # about pictures
    repaired: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    lost: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """As ``vidsgg features`` prints it."""
        lines = [f"features: {self.line}", *(f"pictures: {note}" for note in self.notes)]
        if self.repaired:
            what, why = next(iter(self.repaired.items()))
            lines.append(
                f"written again: {counted(len(self.repaired), 'record')} that were there; the first: {what}, {why}"
            )
        if self.left_out:
            lines.append(
                f"left out: {counted(len(self.left_out), 'video')} that could not be read; the first:"
                f" {next(iter(self.left_out.values()))}"
            )
        rate = (
            f" at {self.bytes / 1e6 / self.seconds:.1f} MB/s, {self.frames / self.seconds:.1f} frames/s"
            if self.written
            else ""
        )
        lines.append(
            f"written: {counted(self.written, 'record')}, {self.bytes / 1e9:.3f} GB{rate}; {self.kept} were there already"
        )
        return "\n".join([*lines, f"folder: {self.folder}", f"train with them: {self.command}"])


def plan_features(options: FeaturesOptions) -> FeaturePlan:
    """Open the data, build the detector. Raises ConfigError if there are no pictures to look at."""
    options.check_engine(options.device)
    _ = options.part  # to be wrong before any work
    root = resolve_data_path(options.data_path)
    parts = tuple(_parts(root, options))
    schema = parts[0].videos.schema
    if not schema.has_frames:
        raise ConfigError(
            f"data set {schema.name!r} has no pictures for a detector. If you have its videos, name their folder"
            " with -videos_path."
        )
    name = find_detector(options.detector, root)
    inference = options.inference
    if options.engine != "ray":  # on Ray this machine computes nothing
        inference.check_installed()
    build = partial(build_detector, name, schema, reference_compat=options.reference_compat, inference=inference)
    devices = () if options.engine == "ray" else _devices(options.device)
    there = devices[0] if devices else torch.device("cpu")  # on which choices other than the default may depend
    detector, line = open_detector(name, schema, there, reference_compat=options.reference_compat, inference=inference)
    key = _key_of(detector, schema, options)
    folder = location(options.out) if options.out else default_folder(root, key, options.dtype)
    store = FeatureStore(
        folder, key, options.dtype, FeatureWidths(detector.node_width, detector.union_channels), key.digest
    )
    return FeaturePlan(root, parts, store, line, build, devices)


def run_features(options: FeaturesOptions) -> FeaturesOutcome:
    """Write what is missing or no longer fits. Records are written whole, one by one: whenever a
    run ends, the next one goes on there."""
    plan = plan_features(options)
    if options.out is None:
        _check_no_links(plan)
    with FeatureStore.to_write(plan.store.folder, plan.store.key, plan.store.dtype, plan.store.widths) as store:
        outcome = FeaturesOutcome(store.folder, plan.line, _train_command(plan.root, options))
        outcome.notes = tuple(picture_notes(part.videos for part in plan.parts))
        tasks = _look(plan, options, outcome)
        engine = plan.engine(options, len(tasks))
        threads = threads_of(engine.count) if isinstance(engine, Processes) else engine.threads
        setup = _Setup(plan.parts, store, plan.build, plan.devices, options, threads)
        started = time.perf_counter()
        total = sum(task.frames * len(task.learn) for task in tasks)
        with (
            tqdm(total=total, desc="features", unit="frame", disable=hides_bars()) as bar,
            closing(apply_to_many(setup, tasks, engine, watch=bar.set_description_str)) as results,
        ):
            for done in results:
                if isinstance(done, Lost):
                    outcome.lost[done.item.video_id] = f"{done.item}: {done.problem}"
                    continue
                outcome.written += len(done.sizes)
                outcome.bytes += sum(done.sizes)
                outcome.frames += done.task.frames * len(done.sizes)
                outcome.seconds = time.perf_counter() - started
                if done.left_out is not None:
                    outcome.left_out[done.task.video_id] = done.left_out
                bar.update(done.task.frames * len(done.task.learn))
                bar.set_postfix_str(f"{outcome.bytes / 1e6 / outcome.seconds:.1f} MB/s")
        store.note_left_out(
            outcome.left_out, [plan.parts[part].videos.video_ids[i] for part, i in _places(plan, options)]
        )
    return outcome


def _places(plan: FeaturePlan, options: FeaturesOptions) -> list[tuple[int, int]]:
    """The videos of this call: (part, number in it)."""
    places = [(number, index) for number, part in enumerate(plan.parts) for index in range(len(part.videos))]
    return places[options.part]


def _check_no_links(plan: FeaturePlan) -> None:
    """A folder that was chosen for the user lies in the data set, which may have come with links to
    anywhere."""
    try:
        check_no_links(plan.store.folder, below=plan.root)
    except OSError as error:
        raise ConfigError(
            f"{error.filename} {error.strerror}; if it is yours, name the folder that it leads to with -out."
        ) from error


def _key_of(detector: RegionDetector, schema: Schema, options: FeaturesOptions) -> StoreKey:
    capabilities = METHODS.admit(options.model).capabilities
    if capabilities.pictures:
        raise ConfigError(
            f"option -model: {options.model} reads pictures itself; there are no features to store for it."
        )
    raw = capabilities.raw_detections
    return StoreKey.of(detector, schema, options.mode, reference_compat=options.reference_compat, raw_detections=raw)


def extractor_of(detector: RegionDetector, key: StoreKey, *, learn: bool) -> ClipExtractor:
    """What makes the records of a store."""
    return ClipExtractor(
        detector, key.mode, learn=learn, reference_compat=key.reference_compat, raw_detections=key.raw_detections
    )


def _parts(root: Location, options: FeaturesOptions) -> list[Part]:
    """Learning videos, held-out ones (which ``-val test`` learns from), test videos."""

    def part(videos: VideoDataset, *learn: bool) -> Part:
        return Part(videos, learn[:1] if options.mode == "predcls" else learn)

    def opened(split: str) -> VideoDataset:
        return open_split(
            root,
            options.mode,
            split,
            datasize=options.datasize,
            skip_bad=options.skip_bad,
            max_pairs=options.max_pairs,
            videos_path=videos_folder(options.videos_path),
        )

    parts = []
    if options.split != "test":
        parts += [part(opened("train"), True), part(opened("val"), True, False)]
    if options.split != "train":
        parts += [part(opened("test"), False)]
    return parts


def _devices(name: str) -> tuple[torch.device, ...]:
    device = choose_device(name)
    if device.type == "cuda" and device.index is None:
        return tuple(torch.device("cuda", i) for i in range(torch.cuda.device_count()))
    return (device,)


def _look(plan: FeaturePlan, options: FeaturesOptions, outcome: FeaturesOutcome) -> list[RecordTask]:
    """What is to be done. Records that are there are kept if their source is still the same and
    they are whole."""
    tasks, listing = [], Listing()
    for number, index in tqdm(
        _places(plan, options), desc="what is there", unit="video", disable=hides_bars(), leave=False
    ):
        part = plan.parts[number]
        video_id = part.videos.video_ids[index]
        try:
            annotation = part.videos.annotation(index)
        except DataError as error:
            if not options.skip_bad:
                raise
            outcome.left_out[video_id] = str(error)
            continue
        source = RecordSource.of(part.videos, index, annotation)
        lacking = tuple(
            learn for learn in part.learn if not _is_there(plan.store, listing, source, learn, options.verify, outcome)
        )
        if lacking:
            tasks.append(RecordTask(number, index, video_id, lacking, annotation.frames))
    return tasks


def _is_there(
    store: FeatureStore, listing: Listing, source: RecordSource, learn: bool, verify: bool, outcome: FeaturesOutcome
) -> bool:
    if not store.has_record(source.video_id, listing, learn=learn):
        return False
    try:
        store.open_record(source, learn=learn, verify=verify)
    except DataError as error:
        outcome.repaired[f"{source.video_id} ({store.form(learn)})"] = str(error)
        return False
    outcome.kept += 1
    return True


@dataclass(frozen=True, eq=False)
class _Setup:
    """What every process starts from. Called in each with its number, it gives the function that
    does a task."""

    parts: tuple[Part, ...]
    store: FeatureStore
    build: Callable[[torch.device], tuple[RegionDetector, str]]
    devices: tuple[torch.device, ...]
    options: FeaturesOptions
    threads: int

    def __call__(self, number: int) -> Callable[[RecordTask], Done]:
        torch.set_num_threads(self.threads)
        options = self.options
        if self.devices:
            device = self.devices[number % len(self.devices)]
        else:
            device = choose_device(options.device_of_workers(options.device))
        detector, _ = self.build(device)
        # a file of weights may change while processes start
        self.store.require(_key_of(detector, self.store.key.schema, options))
        extractors = {learn: extractor_of(detector, self.store.key, learn=learn) for learn in (True, False)}
        return partial(self._do, extractors, device)

    def _do(self, extractors: dict[bool, ClipExtractor], device: torch.device, task: RecordTask) -> Done:
        videos = self.parts[task.part].videos
        try:
            annotation = videos.annotation(task.index)
            source = RecordSource.of(videos, task.index, annotation)
            images = videos.images(task.index)
            clip = annotated_clip(annotation, self.options.mode).to(device)
            return Done(
                task,
                tuple(self.store.write(extractors[learn](images, clip), source, learn=learn) for learn in task.learn),
            )
        except DataError as error:
            if not self.options.skip_bad:
                raise
            return Done(task, left_out=str(error))


def _train_command(root: Location, options: FeaturesOptions) -> str:
    """Training finds the features by itself where they lie by default, if its options that decide
    the numbers are the same."""
    words = ["vidsgg train", f"-data_path {root}"]
    words += [f"-videos_path {options.videos_path}"] * (options.videos_path is not None)
    words += [f"-mode {options.mode}", f"-detector {options.detector}"]
    words += [f"-backend {options.backend}"] * (options.backend != FeaturesOptions.backend)
    words += [f"-precision {options.precision}"] * (options.precision != FeaturesOptions.precision)
    words += [f"-model {options.model}"] * (options.model != FeaturesOptions.model)
    words += [f"-datasize {options.datasize}"] * (options.datasize != "large") + [
        "-reference_compat True"
    ] * options.reference_compat
    return " ".join(words + [f"-features {options.out}"] * (options.out is not None))
