"""``vidsgg predict`` from a video file to a graph file: where the time goes, beside a plain loop
over the frames; memory over hours.

``python -m benchmarks.video -checkpoint demo/sttran_sgdet -videos demo/data/videos [-seconds 60]``:
one film made of all videos of a folder, by a trained SGDET model (``vidsgg demo`` leaves one).
Processor seconds of one thread, so that others on the machine do not count; every row in a process
of its own, whose peak memory is printed. The plain loop holds the whole decoded film, shows the
detector one picture at a time and the model the whole video in one piece; both graphs are compared.
Last, two such films, one after the other and two at a time.

``python -m benchmarks.video -hours 3``: greatest memory for test patterns of an eighteenth, a third
and the whole of that length, five pictures a second, by a small untrained model that finds a
person, a cup and a chair wherever it looks: more relations than any video has.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest import mock

import av
import av.filter
import torch

from benchmarks.peak import peak_mib
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.assembly.video_predictor import VideoSettings
from vidsgg.cli import train
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.detectors import base
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.region_proposals import ProposalLimits
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.inference import video
from vidsgg.inference.intervals import RelationTimeline
from vidsgg.io.encoding import Encoding, write_video
from vidsgg.io.footage import FootageFrame, open_footage
from vidsgg.io.graphs import graph_writer, read_graph
from vidsgg.io.images import Image
from vidsgg.structures.graph import VideoGraph

FPS = 2.0
PARTS = ("decode", "detect", "relate", "graphs and ids", "intervals", "write")
MIB = 2**20 if sys.platform == "darwin" else 2**10  # of ru_maxrss


class Clock:
    """Processor seconds of each part; what a part calls counts for the part that is called."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, float] = defaultdict(float)
        self._inside, self._since = ["rest"], time.process_time()

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        self._book()
        self._inside.append(name)
        try:
            yield
        finally:
            self._book()
            self._inside.pop()

    def _book(self) -> None:
        now = time.process_time()
        self.spent[self._inside[-1]] += now - self._since
        self._since = now

    def call(self, name: str, function: Callable[..., Any]) -> Any:
        def timed(*arguments: Any) -> Any:
            with self.part(name):
                return function(*arguments)

        return timed

    def each(self, name: str, items: Iterable[Any]) -> Iterator[Any]:
        iterator, end = iter(items), object()
        while True:
            with self.part(name):
                item = next(iterator, end)
            if item is end:
                return
            yield item


@dataclass(frozen=True)
class Row:
    frames: int
    spent: dict[str, float]
    memory: float


def measure(film: Path, checkpoint: Path, out: Path, plain: bool) -> Row:
    """Predict the film as ``vidsgg predict`` does, or in the plain way, once the model has looked
    at a few pictures."""
    torch.set_num_threads(1)
    scorer = TrainedModel.load(checkpoint).on_videos(VideoSettings()).scorer
    few = [frame for frame, _ in zip(open_footage(film, FPS).frames(), range(10), strict=False)]
    list(video.video_graphs("warm up", few, scorer))
    clock, timeline, count = Clock(), RelationTimeline(), 0
    timed: Any = {
        "extractor": clock.call("detect", scorer.extractor or (lambda *_: None)),
        "model": clock.call("relate", scorer.model),
    }
    scorer = replace(scorer, **timed)
    window = video.Window(2**40, 0, 2**62) if plain else video.Window()
    with (
        mock.patch.object(base, "FRAMES_AT_ONCE", 1 if plain else base.FRAMES_AT_ONCE),
        graph_writer(out, film.name, "", None) as writer,
    ):
        with clock.part("decode"):
            given = whole_video(film) if plain else open_footage(film, FPS).frames()
        rules = video.GraphRules(least=0.3)
        for frame in clock.each(
            "graphs and ids", video.video_graphs(film.name, clock.each("decode", given), scorer, rules, window)
        ):
            clock.call("write", writer.add)(frame)
            clock.call("intervals", timeline.add)(frame)
            count += 1
        relations = clock.call("intervals", timeline.intervals)()
        clock.call("write", writer.finish)(relations, None)
    return Row(count, dict(clock.spent), peak_mib())


def whole_video(film: Path) -> list[FootageFrame]:
    """Every picture is decoded and held, then those at every half second are chosen."""
    with av.open(str(film)) as container:
        decoded = [(frame.time or 0.0, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    numbers = open_footage(film, FPS).numbers
    return [FootageFrame(f"{film.name}/{n:06d}", n, *decoded[n - 1]) for n in numbers]


def joined(folder: Path, seconds: float) -> Iterator[tuple[float, Image]]:
    """The videos of a folder one after another, again and again."""
    begin = 0.0
    for path in cycle(sorted(folder.glob("*.mp4"))):
        time = 0.0
        for frame in open_footage(path, FPS, "all").frames():
            time = frame.time or 0.0
            if begin + time >= seconds:
                return
            yield begin + time, frame.image
        begin += time + 1 / 12


def in_a_process(function: Callable[..., Row], *arguments: object) -> Row:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def alike(one: VideoGraph, other: VideoGraph) -> float:
    """Percent of the frames with the same things, boxes to a pixel and edges in both graphs."""
    same = 0
    for a, b in zip(one.frames, other.frames, strict=True):
        things = [[(node.label, *(round(v) for v in node.box or ())) for node in frame.nodes] for frame in (a, b)]
        edges = [sorted((edge.subject, edge.object, edge.predicate) for edge in frame.edges) for frame in (a, b)]
        same += things[0] == things[1] and edges[0] == edges[1]
    return 100 * same / len(one.frames)


def speed(checkpoint: Path, videos: Path, seconds: float, folder: Path) -> None:
    film = folder / "film.mp4"
    write_video(film, joined(videos, seconds))
    print(f"a film of {seconds:g} seconds, {film.stat().st_size / 2**20:.1f} MiB\n")
    print(f"| | graphs per processor second | {' | '.join(PARTS)} | greatest memory, MiB |")
    print("| --- " + "| ---: " * (len(PARTS) + 2) + "|")
    for name, plain in (("ours", False), ("plain loop", True)):
        row = in_a_process(measure, film, checkpoint, folder / f"{name}.graph.json", plain)
        total = sum(row.spent.values())
        shares = " | ".join(
            f"{row.spent.get(part, 0):.2f} s ({100 * row.spent.get(part, 0) / total:.1f} %)" for part in PARTS
        )
        print(f"| {name} | {row.frames / total:.2f} | {shares} | {row.memory:.0f} |", flush=True)
    print(
        "\nthe same graph in"
        f" {alike(*(read_graph(folder / f'{name}.graph.json') for name in ('ours', 'plain loop'))):.1f} % of the frames"
    )
    (folder / "again.mp4").write_bytes(film.read_bytes())
    for jobs in (1, 2):
        began = time.perf_counter()
        used, _ = predicted([film, folder / "again.mp4"], checkpoint, folder / f"jobs{jobs}", "-jobs", str(jobs))
        print(f"two films, -jobs {jobs}: {time.perf_counter() - began:.0f} s, {used:.0f} processor seconds", flush=True)


def predicted(films: list[Path], checkpoint: Path, out: Path, *more: str) -> tuple[float, float]:
    """Processor seconds and greatest memory in MiB of ``vidsgg predict``."""
    words = [
        sys.executable,
        "-m",
        "vidsgg",
        "predict",
        *map(str, films),
        "-checkpoint",
        str(checkpoint),
        "-o",
        str(out),
        *more,
    ]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} failed with status {status}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / MIB


def pattern(seconds: float) -> Iterator[tuple[float, Image]]:
    """FFmpeg's moving test picture."""
    graph = av.filter.Graph()
    chain = [
        graph.add("testsrc2", f"size=320x240:rate=5:duration={seconds}"),
        graph.add("format", "rgb24"),
        graph.add("buffersink"),
    ]
    graph.link_nodes(*chain).configure()
    while True:
        try:
            frame = graph.pull()
        except (av.error.EOFError, av.error.BlockingIOError):
            return
        assert isinstance(frame, av.VideoFrame)
        yield frame.time or 0.0, frame.to_ndarray()


def small_model(folder: Path) -> Path:
    """An untrained run, its detector beside its data."""
    generate(folder / "data", SyntheticConfig(videos=5))
    torch.manual_seed(0)
    config = FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8, ProposalLimits(100, 6))
    detector = FasterRCNN(config, SCHEMA.vocabulary.objects)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):
            detector.class_score.bias[SCHEMA.vocabulary.objects.index(name)] = 8.0
    save_detector(folder / "data" / "detector.pth", detector)
    small = (
        "-hidden_dim 8 -embedding_dim 8 -feedforward_dim 8 -spatial_layer 1 -temporal_layer 1 -epochs 0 -num_workers 0"
        " -features off"
    )
    train.main(
        [*f"-mode sgdet -data_path {folder / 'data'} -save_path {folder / 'run'} -device cpu".split(), *small.split()]
    )
    return folder / "run"


def memory(hours: float, folder: Path) -> None:
    checkpoint = small_model(folder)
    print(
        "\n| minutes | frames | graphs | relations over time | greatest memory, MiB |\n| ---: | ---: | ---: | ---: |"
        " ---: |"
    )
    for part in (1 / 18, 1 / 3, 1.0):
        minutes = 60 * hours * part
        film = folder / f"{minutes:.0f}.mp4"
        write_video(film, pattern(60 * minutes), Encoding(quality=35, preset="ultrafast"))
        _, most = predicted([film], checkpoint, folder)
        graph = (folder / f"{minutes:.0f}.graph.json").read_text(encoding="utf-8")
        frames, relations = graph.count('"key": '), graph.count('"subject_track": ')
        print(f"| {minutes:.0f} | {300 * minutes:.0f} | {frames} | {relations} | {most:.0f} |", flush=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-checkpoint", type=Path)
    parser.add_argument("-videos", type=Path)
    parser.add_argument("-seconds", type=float, default=60)
    parser.add_argument("-hours", type=float)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        if options.checkpoint and options.videos:
            speed(options.checkpoint, options.videos, options.seconds, Path(folder))
        elif options.hours:
            memory(options.hours, Path(folder))
        else:
            parser.error("give -checkpoint and -videos, or -hours")


if __name__ == "__main__":
    main()
