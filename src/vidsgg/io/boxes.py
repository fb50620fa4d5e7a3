"""Boxes that somebody's own detector has found in a video: a table, or a graph file whose edges are not read."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vidsgg.errors import DataError
from vidsgg.io.graphs import read_graph
from vidsgg.options import closest
from vidsgg.structures.checks import Array, check_boxes

COLUMNS = ("frame", "x1", "y1", "x2", "y2")
MORE_COLUMNS = ("video", "label", "score", "track")
_CUT = 1.0  # pixels by which a box may lie outside of its picture; it is cut


@dataclass(frozen=True, eq=False)
class FrameBoxes:
    """Boxes of one frame. box (N, 4) float32: xyxy in pixels. klass (N,) int64: index into the vocabulary's objects, or 0. score (N,) float32.
    track (N,) int64: ids over frames, -1 where they are not given. where: what to call them in messages.
    """

    where: str
    box: Array
    klass: Array
    score: Array
    track: Array

    def within(self, width: int, height: int) -> FrameBoxes:
        """Cut at the edges of the picture. Raises DataError if a box lies outside of it by more than a pixel, or has no area."""
        limit = np.array([width, height, width, height], np.float32)
        outside = np.flatnonzero((self.box < -_CUT).any(1) | (self.box > limit + _CUT).any(1))
        if len(outside):
            raise DataError(f"{self.where}: box {self.box[outside[0]].tolist()} lies outside of the picture of {width} x {height} pixels.")
        box = np.clip(self.box, 0, limit)
        check_boxes(self.where, "box", box)
        return replace(self, box=box)


@dataclass(frozen=True)
class _Row:
    where: str
    video: str | None
    frame: int
    label: str
    box: tuple[float, ...]
    score: float
    track: int | None


def read_boxes(path: Path, objects: Sequence[str], labelled: bool) -> dict[str | None, dict[int, FrameBoxes]]:
    """Boxes by video (None where the file does not tell which) and number of the frame, from 1.

    path: a CSV table with the columns ``COLUMNS`` and perhaps ``MORE_COLUMNS``, or a graph file. objects: the class names, background
    first. labelled: every box has to have a label, else labels are not read. Raises DataError naming the file, the line and the value.
    """
    rows = list(_graph_rows(path) if path.suffix.lower() == ".json" else _table_rows(path))
    if not rows:
        raise DataError(f"{path}: holds no box.")
    if len({row.track is None for row in rows}) > 1:
        lacking = next(row for row in rows if row.track is None)
        raise DataError(f"{lacking.where}: has no track, but other boxes have; give all or none.")
    grouped: dict[str | None, dict[int, list[_Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        grouped[row.video][row.frame].append(row)
    number = {name: i for i, name in enumerate(objects)}
    return {
        video: {frame: _frame_boxes(part, number if labelled else None) for frame, part in frames.items()}
        for video, frames in grouped.items()
    }


def _frame_boxes(rows: Sequence[_Row], number: Mapping[str, int] | None) -> FrameBoxes:
    for row in rows if number is not None else ():
        known = list(number or ())[1:]
        if row.label not in known:
            raise DataError(f"{row.where}: unknown class {row.label!r}{closest(row.label, known) or '; there are ' + ', '.join(known)}")
    tracks = [row.track for row in rows if row.track is not None]
    if len(set(tracks)) < len(tracks):
        raise DataError(f"{rows[0].where}: two boxes of frame {rows[0].frame} have one track.")
    box = np.array([row.box for row in rows], np.float32)
    check_boxes(rows[0].where, "box", box)
    return FrameBoxes(
        rows[0].where,
        box,
        np.array([number[row.label] if number else 0 for row in rows], np.int64),
        np.array([row.score for row in rows], np.float32),
        np.array([-1 if row.track is None else row.track for row in rows], np.int64),
    )


def _table_rows(path: Path) -> Iterable[_Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            header = list(table.fieldnames or ())
            if lacking := [name for name in COLUMNS if name not in header]:
                raise DataError(
                    f"{path}: column {lacking[0]!r} is missing; there must be {','.join(COLUMNS)}, there is {','.join(header)}."
                )
            if unknown := [name for name in header if name not in COLUMNS + MORE_COLUMNS]:
                raise DataError(f"{path}: unknown column {unknown[0]!r}{closest(unknown[0], COLUMNS + MORE_COLUMNS)}")
            for values in table:
                yield _row(f"{path}, line {table.line_num}", values)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is no table in CSV: {error}") from error


def _row(where: str, values: Mapping[str, str | None]) -> _Row:
    def take(name: str, kind: type[float] | type[int]) -> float:
        try:
            return kind(values[name] or "")
        except ValueError:
            raise DataError(f"{where}: {name} is {values[name]!r}, not {'a whole number' if kind is int else 'a number'}.") from None

    score = take("score", float) if values.get("score") else 1.0
    if not 0 <= score <= 1:
        raise DataError(f"{where}: score is {score}, not a number from 0 to 1.")
    track = int(take("track", int)) if values.get("track") else None
    if track is not None and track < 0:
        raise DataError(f"{where}: track is {track}; ids are whole numbers from 0.")
    box = tuple(take(name, float) for name in ("x1", "y1", "x2", "y2"))
    return _Row(where, values.get("video") or None, int(take("frame", int)), values.get("label") or "", box, score, track)


def _graph_rows(path: Path) -> Iterable[_Row]:
    graph = read_graph(path)
    for frame in graph.frames:
        for node in frame.nodes:
            if node.box is not None:
                yield _Row(f"{path}, frame {frame.number}", graph.video_id, frame.number, node.label, node.box, node.score, node.track)
