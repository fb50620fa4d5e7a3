"""What is wrong with a data set folder, in one report instead of one error at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Literal

import numpy as np
from tqdm import tqdm

from vidsgg.datasets.action_genome import CLASS_FILES, OBJECTS, VOCABULARY, ActionGenome, check_class_file
from vidsgg.datasets.action_genome_files import SPLITS, UNMATCHED, Records, load_records
from vidsgg.datasets.action_genome_layout import CHARADES, FRAMES, VIDEOS, find_layout
from vidsgg.datasets.action_genome_rules import Summary
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pictures import count_pictures
from vidsgg.datasets.registry import identify
from vidsgg.errors import DataError, short
from vidsgg.io.files import read_text
from vidsgg.structures.checks import Array

Pictures = Literal["none", "sample", "all"]

FRAME_LIST = "frame_list.txt"
_FRAME_LIST_SIZE = 1 << 28  # bytes at most; the original has about 6 million
_EXAMPLES = 3  # shown per finding
_SAMPLE = 10  # videos per split whose pictures a sample reads
_OUTSIDE = 1.0  # pixels by which a box may leave the frame unremarked: detectors and annotators round

# What the reference loader prints for the original files (yrcong/STTran, predcls): videos, valid frames, videos without person,
# videos with one frame, frames without person.
_PUBLISHED = {"train": (7584, 177330, 144, 49, 21643), "test": (1750, 56923, 41, 19, 8636)}


@dataclass(frozen=True)
class Finding:
    """One kind of trouble. severity: an "error" stops the loader, a "warning" does not. examples: the first few cases."""

    name: str
    severity: Literal["error", "warning"]
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Report:
    """The result of a check. facts: lines about what the data set holds."""

    root: Path
    dataset: str
    facts: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """No finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    def text(self) -> str:
        """The report as it is printed."""
        lines = [f"{self.dataset} at {self.root}", "", *self.facts, ""]
        for finding in self.findings:
            lines.append(f"{finding.severity}: {finding.name} ({finding.count})")
            lines += [f"    {example}" for example in finding.examples]
            if finding.count > len(finding.examples) > 0:
                lines.append(f"    ... and {finding.count - len(finding.examples)} more")
        errors = sum(finding.count for finding in self.findings if finding.severity == "error")
        warnings = sum(finding.count for finding in self.findings if finding.severity == "warning")
        verdict = "the data set can be used" if self.clean else "not everything can be used"
        return "\n".join([*lines, f"verdict: {verdict}; {errors} errors, {warnings} warnings"])


@dataclass
class _Book:
    """Findings as they come."""

    facts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def error(self, name: str, examples: Iterable[str], count: int | None = None) -> None:
        self._add(name, "error", list(examples), count)

    def warning(self, name: str, examples: Iterable[str], count: int | None = None) -> None:
        self._add(name, "warning", list(examples), count)

    def _add(self, name: str, severity: Literal["error", "warning"], examples: list[str], count: int | None) -> None:
        count = len(examples) if count is None else count
        if count:
            self.findings.append(Finding(name, severity, count, tuple(examples[:_EXAMPLES])))


def check_dataset(path: Path, pictures: Pictures = "sample") -> Report:
    """Look for everything that is wrong with the data set in a folder.

    pictures: read the annotated frames of no video, of a few videos per split, or of all.
    Raises DataError if the folder does not exist or holds no known data set; all else becomes a finding.
    """
    name, root = identify(path)
    book = _Book()
    check = _check_action_genome if name == "action_genome" else _check_easg
    check(root, pictures, book)
    return Report(root, {"action_genome": "Action Genome", "easg": "EASG"}[name], tuple(book.facts), tuple(book.findings))


def _check_action_genome(root: Path, pictures: Pictures, book: _Book) -> None:
    folder = find_layout(root).annotations
    if folder != root / "annotations":
        book.facts.append(f"annotations in {folder}")
    foreign = []
    for name in CLASS_FILES:
        try:
            if (folder / name).exists():
                check_class_file(folder / name)
        except DataError as error:
            foreign.append(str(error))
    book.error("foreign class file", foreign)
    lacking = [name for name in (*CLASS_FILES, FRAME_LIST) if not (folder / name).exists()]
    book.warning("missing file, not needed", (str(folder / name) for name in lacking), len(lacking))
    try:
        records = load_records(root, VOCABULARY)
    except DataError as error:
        book.error("unreadable annotations", [str(error)])
        return
    for problem, count in records.problems(*SPLITS).items():
        book.error(problem, records.messages(problem, *SPLITS), count)
    book.warning(UNMATCHED, records.messages(UNMATCHED, *SPLITS), records.unmatched)
    if FRAME_LIST not in lacking:
        _check_frame_list(folder / FRAME_LIST, records, book)
    _check_boxes(records, book)
    _check_frames(records, book)
    if foreign:
        return  # the loader refuses such a folder, so there is nothing to count
    for split in SPLITS:
        try:
            data = ActionGenome(root, split, "predcls", skip_bad=True)
        except DataError as error:
            book.warning("split without usable video", [str(error).splitlines()[0]])
            continue
        book.facts += [f"{split} split, predcls:", *(f"  {line}" for line in data.summary.text().splitlines())]
        _compare(split, data.summary, book)
        _check_pictures(data, pictures, book)


def _check_frame_list(path: Path, records: Records, book: _Book) -> None:
    try:
        listed = set(read_text(path, _FRAME_LIST_SIZE).split())
    except DataError as error:
        book.warning("unreadable frame list", [str(error)])
        return
    keys = set(records.key)
    book.warning("frame in frame_list.txt without annotation", sorted(listed - keys))
    book.warning("annotated frame missing in frame_list.txt", sorted(keys - listed))


def _check_boxes(records: Records, book: _Book) -> None:
    """Boxes that reach out of the frame; the loader leaves them as they are."""
    column = records.columns
    frame_of = np.repeat(np.arange(len(records.key)), np.diff(records.start))
    person = column["person"] & (column["frame_problem"] == 0)
    thing = column["visible"] & (column["object_problem"] == 0) & (column["frame_problem"] == 0)[frame_of]
    for name, boxes, used, frames in (
        ("person box outside the frame", column["person_box"], person, np.arange(len(records.key))),
        ("object box outside the frame", column["box"], thing, frame_of),
    ):
        over = np.maximum(-boxes[:, :2], boxes[:, 2:] - column["size"][frames]).max(1, initial=-np.inf)
        rows = np.flatnonzero(used & (over > _OUTSIDE))
        book.warning(name, (_box_text(records, int(frames[row]), boxes[row]) for row in rows[:_EXAMPLES]), len(rows))


def _box_text(records: Records, frame: int, box: Array) -> str:
    corners = [round(float(value), 1) for value in box]
    width, height = records.columns["size"][frame].tolist()
    return f"{records.key[frame]}: {corners} in {width:g} x {height:g}"


def _check_frames(records: Records, book: _Book) -> None:
    """Classes that occur twice in a frame, and frames of a video that do not follow each other in time."""
    column = records.columns
    frame_of = np.repeat(np.arange(len(records.key)), np.diff(records.start))
    thing = column["visible"] & (column["object_problem"] == 0)
    unit = frame_of[thing] * len(OBJECTS) + column["class"][thing]
    values, counts = np.unique(unit, return_counts=True)
    twice = values[counts > 1]
    texts = (f"{records.key[v // len(OBJECTS)]}: {short(OBJECTS[v % len(OBJECTS)])}" for v in twice[:_EXAMPLES].tolist())
    book.warning("class annotated twice in a frame", texts, len(twice))

    good = np.flatnonzero(column["frame_problem"] == 0)
    order = good[np.argsort(column["video"][good], kind="stable")]
    same = np.diff(column["video"][order]) == 0
    back = order[1:][same & (np.diff(column["number"][order].astype(np.int64)) <= 0)]
    book.warning("frame not after the one before it", (records.key[int(row)] for row in back[:_EXAMPLES]), len(back))


def _compare(split: str, summary: Summary, book: _Book) -> None:
    """Counts beside the published ones; a set of another size is another set, not a damaged one."""
    found = (summary.videos, summary.valid_frames, summary.videos_no_person, summary.videos_one_frame, summary.frames_no_person)
    published = _PUBLISHED[split]
    if found == published:
        book.facts.append("  the published counts")
    elif abs(found[1] - published[1]) > 0.1 * published[1]:
        book.facts.append(f"  not the published set, which has {published[0]} videos and {published[1]} valid frames")
    else:
        names = ("videos", "valid frames", "videos without person", "videos with one frame", "frames without person")
        differ = [
            f"{split}: {have} {name}, published {want}" for name, have, want in zip(names, found, published, strict=True) if have != want
        ]
        book.warning("counts differ from the published ones", differ)


def _check_pictures(data: ActionGenome, pictures: Pictures, book: _Book) -> None:
    """Look for the picture of every annotated frame, and read those of a few videos or of all."""
    if pictures == "none":
        return
    count = count_pictures(data, _progress(range(len(data)), f"{data.split} pictures, looked for"))
    book.facts.append(f"  {count.text()}")
    book.error(f"{data.split} video whose folders may not be entered", count.closed.values())
    book.error(f"{data.split} video without pictures (looked for in {FRAMES}, {VIDEOS}, {CHARADES})", count.without)
    book.error(f"{data.split} frame without a picture", chain(*count.partly.values()))
    book.warning(f"{data.split} frame missing among the dumped ones, read from the video", chain(*count.instead.values()))
    unusable = count.unusable
    whole = np.array([i for i in range(len(data)) if data.video_ids[i] not in unusable], np.int64)
    if pictures == "sample" and len(whole):
        whole = np.unique(whole[np.linspace(0, len(whole) - 1, _SAMPLE).round().astype(np.int64)])
    bad, uneven = [], []
    for i in _progress(whole.tolist(), f"{data.split} pictures, read"):
        try:
            if how := data.uneven(i):
                uneven.append(how)
            data.images(i)
        except DataError as error:
            bad.append(str(error))
    book.error(f"{data.split} video whose pictures cannot be used", bad)
    book.warning(f"{data.split} video of uneven rate, whose frames are counted as ffmpeg dumps them", uneven)
    book.facts.append(f"  pictures of {len(whole)} of {len(data)} videos read")


def _progress(videos: Iterable[int], what: str) -> Iterable[int]:
    shown: Iterable[int] = tqdm(videos, desc=what, unit=" videos", delay=2, file=sys.stderr, disable=None)
    return shown


def _check_easg(root: Path, pictures: Pictures, book: _Book) -> None:
    from vidsgg.datasets.easg import EASG

    for split in SPLITS:
        try:
            data = EASG(root, split)
        except DataError as error:
            book.error(f"unreadable {split} annotations", [str(error)])
            continue
        book.error(f"{split} video that contradicts itself", _broken(data))
        counters: Mapping[str, int] = data.report()
        book.facts += [f"{split} split: {len(data)} videos", *(f"  {name}: {count}" for name, count in counters.items())]
        files = [f"  features of {'actions' if name == 'action' else 'objects'}: {path}" for name, path in data.feature_files.items()]
        book.facts += files or ["  features: none are there, so models learn from labels and boxes"]


def _broken(data: VideoDataset) -> Iterable[str]:
    for i in range(len(data)):
        try:
            data.annotation(i)
        except DataError as error:
            yield str(error)
