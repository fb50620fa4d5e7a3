"""What a check of a data set finds, and the checks that every data set can have."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

import numpy as np
from tqdm import tqdm

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.pictures import count_pictures
from vidsgg.errors import DataError, counted
from vidsgg.io.locations import Location
from vidsgg.status import hides_bars

Pictures = Literal["none", "sample", "all"]
EXAMPLES = 3  # shown per finding, unless more are asked for
_KEPT = 1_000  # kept per finding
_SAMPLE = 10  # videos per split whose pictures a sample reads


@dataclass(frozen=True)
class Finding:
    """One kind of trouble. severity: an "error" stops the loader, a "warning" does not. examples:
    the first few cases."""

    name: str
    severity: Literal["error", "warning"]
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class ValidationReport:
    """The result of a check. facts: lines about what the data set holds."""

    root: Location
    dataset: str
    facts: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """No finding is an error."""
        return not any(finding.severity == "error" for finding in self.findings)

    def text(self, examples: int = EXAMPLES) -> str:
        """The report as it is printed, with so many cases of each finding."""
        lines = [f"{self.dataset} at {self.root}", "", *self.facts, ""]
        for finding in self.findings:
            lines.append(f"{finding.severity}: {finding.name} ({finding.count})")
            shown = finding.examples[:examples]
            lines += [f"    {example}" for example in shown]
            if finding.count > len(shown) > 0:
                lines.append(f"    ... and {finding.count - len(shown)} more")
        errors = sum(finding.count for finding in self.findings if finding.severity == "error")
        warnings = sum(finding.count for finding in self.findings if finding.severity == "warning")
        verdict = "the data set can be used" if self.clean else "not everything can be used"
        counts = f"{counted(errors, 'error')}, {counted(warnings, 'warning')}"
        return "\n".join([*lines, f"verdict: {verdict}; {counts}"])


@dataclass
class Book:
    """Findings as they come."""

    facts: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    videos_path: Location | None = None  # where ``check_pictures`` looks, if not in the data set's folder

    def error(self, name: str, examples: Iterable[str], count: int | None = None) -> None:
        self._add(name, "error", list(examples), count)

    def warning(self, name: str, examples: Iterable[str], count: int | None = None) -> None:
        self._add(name, "warning", list(examples), count)

    def _add(self, name: str, severity: Literal["error", "warning"], examples: list[str], count: int | None) -> None:
        count = len(examples) if count is None else count
        if count:
            self.findings.append(Finding(name, severity, count, tuple(examples[:_KEPT])))


def check_annotations(data: VideoDataset, book: Book) -> None:
    """Build the annotation of every video; counts are facts, videos that contradict themselves an
    error."""
    videos = frames = pairs = 0
    broken = []
    for i in range(len(data)):
        try:
            annotation = data.annotation(i)
        except DataError as error:
            broken.append(str(error))
            continue
        videos, frames, pairs = videos + 1, frames + annotation.frames, pairs + annotation.pairs
    book.error(f"{data.split} video that contradicts itself", broken)
    book.facts.append(
        f"{data.split} split: {counted(videos, 'video')} with {counted(frames, 'frame')} and {counted(pairs, 'pair')}"
    )


def check_pictures(
    data: VideoDataset,
    pictures: Pictures,
    book: Book,
    looked_in: str = "",
    look: Callable[[int], None] = lambda index: None,
) -> None:
    """Look for the picture of every annotated frame, and read those of a few videos or of all.

    looked_in: folders, for messages. look: called with the position of every video that is read,
    before it is.
    """
    if pictures == "none":
        return
    if book.videos_path is not None:
        data = data.with_videos_in(book.videos_path)
    count = count_pictures(data, _progress(range(len(data)), f"{data.split} pictures, looked for"))
    book.facts.append(f"  {count.text()}")
    book.error(f"{data.split} video whose folders may not be entered", count.closed.values())
    lacking = list(count.without)
    if not looked_in:  # then each names the first that it needs
        number = {name: i for i, name in enumerate(data.video_ids)}
        needed = [data.frame_sources(number[name])[:1] for name in lacking]
        lacking = [f"{name}: {at[0].file} is missing" if at else name for name, at in zip(lacking, needed, strict=True)]
    book.error(f"{data.split} video without pictures{f' (looked for in {looked_in})' if looked_in else ''}", lacking)
    book.error(f"{data.split} frame without a picture", chain(*count.partly.values()))
    book.warning(
        f"{data.split} frame missing among the dumped ones, read from the video", chain(*count.instead.values())
    )
    unusable = count.unusable
    whole = np.array([i for i in range(len(data)) if data.video_ids[i] not in unusable], np.int64)
    if pictures == "sample" and len(whole):
        whole = np.unique(whole[np.linspace(0, len(whole) - 1, _SAMPLE).round().astype(np.int64)])
    bad = []
    for i in _progress(whole.tolist(), f"{data.split} pictures, read"):
        try:
            look(i)
            data.images(i)
        except DataError as error:
            bad.append(str(error))
    book.error(f"{data.split} video whose pictures cannot be used", bad)
    book.facts.append(f"  pictures of {len(whole)} of {len(data)} videos read")


def _progress(videos: Iterable[int], what: str) -> Iterable[int]:
    shown: Iterable[int] = tqdm(videos, desc=what, unit=" videos", delay=2, file=sys.stderr, disable=hides_bars())
    return shown
