"""Graphs of what a camera, a stream or a pipe shows, as they come."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vidsgg.assembly.video_predictor import VideoPredictor
from vidsgg.errors import ConfigError
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.io.footage import FootageFrame
from vidsgg.io.graphs import SUFFIX, frame_json, graph_writer
from vidsgg.io.images import Image
from vidsgg.io.live import LiveVideo
from vidsgg.io.places import on_disk
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.predict_video import FOLDER, predictor_of
from vidsgg.viewer.live_page import LivePage

Say = Callable[[str], None]


@dataclass(frozen=True)
class LiveDone:
    """What came of a stream. file: its graph. latency: seconds from a decoded frame to its graph, the
    median and the longest; None if there was no frame."""

    file: Path
    frames: int
    dropped: int
    unreadable: int
    relations: int
    seconds: float
    latency: tuple[float, float] | None

    def text(self) -> str:
        rate = self.frames / max(self.seconds, 1e-9)
        waited = (
            ""
            if self.latency is None
            else f", {self.latency[0]:.2f} s after the picture (at most {self.latency[1]:.2f})"
        )
        lost = f"; {self.dropped} frames dropped" if self.dropped else "; no frame dropped"
        damaged = f", {self.unreadable} packets unreadable" if self.unreadable else ""
        return f"{self.frames} frames, {rate:.1f} a second{waited}{lost}{damaged}, {self.relations} relations -> {self.file}"


def run_live(options: PredictOptions, say: Say, note: Say, *, descriptor: int = 0) -> LiveDone:
    """Graphs of ``options.videos``, one camera, address or pipe, until it ends or the user interrupts.

    say: gets a line of JSON for every frame as soon as its graph is there; note: what is said
    besides. descriptor: of the pipe. The whole graph is written to a file when it ends, also by
    SIGINT or SIGTERM. Raises ConfigError for options that do not go with it, DataError if the
    source cannot be opened or the file not be written.
    """
    _check(options)
    predictor = predictor_of(options)
    for line in predictor.lines:
        note(line)
    live = LiveVideo(options.videos[0], options.fps, descriptor=descriptor)
    with ExitStack() as stack:
        page = None
        if options.watch:
            made_by = replace(predictor.at.origin, notes=tuple(predictor.at.notes))
            page = stack.enter_context(LivePage(live.name, predictor.at.schema, options.port, made_by))
            note(f"watch: {page.address}")
        stack.enter_context(_interrupted_by(live.stop))
        return _follow(options, predictor.at, live, page, say)


def _check(options: PredictOptions) -> None:
    if len(options.videos) != 1:
        raise ConfigError(f"give one camera, address or pipe alone; there are {len(options.videos)} videos.")
    if options.boxes is not None:
        raise ConfigError("option -boxes: boxes cannot be given for a live stream; leave it out.")


def _follow(options: PredictOptions, at: VideoPredictor, live: LiveVideo, page: LivePage | None, say: Say) -> LiveDone:
    file = on_disk("option -out", options.out or FOLDER) / f"live_{time.strftime('%Y-%m-%d_%H-%M-%S')}{SUFFIX}"
    timeline, count, waited, begin = RelationTimeline(), 0, list[float](), time.monotonic()
    pictures: dict[int, Image] = {}
    with graph_writer(file, live.name, at.schema.name, at.schema) as writer:
        for frame in at.live(live.name, _kept(live, pictures, page is not None)):
            latency = time.monotonic() - live.arrived.pop(frame.number)
            waited.append(latency)
            writer.add(frame)
            timeline.add(frame)
            count += 1
            numbers = {"latency": round(latency, 4), "dropped": live.counts.dropped}
            say(json.dumps({**frame_json(frame), **numbers}, ensure_ascii=False, allow_nan=False))
            if page is not None:
                page.show(pictures.pop(frame.number), frame, latency, live.counts.dropped)
        relations = timeline.intervals(at.interval_rules)
        counts = live.counts
        notes = [f"of {live.name}, live: {counts.dropped} frames dropped, {counts.unreadable} packets unreadable"]
        writer.finish(relations, replace(at.origin, notes=(*at.notes, *notes)))
    waited.sort()
    latency_of = (waited[len(waited) // 2], waited[-1]) if waited else None
    seconds = time.monotonic() - begin
    return LiveDone(file, count, counts.dropped, counts.unreadable, len(relations), seconds, latency_of)


def _kept(live: LiveVideo, pictures: dict[int, Image], wanted: bool) -> Iterator[FootageFrame]:
    """The frames, while the pictures are kept for whoever draws on them."""
    for frame in live.frames():
        if wanted:
            pictures[frame.number] = frame.image
        yield frame


@contextmanager
def _interrupted_by(stop: Callable[[], None]) -> Iterator[None]:
    """While entered, the first SIGINT or SIGTERM ends the stream; the next one acts as before."""
    before: dict[signal.Signals, Any] = {}

    def handle(number: int, _: object) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop()

    for one in (signal.SIGINT, signal.SIGTERM):
        try:
            before[one] = signal.signal(one, handle)
        except ValueError:  # not the main thread, which alone listens to signals
            break
    try:
        yield
    finally:
        for one, action in before.items():
            signal.signal(one, action)
