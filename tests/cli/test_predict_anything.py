"""``vidsgg predict VIDEO`` with nothing else: any detector, no checkpoint."""

from __future__ import annotations

import json
import os
import re
import urllib.error
from pathlib import Path

import numpy as np
import pytest
from detectors.onnx_files import write_network
from io_pipes import piped

from vidsgg.app.checkpoints import BoxFinder, built_in_choices
from vidsgg.assembly.detectors import WITHOUT_A_NAME, default_detector
from vidsgg.assembly.saved_run import read_run
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.cli.main import main
from vidsgg.detectors.torchvision_zoo import TorchvisionBoxes
from vidsgg.errors import ConfigError
from vidsgg.io.encoding import Encoding, write_video
from vidsgg.io.graphs import read_graph
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.predict_live import run_live
from vidsgg.recipes.predict_video import _Found, _why_nothing

FOLDER = os.environ.get("VIDSGG_DETECTORS")
needs_files = pytest.mark.skipif(not FOLDER, reason="VIDSGG_DETECTORS names no folder with nanodet_coco*.onnx")


def film(path: Path, picture: np.ndarray, frames: int = 50) -> Path:
    """Two seconds of a photo that moves a little."""
    shown = [np.ascontiguousarray(picture[: -(frames + 2), i : -(frames - i) - 2][::1]) for i in range(frames)]
    even = [one[: len(one) // 2 * 2, : one.shape[1] // 2 * 2] for one in shown]
    write_video(path, ((i / 25, one) for i, one in enumerate(even)), Encoding(quality=18), last=1 / 25)
    return path


@pytest.fixture
def kitchen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    picture = np.random.RandomState(0).randint(0, 256, (24, 32, 3)).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    return film(tmp_path / "kitchen.mp4", picture)


@pytest.fixture
def network(tmp_path: Path) -> Path:
    """A person who holds a cup, whatever the picture."""
    rows = np.array([[20, 5, 60, 62, 0.9, 0], [34, 26, 42, 36, 0.8, 1]], np.float32)
    return write_network(tmp_path / "a.onnx", {"detections": rows}, names=["someone", "mug"])


def test_boxes_of_any_detector_are_related(kitchen: Path, network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("map.yaml").write_text("someone: person\nmug: cup/glass/bottle\n")
    assert main(["predict", "kitchen.mp4", "-detector", str(network), "-label_map", "map.yaml", "-device", "cpu"]) == 0
    said = "".join(capsys.readouterr())
    assert "model: geometry" in said and "classes that it never finds: bag, " in said
    assert "Relations are guessed from boxes" in said
    graph = read_graph(Path("graphs/kitchen.graph.json"))
    assert len(graph.frames) == 4
    labels = [[node.label for node in frame.nodes] for frame in graph.frames]
    assert all(sorted(one) == ["cup/glass/bottle", "person"] for one in labels)
    assert ("person", "holding", "cup/glass/bottle") in {(r.subject, r.predicate, r.object) for r in graph.relations}
    assert graph.made_by is not None and graph.made_by.detector == "onnx"


def test_what_has_no_class_is_named_where_nothing_is_related(
    kitchen: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A street: a person, and things that Action Genome does not have. The second video is counted anew."""
    rows = np.array([[20, 5, 60, 62, 0.9, 0], [34, 26, 42, 36, 0.8, 1], [2, 2, 9, 9, 0.1, 2]], np.float32)
    street = write_network(tmp_path / "s.onnx", {"detections": rows}, names=["person", "bicycle", "car"])
    Path("again.mp4").write_bytes(kitchen.read_bytes())
    assert main(["predict", "kitchen.mp4", "again.mp4", "-detector", str(street), "-device", "cpu"]) == 0
    said = "".join(capsys.readouterr())
    told = r"the detector also saw bicycle \(in 4 of 4 frames\), no class of the model\."
    assert len(re.findall(told, said)) == 2 and "saw car" not in said


def test_what_is_wrong_is_one_message(kitchen: Path, network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for given, message in (
        (["-detector", str(network)], "none of the detector's labels is a class of the model. Labels: someone, mug."),
        (["-detector", "nothing.onnx"], "neither a file"),
        (["-detector", str(network), "-label_map", "nothing.yaml"], "nothing.yaml"),
    ):
        assert main(["predict", "kitchen.mp4", "-device", "cpu", *given]) == 2
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error
    assert main(["predict"]) == 2 and "name a video, as in 'vidsgg predict kitchen.mp4'" in capsys.readouterr().err
    assert not Path("graphs").exists()


@pytest.mark.parametrize(
    ("things", "edges", "subjects", "least", "told"),
    [
        (0, 0, ["person"], 0.25, "no frame has a thing .* score of 0.25 on; a smaller -least_score"),
        (3, 0, ["person"], 0.0, "^no frame has a person and another thing\\.$"),
        (3, 0, ["dog", "person"], 0.0, "^no frame has two things that can be related.$"),
        (3, 2, ["person"], 0.0, "^no relation is likely for long enough; a smaller -threshold keeps more.$"),
    ],
)
def test_why_a_graph_has_no_relation(things: int, edges: int, subjects: list[str], least: float, told: str) -> None:
    assert re.search(told, _why_nothing(_Found(5, things, edges, 0), subjects, least))


def test_without_a_detector_the_three_ways_are_told(
    kitchen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("torch.hub.urlopen", no_network)
    monkeypatch.setattr("torch.hub.get_dir", lambda: "hub")
    assert main(["predict", "kitchen.mp4", "-device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert all(way in said for way in ("https://download.pytorch.org", "-detector FILE.onnx", "-boxes FILE"))
    (choice,) = built_in_choices(BoxFinder.of(None))
    assert choice.problem is not None and WITHOUT_A_NAME[0] in choice.problem


def test_the_first_detector_that_is_there_is_taken(
    kitchen: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: "hub")
    assert default_detector() == (WITHOUT_A_NAME[0], False)
    name = "ssdlite320_mobilenet_v3_large"
    place = TorchvisionBoxes.download(name)
    place.parent.mkdir(parents=True)
    place.write_bytes(b"weights")
    assert default_detector() == (name, True)
    state = TorchvisionBoxes(name, ("__background__", "person")).model.state_dict()
    monkeypatch.setattr("vidsgg.detectors.torchvision_zoo.fetch_weights", lambda weights: state)
    assert main(["predict", "kitchen.mp4", "-device", "cpu", "-least_score", "0.9"]) == 0
    assert f"boxes: by {name} with torchvision's COCO weights" in "".join(capsys.readouterr())


def test_the_app_offers_it(network: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="none of the detector's labels"):
        built_in_choices(BoxFinder.of(str(network)))
    rows = np.array([[20, 5, 60, 62, 0.9, 0]], np.float32)
    known = write_network(tmp_path / "b.onnx", {"detections": rows}, names=["person"])
    (choice,) = built_in_choices(BoxFinder.of(str(known)))
    assert (choice.problem, choice.file, choice.detector) == (None, Path("geometry"), "b.onnx")
    assert "no model sees the picture" in choice.note


def test_a_region_detector_will_do_too(tmp_path: Path) -> None:
    """Whatever the widths of its features, which nobody reads."""
    from vidsgg.assembly.video_predictor import VideoSettings

    at = TrainedModel(read_run(Path("geometry")), "cpu", "c4-small").on_videos(VideoSettings())
    assert at.ready.source.boxes is not None and at.ready.source.boxes.architecture == "faster-rcnn-c4"


def test_a_pipe_too(kitchen: Path, network: Path) -> None:
    Path("map.yaml").write_text("someone: person\nmug: cup/glass/bottle\n")
    lines = list[str]()
    given = {"checkpoint": "geometry", "detector": str(network), "label_map": "map.yaml", "device": "cpu", "fps": 5.0}
    fragments = Path("kitchen.mkv")
    import av

    with av.open(str(kitchen)) as source, av.open(str(fragments), "w") as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    with piped(fragments.read_bytes()) as end:
        done = run_live(PredictOptions(videos=("-",), **given), lines.append, print, descriptor=end)
    assert len(lines) == done.frames == 10 and done.relations > 0
    assert any(edge["predicate"] == "holding" for line in lines for edge in json.loads(line)["edges"])


@needs_files
def test_the_astronaut_is_a_person_in_a_film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = pytest.importorskip("skimage.data")
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "space.mp4", data.astronaut(), frames=30)
    file = Path(FOLDER or "") / "nanodet_coco_nms.onnx"
    assert main(["predict", "space.mp4", "-detector", str(file), "-device", "cpu"]) == 0
    graph = read_graph(Path("graphs/space.graph.json"))
    assert all("person" in [node.label for node in frame.nodes] for frame in graph.frames) and len(graph.frames) == 3
