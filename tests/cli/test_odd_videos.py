"""Odd videos all the way: predict, export, view with overlay and sheet; what cannot be read costs
nothing else and leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.filter
import numpy as np
import pytest
import torch
from datasets.ag_files import small_set
from numbered_video import HEIGHT, WIDTH, mark_turned, write

from vidsgg.cli import export, predict, train, view
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.region_proposals import ProposalLimits
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.encoding import write_video
from vidsgg.io.graphs import read_graph
from vidsgg.io.video import VideoReader

OBJECTS = SCHEMA.vocabulary.objects


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained model whose detector finds a person and a chair wherever it looks."""
    root = small_set(tmp_path_factory.mktemp("data"))
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8, ProposalLimits(100, 6)), OBJECTS)
    with torch.no_grad():
        for name in ("person", "chair"):
            detector.class_score.bias[OBJECTS.index(name)] = 8.0
    save_detector(root / "detector.pth", detector)
    small = (
        "-hidden_dim 8 -embedding_dim 8 -feedforward_dim 8 -spatial_layer 1 -temporal_layer 1 -epochs 0 -num_workers 0"
        " -features off"
    )
    arguments = [
        "-mode",
        "sgdet",
        "-data_path",
        str(root),
        "-save_path",
        str(root / "run"),
        "-device",
        "cpu",
        *small.split(),
    ]
    assert run(train.main, arguments) == 0
    return root / "run"


def one_frame(path: Path) -> None:
    write(path, frames=1)


def variable_rate(path: Path) -> None:
    write(path, frames=8, stamps=[0, 40, 80, 3000, 3040, 3080, 3120, 5000])


def rotated(path: Path) -> None:
    mark_turned(write(path, frames=30), 0, 1, -1, 0)


def mirrored(path: Path) -> None:
    mark_turned(write(path, frames=30), -1, 0, 0, 1)


def wide_pixels(path: Path) -> None:
    mark_turned(write(path, frames=30, aspect=2), 0, 1, -1, 0)


def encoded(
    path: Path, width: int, height: int, frames: int, rate: int, pixels: str = "yuv420p", codec: str = "libx264"
) -> None:
    with av.open(str(path), "w") as out:
        track = out.add_stream(
            codec, rate=rate, options={"preset": "ultrafast", "g": "60"} if codec == "libx264" else {}
        )
        track.width, track.height, track.pix_fmt = width, height, pixels
        for i in range(frames):
            grey = np.full((height, width, 3), i % 256, np.uint8)
            out.mux(track.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(track.encode())


def large(path: Path) -> None:
    encoded(path, 3840, 2160, 2, 2)


def deep(path: Path) -> None:
    encoded(path, 128, 96, 4, 4, "yuv420p10le")


def odd_size(path: Path) -> None:
    encoded(path.with_suffix(".mkv"), 127, 95, 4, 4, codec="ffv1")
    path.with_suffix(".mkv").rename(path)


def truncated(path: Path) -> None:
    whole = path.with_name("whole.mp4")
    write(whole, frames=150)
    with av.open(str(whole)) as given, av.open(str(path), "w", options={"movflags": "faststart"}) as out:
        track = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])
    whole.unlink()


def three_hours(path: Path) -> None:
    encoded(path, 32, 32, 1081, 1)
    # the same pictures, ten times as far apart
    with av.open(str(path)) as given, av.open(str(path.with_suffix(".mkv")), "w") as out:
        track = out.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(given.streams.video[0]):
            if packet.dts is not None and packet.pts is not None:
                packet.stream, packet.pts, packet.dts = track, 10 * packet.pts, 10 * packet.dts
                out.mux(packet)
    path.with_suffix(".mkv").replace(path)


def viewed(graphs: Path, *more: str) -> dict[str, Path]:
    """Exports and views all graphs of a folder; what lies there then, by the end of the names."""
    assert run(export.main, [str(graphs), "-format", "csv", "-o", str(graphs / "all.csv")]) == 0
    assert run(view.main, [str(graphs), *more]) == 0
    return {"".join(path.suffixes): path for path in graphs.iterdir()}


@pytest.mark.parametrize(
    ("make", "fps", "frames", "lasts"),
    [
        (one_frame, 2, 1, None),
        (variable_rate, 2, 5, 5.0),
        (rotated, 2, 3, 1.16),
        (mirrored, 2, 3, 1.16),
        (wide_pixels, 2, 3, 1.16),
        (large, 2, 2, 0.5),
        (deep, 2, 2, 0.75),
        (odd_size, 2, 2, 0.75),
        (truncated, 2, None, None),
        (three_hours, 1 / 600, 19, None),
    ],
)
def test_videos_that_are_odd_but_can_be_read(
    checkpoint: Path, tmp_path: Path, make: Callable[[Path], None], fps: float, frames: int | None, lasts: float | None
) -> None:
    make(tmp_path / "v.mp4")
    graphs = tmp_path / "graphs"
    assert (
        run(
            predict.main, [str(tmp_path / "v.mp4"), "-checkpoint", str(checkpoint), "-o", str(graphs), "-fps", str(fps)]
        )
        == 0
    )
    graph = read_graph(graphs / "v.graph.json")
    assert len(graph.frames) == frames if frames else 2 < len(graph.frames) < 12  # of 12
    assert all(frame.nodes for frame in graph.frames)
    for frame in graph.frames:  # a person with something else has relations
        labels = {node.label for node in frame.nodes}
        assert bool(frame.edges) == ("person" in labels and len(labels) > 1)
    assert all(
        node.box and node.box[2] <= frame.width and node.box[3] <= frame.height
        for frame in graph.frames
        for node in frame.nodes
    )
    assert graph.made_by is not None and [note[:23] for note in graph.made_by.notes[:1]] == (
        ["the end of the file is "] if make is truncated else []
    )
    long = make is three_hours
    made = viewed(graphs, *(["-end", "1200"] if long else ["-overlay", "True", "-sheet", "True"]))
    assert (graphs / "all.csv").read_text(encoding="utf-8").count("\n") > sum(
        len(frame.edges) for frame in graph.frames
    )
    assert made[".html"].stat().st_size > 10_000
    if not long:
        film = VideoReader(made[".overlay.mp4"])
        assert made[".sheet.png"].stat().st_size > 1000
        assert film.times is not None and (lasts is None or film.times[-1] == pytest.approx(lasts, abs=0.01))
    if make in (rotated, wide_pixels):
        assert {(frame.width, frame.height) for frame in graph.frames} == {
            (HEIGHT, WIDTH * (1 + (make is wide_pixels)))
        }


MEMORY = """
import sys
from benchmarks.peak import peak_bytes
from vidsgg.cli import predict
from vidsgg.cli.main import run
code = run(predict.main, sys.argv[1:])
print("bytes", peak_bytes())
sys.exit(code)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_a_film_of_4k_needs_less_than_2_gb(checkpoint: Path, tmp_path: Path) -> None:
    encoded(tmp_path / "v.mp4", 3840, 2160, 12, 2)
    words = [str(tmp_path / "v.mp4"), "-checkpoint", str(checkpoint), "-o", str(tmp_path / "graphs")]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, *words],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(read_graph(tmp_path / "graphs" / "v.graph.json").frames) == 12
    assert 100e6 < int(done.stdout.split("bytes ")[1]) < 2e9


def no_frame(path: Path) -> None:
    with av.open(str(path), "w") as out:
        track = out.add_stream("libx264", rate=25)
        track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        out.start_encoding()  # the index, and nothing else


def text(path: Path) -> None:
    path.write_bytes(b"not a video at all" * 50)


def cut_off(path: Path) -> None:
    write(path)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    "make", [no_frame, text, cut_off, lambda path: path.write_bytes(b"")], ids=["no frame", "text", "cut off", "empty"]
)
def test_what_is_no_video_is_told_and_costs_its_own_graph_only(
    checkpoint: Path, tmp_path: Path, make: Callable[[Path], None], capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path / "bad.mp4")
    write(tmp_path / "good.mp4", frames=5)
    videos = [str(tmp_path / "bad.mp4"), str(tmp_path / "good.mp4")]
    assert run(predict.main, [*videos, "-checkpoint", str(checkpoint), "-o", str(tmp_path / "graphs")]) == 2
    told = capsys.readouterr()
    assert "bad.mp4: " in told.err and "Traceback" not in told.err
    assert [path.name for path in (tmp_path / "graphs").iterdir()] == ["good.graph.json"]


def filmed(source: str) -> Iterator[tuple[float, np.ndarray]]:
    """What one of FFmpeg's generators films: moving pictures that no part of ours has drawn."""
    graph = av.filter.Graph()
    graph.link_nodes(
        *(graph.add(*step) for step in (source.split("=", 1), ("format", "rgb24"), ("buffersink",)))
    ).configure()
    while True:
        try:
            frame = graph.pull()
        except av.error.EOFError:
            return
        assert isinstance(frame, av.VideoFrame) and frame.pts is not None
        yield float(frame.pts * Fraction(frame.time_base)), frame.to_ndarray()


@pytest.mark.parametrize(
    "source", ["testsrc2=size=320x240:rate=10:duration=3", "life=size=160x120:rate=10:mold=10:ratio=0.4"]
)
def test_a_video_that_others_filmed_becomes_graph_tables_page_film_and_sheet(
    checkpoint: Path, tmp_path: Path, source: str
) -> None:
    write_video(tmp_path / "v.mp4", (frame for frame, _ in zip(filmed(source), range(30), strict=False)))
    graphs = tmp_path / "graphs"
    assert run(predict.main, [str(tmp_path / "v.mp4"), "-checkpoint", str(checkpoint), "-o", str(graphs)]) == 0
    graph = read_graph(graphs / "v.graph.json")
    assert [frame.number for frame in graph.frames] == [1, 6, 11, 16, 21, 26]
    made = viewed(graphs, "-overlay", "True", "-sheet", "True")
    assert VideoReader(made[".overlay.mp4"]).count == 30
    assert made[".html"].stat().st_size > 20_000
