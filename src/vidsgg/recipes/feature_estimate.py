"""How large the features of a data set will be and how long they take: counted from the
annotations, measured on a few frames."""

from __future__ import annotations

import math
import shutil
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from vidsgg.errors import DataError, counted
from vidsgg.features.stored_clip import LABELS, RecordSource
from vidsgg.io.locations import Location, RemotePath
from vidsgg.io.records import encode_record
from vidsgg.ops.candidates import annotated_clip
from vidsgg.recipes.command_options import FeaturesOptions
from vidsgg.recipes.features import FeaturePlan, Part, extractor_of, plan_features, threads_of
from vidsgg.recipes.tables import bytes_text, rough_duration
from vidsgg.structures.annotation import VideoAnnotation

VIDEOS, FRAMES, SECONDS = 6, 10, 30.0  # to measure on: at most so many videos, of each so many frames, and no longer


@dataclass
class Form:
    """Records of one form. rows: of all videos by kind (frame, node, pair, action); row_bytes: of
    one; header_bytes: of a record.

    sampled: rows of the frames that were measured; seconds: that these took.
    """

    name: str
    learn: bool
    records: int = 0
    rows: Counter[str] = field(default_factory=Counter)
    row_bytes: Counter[str] = field(default_factory=Counter)
    header_bytes: int = 0
    sampled: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def size(self) -> int:
        return self.records * self.header_bytes + sum(count * self.row_bytes[kind] for kind, count in self.rows.items())


@dataclass(frozen=True)
class Estimate:
    """forms: what is expected. picture_seconds: of reading one frame's picture. parallel: how many
    processes or GPUs share the work."""

    line: str
    folder: Location
    forms: tuple[Form, ...]
    picture_seconds: float
    device: str
    parallel: int

    @property
    def size(self) -> int:
        return sum(form.size for form in self.forms)

    @property
    def seconds(self) -> float:
        frames = sum(
            form.rows["frame"] * (form.seconds / form.sampled["frame"] + self.picture_seconds) for form in self.forms
        )
        return frames / self.parallel

    def text(self) -> str:
        """As ``vidsgg features -estimate`` prints it."""
        lines = [
            f"features: {self.line}",
            f"{'records':<14}{'videos':>8}{'frames':>10}{'nodes':>11}{'pairs':>11}{'size':>12}",
        ]
        for form in self.forms:
            counts = f"{form.records:>8,}{form.rows['frame']:>10,}{form.rows['node']:>11,}{form.rows['pair']:>11,}"
            lines.append(f"{form.name:<14}{counts}{bytes_text(form.size):>12}")
        records, first = sum(form.records for form in self.forms), self.forms[0]
        kinds = ", ".join(
            f"a {kind} takes {bytes_text(first.row_bytes[kind])}" for kind in ("node", "pair") if first.row_bytes[kind]
        )
        frames = sum(form.rows["frame"] for form in self.forms)
        sampled = sum(form.sampled["frame"] for form in self.forms)
        return "\n".join(
            [
                *lines,
                f"expected size: {bytes_text(self.size)}, {bytes_text(self.size / max(1, records))} a record; {kinds}",
                (
                    f"expected time: {rough_duration(self.seconds)}, {frames / max(1e-9, self.seconds):.1f} frames/s"
                    f" ({counted(sampled, 'frame')} measured in one of {self.parallel} processes on {self.device})"
                ),
                f"folder: {self.folder}{_free(self.folder)}",
            ]
        )


def _free(folder: Location) -> str:
    if isinstance(folder, RemotePath):
        return ""
    while not folder.exists():
        folder = folder.parent
    return f" ({bytes_text(shutil.disk_usage(folder).free)} free)"


def estimate_features(options: FeaturesOptions) -> Estimate:
    """Size and time of what ``run_features`` would write into an empty store. Writes nothing."""
    plan = plan_features(options)
    names = {"both": "all", "learn": "to learn from", "score": "to be scored"}
    forms = {
        name: Form(names[name], learn)
        for part in plan.parts
        for learn in part.learn
        for name in [plan.store.form(learn)]
    }
    places = [(part, index) for part in plan.parts for index in range(len(part.videos))]
    for part, index in places:
        try:
            annotation = part.videos.annotation(index)
        except DataError:
            if not options.skip_bad:
                raise
            continue
        for learn in part.learn:
            form = forms[plan.store.form(learn)]
            form.records += 1
            form.rows.update(_known_rows(annotation, options.mode, learn))
    device = plan.devices[0]
    # Several processes on one GPU overlap what is not computing; several on a CPU share its cores.
    parallel = len(plan.devices) if device.type == "cuda" else plan.processes(options, len(places))
    with _threads(threads_of(parallel)):
        picture_seconds = _measure(plan, options, forms.values(), [places[i] for i in _spread(len(places))])
    for form in forms.values():
        for kind in ("node", "pair"):
            if kind not in form.rows:
                form.rows[kind] = round(form.rows["frame"] * form.sampled[kind] / form.sampled["frame"])
    return Estimate(plan.line, plan.store.folder, tuple(forms.values()), picture_seconds, str(device), parallel)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _known_rows(annotation: VideoAnnotation, mode: str, learn: bool) -> dict[str, int]:
    """Rows of a record that follow from the annotation; what is missing depends on what the
    detector finds. See ClipExtractor."""
    rows = {"frame": annotation.frames, "action": len(annotation.action_class)}
    if mode != "sgdet":
        rows["node"] = annotation.nodes
    if mode == "predcls" or learn:
        rows["pair"] = annotation.pairs
    elif mode == "sgcls":
        nodes = np.bincount(annotation.node_frame)
        rows["pair"] = int((nodes * (nodes - 1) // 2).sum())
    return rows


def _spread(count: int) -> list[int]:
    """Positions of the videos to measure on, evenly over all, none of them twice."""
    return sorted({round(i) for i in np.linspace(0, count - 1, VIDEOS)})


def _measure(
    plan: FeaturePlan, options: FeaturesOptions, forms: Collection[Form], places: Sequence[tuple[Part, int]]
) -> float:
    """Extract some frames, note what they take; returns the seconds of reading one picture."""
    device = plan.devices[0]
    detector, _ = plan.build(device)
    extract = {form.learn: extractor_of(detector, plan.store.key, learn=form.learn) for form in forms}
    begun, reading, read = time.perf_counter(), 0.0, 0
    for part, index in places:
        try:
            annotation, started = part.videos.annotation(index), time.perf_counter()
            images = part.videos.images(index)
        except DataError:
            if not options.skip_bad:
                raise
            continue
        reading, read = reading + time.perf_counter() - started, read + len(images)
        whole, source = (
            annotated_clip(annotation, options.mode).to(device),
            RecordSource.of(part.videos, index, annotation),
        )
        frames = min(FRAMES, annotation.frames)
        for form in forms:
            if not form.sampled:  # the first call takes longer than the others
                extract[form.learn](images[:1], whole.between(0, 1))
            started = time.perf_counter()
            clip = extract[form.learn](images[:frames], whole.between(0, frames))
            columns, about = plan.store.content(clip, source, learn=form.learn)
            header, _ = encode_record(columns, about)
            form.seconds += time.perf_counter() - started
            form.sampled.update(frame=frames, node=clip.nodes, pair=clip.pairs)
            form.header_bytes, form.row_bytes = len(header), _row_bytes(columns)
        if time.perf_counter() - begun > SECONDS:
            break
    if not read:
        raise DataError(f"{plan.root}: no video could be read to measure on.")
    return reading / read


def _row_bytes(columns: Mapping[str, Tensor]) -> Counter[str]:
    sizes: Counter[str] = Counter()
    for name, column in columns.items():
        kind = "pair" if name.startswith(LABELS) else name.split("_")[0]
        sizes[kind] += math.prod(column.shape[1:]) * column.element_size()
    return sizes
