"""Make the feature files of a data set that has no pictures of its own, from its videos."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from vidsgg.assembly.data import choose_device, resolve_data_path
from vidsgg.assembly.detectors import build_describer, find_detector
from vidsgg.datasets.feature_writer import DescribedVideo, FeatureWriter
from vidsgg.datasets.format import SPLITS
from vidsgg.datasets.registry import format_at
from vidsgg.detectors.backends.choice import Inference
from vidsgg.detectors.base import RegionDetector
from vidsgg.detectors.description import EVENT_PICTURES, describe, event_width
from vidsgg.errors import ConfigError, DataError, counted
from vidsgg.execution.items import Lost
from vidsgg.execution.many import apply_to_many
from vidsgg.execution.processes import Processes
from vidsgg.io.atomic import remove_left_behind
from vidsgg.io.columns import load_columns, save_columns
from vidsgg.io.links import check_no_links
from vidsgg.io.locations import Location, location
from vidsgg.io.places import on_disk
from vidsgg.recipes.command_options import FeaturesOptions
from vidsgg.status import hides_bars
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema

PARTS = "features.parts"  # a file for every video that is done, until all are
# What these files depend on; the others are those of feature stores.
_READ = (
    *(
        "data_path",
        "videos_path",
        "detector",
        "out",
        "split",
        "device",
        "skip_bad",
        "num_workers",
        "backend",
        "precision",
    ),
    *("engine", "address", "cpus_per_actor", "gpus_per_actor"),
)


@dataclass
class MadeOutcome:
    """line: what the detector is. made, kept: videos. left_out: those that could not be read, with the reason."""

    line: str
    widths: str = ""
    made: int = 0
    kept: int = 0
    files: tuple[Path, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """As ``vidsgg features`` prints it."""
        lines = [f"features: {self.widths}, by {self.line}; not the authors', nor comparable with them"]
        if self.left_out:
            first = next(iter(self.left_out.values()))
            lines.append(f"left out: {counted(len(self.left_out), 'video')} that could not be read; the first: {first}")
        lines.append(f"made: {counted(self.made, 'video')}; {self.kept} were done already")
        return "\n".join([*lines, *(f"written: {path}" for path in self.files)])


def make_features(options: FeaturesOptions) -> MadeOutcome:
    """Describe all videos, then write the data set's files. A run that was stopped
    goes on with the video that it was at.

    Raises ConfigError if the data set has pictures or knows no such files, if a video is missing, for
    options that mean nothing here and for files of others that would be overwritten; DataError for a
    video that cannot be read, unless -skip_bad.
    """
    _check_options(options)
    root = resolve_data_path(options.data_path)
    writer, schema = _writer(root, options)
    # on Ray this machine need not have the device, and only says what the detector is
    device = choose_device("cpu" if options.engine == "ray" else options.device)
    name = find_detector(options.detector, root)
    inference = options.inference
    if options.engine != "ray":  # on Ray this machine computes nothing
        inference.check_installed()
    detector, line = build_describer(name, schema, device, inference)
    made_by = {
        "line": line,
        "detector": detector.describe(),
        "weights": detector.digest(),
        "events": f"mean over {EVENT_PICTURES} whole pictures, then the last minus the first",
    }
    if not detector.inference.is_default:
        made_by["inference"] = asdict(detector.inference)
    made_by = json.loads(json.dumps(made_by))  # tuples become lists, as they come back from a file
    writer.check(made_by)
    outcome = MadeOutcome(line, f"object {detector.node_width}, action {event_width(detector)} wide")
    parts, sources = writer.folder / PARTS, {video.name: video.digest() for video in writer.videos}
    if writer.complete(made_by, sources):
        outcome.kept = len(sources)
        return outcome
    headers = {name: {"made_by": made_by, "source": source} for name, source in sources.items()}
    lacking = [video for video in writer.videos if _kept(parts, video, headers[video.name]) is None]
    outcome.kept = len(writer.videos) - len(lacking)
    engine = options.engine_for(options.num_workers, len(lacking), options.device, [writer.folder])
    ready = detector if engine == Processes() else None
    setup = _Setup(options, name, schema, parts, headers, engine.threads, ready, detector.inference)
    with (
        tqdm(total=len(lacking), desc="features", unit="video", disable=hides_bars()) as bar,
        closing(apply_to_many(setup, lacking, engine, watch=bar.set_postfix_str)) as results,
    ):
        for done in results:
            bar.update()
            if isinstance(done, Lost):
                outcome.left_out[done.item.name] = f"{done.item.name}: {done.problem}"
            elif done.left_out is not None:
                outcome.left_out[done.video] = done.left_out
            else:
                outcome.made += 1
    if outcome.left_out and not options.skip_bad:
        raise DataError("\n".join(outcome.left_out.values()))
    features = {}
    for video in writer.videos:
        found = _kept(parts, video, headers[video.name])
        if found is not None:
            features[video.name] = found
    if not features:
        raise DataError(
            f"{root}: no video could be read; the first message was: {next(iter(outcome.left_out.values()))}"
        )
    outcome.files = tuple(writer.finish(features, made_by, sources))
    _remove_parts(parts, writer)
    return outcome


@dataclass(frozen=True)
class _Described:
    """A video that is done. left_out: why it is not."""

    video: str
    left_out: str | None = None


@dataclass(frozen=True, eq=False)
class _Setup:
    """Makes a worker ready. headers: of the file of each video. ready: the detector of this process,
    for work in it. inference: what computes the detector by the headers."""

    options: FeaturesOptions
    detector: str
    schema: Schema
    parts: Path
    headers: Mapping[str, Mapping[str, Any]]
    threads: int | None
    ready: RegionDetector | None
    inference: Inference

    def __call__(self, number: int) -> Callable[[DescribedVideo], _Described]:
        if self.ready is not None:
            return partial(self._do, self.ready)
        if self.threads is not None:
            torch.set_num_threads(self.threads)
        device = choose_device(self.options.device_of_workers(self.options.device))
        detector, _ = build_describer(self.detector, self.schema, device, self.options.inference)
        if detector.inference != self.inference:  # bf16 becomes fp32 where there is none
            raise ConfigError(
                f"option -precision: the detector is computed by {detector.inference} on {device} here, and by"
                f" {self.inference} on the machine that started this; one file of features has one kind. Take"
                " -precision fp32, or workers on processors and GPUs of one kind."
            )
        return partial(self._do, detector)

    def _do(self, detector: RegionDetector, video: DescribedVideo) -> _Described:
        try:
            regions, events = describe(detector, video)
        except DataError as error:
            if not self.options.skip_bad:
                raise
            return _Described(video.name, str(error))
        save_columns(self.parts / f"{video.name}.npz", {"regions": regions, "events": events}, self.headers[video.name])
        return _Described(video.name)


def _check_options(options: FeaturesOptions) -> None:
    options.check_engine(options.device)
    for column in fields(FeaturesOptions):
        if column.name not in _READ and getattr(options, column.name) != column.default:
            raise ConfigError(
                f"option -{column.name}: means nothing for feature files that are made from -videos_path; leave it out."
            )


def _writer(root: Location, options: FeaturesOptions) -> tuple[FeatureWriter, Schema]:
    """What writes the files, and the data set's schema."""
    form, folder = format_at(root)
    splits = [split for split in SPLITS if options.split in ("all", split)]
    datasets = [form.open(folder, split, "predcls", options.skip_bad) for split in splits]
    schema = datasets[0].schema
    assert options.videos_path is not None
    out = None if options.out is None else on_disk("option -out", options.out)
    writer = None if schema.has_frames else form.feature_writer(folder, datasets, location(options.videos_path), out)
    if writer is None:
        raise ConfigError(f"option -videos_path: {form.title} has pictures of its own; leave the option out.")
    if out is None:
        try:
            check_no_links(writer.folder / PARTS, below=folder)
        except OSError as error:
            raise ConfigError(
                f"{error.filename} {error.strerror}; if it is yours, name the folder that it leads to with -out."
            ) from error
    return writer, schema


def _kept(parts: Path, video: DescribedVideo, header: Mapping[str, Any]) -> tuple[Array, Array] | None:
    """The features of a video that is done; None if they are not there, damaged, or made otherwise."""
    path = parts / f"{video.name}.npz"
    if not path.exists():
        return None
    try:
        columns, had = load_columns(path)
    except DataError:
        return None
    regions, events = columns.get("regions"), columns.get("events")
    if had != header or regions is None or events is None:
        return None
    fit = (len(regions), len(events)) == (len(video.box), len(video.event_pictures))
    return (regions, events) if fit else None


def _remove_parts(parts: Path, writer: FeatureWriter) -> None:
    for video in writer.videos:
        (parts / f"{video.name}.npz").unlink(missing_ok=True)
    remove_left_behind(parts)
    if parts.is_dir() and not any(parts.iterdir()):
        shutil.rmtree(parts)
