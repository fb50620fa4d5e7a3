"""The session of a notebook: load, predict, look, save, stream, evaluate; and a model of other
classes than Action Genome's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from detectors.tiny import sighted_set
from numbered_video import numbered, write

import vidsgg
from vidsgg.cli import predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.files import load_detector
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.checkpoint_files import BEST
from vidsgg.errors import CheckpointError, ConfigError, DataError
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.metrics.result import RecallResult
from vidsgg.structures.graph import GraphFrame, GraphNode, VideoGraph
from vidsgg.structures.prediction import VideoPrediction

TINY = [
    "-epochs",
    "0",
    "-num_workers",
    "0",
    "-device",
    "cpu",
    "-features",
    "off",
    "-hidden_dim",
    "8",
    "-embedding_dim",
    "8",
]
NARROW = ["-feedforward_dim", "8", "-spatial_layer", "1", "-temporal_layer", "1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "sttran_sgdet"
    assert run(train.main, ["-mode", "sgdet", "-data_path", str(data), "-save_path", str(path), *TINY, *NARROW]) == 0
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("videos") / "kitchen.mp4", frames=60)


@pytest.fixture(scope="module")
def graph(trained: Path, video: Path) -> VideoGraph:
    return vidsgg.load(trained, device="cpu").predict(video, fps=2, least_score=0.0)


def test_a_video_becomes_a_graph_as_on_the_command_line(
    graph: VideoGraph, trained: Path, video: Path, tmp_path: Path
) -> None:
    words = [
        str(video),
        "-checkpoint",
        str(trained),
        "-o",
        str(tmp_path),
        "-fps",
        "2",
        "-least_score",
        "0",
        "-device",
        "cpu",
    ]
    assert run(predict.main, words) == 0
    written = vidsgg.read_graph(tmp_path / "kitchen.graph.json")
    assert graph.frames and any(frame.edges for frame in graph.frames)
    assert graph == written


def test_what_can_be_done_with_a_graph(graph: VideoGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    file = graph.save(tmp_path / "kitchen.graph.json")
    assert vidsgg.read_graph(file) == graph
    page = graph.show(tmp_path / "kitchen.html", browser=False)
    assert page.is_file() and not opened
    assert graph.show().is_file() and opened[0].startswith("file:")
    moment = graph.at(0.9)
    assert moment.time is not None and abs(moment.time - 0.9) <= 0.25 and isinstance(moment.edges, tuple)
    made = graph.to_networkx()
    assert made.number_of_edges() == len(graph.relations)
    table = graph.to_pandas()
    assert len(table) == sum(len(frame.edges) for frame in graph.frames)
    assert set(table.predicate) <= set(SCHEMA.vocabulary.predicates)
    html = graph._repr_html_()
    assert repr(graph).startswith(f"VideoGraph('{graph.video_id}', ") and len(repr(graph)) < 200
    assert "<svg" in html and "<script" not in html and "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_frames_are_read_as_they_arrive(trained: Path) -> None:
    model = vidsgg.load(trained, device="cpu")
    pictures = [numbered(i) for i in range(3)]
    frames = list(model.stream(((i / 4, picture) for i, picture in enumerate(pictures)), least_score=0.0))
    assert [(frame.number, frame.time) for frame in frames] == [(1, 0.0), (2, 0.25), (3, 0.5)]
    assert all(isinstance(frame, GraphFrame) and frame.nodes for frame in frames)
    arrived = 0

    def arriving() -> Iterator[np.ndarray]:
        nonlocal arrived
        for picture in pictures:
            arrived += 1
            yield picture

    for frame in model.stream(arriving()):
        assert arrived == frame.number
    arrived = 0
    assert max(arrived - frame.number for frame in model.stream(arriving(), delay=1)) == 1
    with pytest.raises(ConfigError, match="delay is -1 frames; the least is 0"):
        model.stream(pictures, delay=-1)
    with pytest.raises(DataError, match="frame 0 of the stream is float64"):
        list(model.stream([np.zeros((4, 4, 3))]))


def test_a_data_set_is_scored(trained: Path, data: Path) -> None:
    model, videos = vidsgg.load(trained, device="cpu"), vidsgg.open_dataset(data, "test")
    result = vidsgg.evaluate(model, videos)
    assert isinstance(result, RecallResult) and result.videos == len(videos)
    predictions = list(model.score(videos))
    assert [prediction.video_id for prediction in predictions] == list(videos.video_ids)
    assert isinstance(predictions[0], VideoPrediction)


def test_a_run_of_other_classes_reads_a_video(trained: Path, video: Path, tmp_path: Path) -> None:
    """The same weights, whose classes are called otherwise, in the model's file and in the
    detector's."""
    other = tmp_path / "bakery"
    other.mkdir()
    names = ["__background__", "baker", *(f"tool {i}" for i in range(2, len(SCHEMA.vocabulary.objects)))]
    content = load_tensors(trained / BEST)
    content["schema"] |= {"name": "bakery", "title": "", "often_wrong": [], "once_per_frame": []}
    content["schema"]["vocabulary"] |= {"objects": names, "subjects": ["baker"]}
    detector = load_tensors(Path(content["config"]["detector"]))
    detector["classes"] = names
    save_tensors(other / "detector.pth", detector)
    load_detector(other / "detector.pth")
    save_tensors(other / BEST, content | {"detector": None, "imported_from": "bakery"})
    model = vidsgg.load(other, device="cpu")
    assert model.schema.name == "bakery"
    graph = model.predict(video, least_score=0.0)
    labels = {node.label for frame in graph.frames for node in frame.nodes}
    assert graph.dataset == "bakery" and labels and labels <= set(names)


def test_what_is_refused(trained: Path, video: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        vidsgg.load(tmp_path / "none.tar")
    with pytest.raises(ConfigError, match="not 'tempura'"):
        vidsgg.load(trained, method="tempura")
    model = vidsgg.load(trained, device="cpu")
    for wrong in ({"fps": 0}, {"threshold": 2}, {"tracker": "magic"}, {"boxes": "b.csv"}):
        with pytest.raises(ConfigError):
            model.predict(video, **wrong)
    with pytest.raises(DataError, match="has no frames"):
        VideoGraph("v", "d", ()).at(1)
    node = GraphNode("<script>alert(1)</script>", 1.0, (0, 0, 1, 1), 1)
    shown = VideoGraph("<b>", "d", (GraphFrame("f", 1, None, 10, 10, (node,), ()),))
    assert "<script" not in shown._repr_html_() and "<b><b>" not in shown._repr_html_()
    with pytest.raises(DataError, match="no time is known"):
        shown.at(0)


def test_a_checkpoint_of_version_0_1_0_with_unknown_classes_is_refused(trained: Path, tmp_path: Path) -> None:
    content = load_tensors(trained / BEST)
    del content["schema"]
    content["vocabulary"] = {
        "objects": ["__background__", "cook"],
        "subjects": ["cook"],
        "predicates": {"x": ["y"], "z": ["w"]},
    }
    save_tensors(tmp_path / "c.tar", content)
    with pytest.raises(CheckpointError, match="Train it again"):
        Checkpoint.load(tmp_path / "c.tar")


def test_importing_is_cheap() -> None:
    code = "import sys, vidsgg, vidsgg.structures.graph; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "numpy", "av", "pandas"} & set(done.stdout.split())
    measure = "import time; t = time.perf_counter(); import vidsgg; print(time.perf_counter() - t)"
    times = [
        float(subprocess.run([sys.executable, "-c", measure], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.05 * 4  # 50 ms on a machine that does nothing else


def test_the_names_are_there() -> None:
    for name in vidsgg.__all__:
        assert getattr(vidsgg, name) is not None
    assert set(vidsgg.__all__) <= set(dir(vidsgg))
    with pytest.raises(AttributeError, match="no attribute"):
        _ = vidsgg.nothing
