"""``vidsgg predict`` on videos that belong to no data set, by every model, and what is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set
from numbered_video import numbered, write
from PIL import Image

from vidsgg.cli import predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.graphs import read_graph, write_graph
from vidsgg.structures.graph import VideoGraph

TINY = ["-epochs", "0", "-num_workers", "0", "-device", "cpu", "-features", "off"]
SMALL = ["-hidden_dim", "8", "-embedding_dim", "8", "-feedforward_dim", "8"]
LAYERS = ["-spatial_layer", "1", "-temporal_layer", "1"]
NARROW = {
    "sttran": SMALL + LAYERS,
    "tempura": SMALL + LAYERS,
    "stket": [*SMALL, *LAYERS, "-N_layer", "1"],
    "scenellm": [*SMALL, "-llm_name", "random:llama:hidden=64,layers=2,heads=4", "-token_dim", "16"],
    "frequency": [],
}
OBJECTS = SCHEMA.vocabulary.objects


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Untrained models of all modes."""
    folder = tmp_path_factory.mktemp("runs")
    for mode in ("predcls", "sgcls", "sgdet"):
        arguments = ["-mode", mode, "-data_path", str(data), "-save_path", str(folder / mode)]
        assert run(train.main, [*arguments, *NARROW["sttran"], *TINY]) == 0
    return {path.name: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("videos") / "walk.mp4", frames=60)


def predicted(*words: object) -> int:
    return run(predict.main, [str(word) for word in words])


def test_a_plain_video_becomes_a_graph(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert predicted(video, "-checkpoint", runs["sgdet"], "-o", tmp_path) == 0
    told = "".join(capsys.readouterr())
    assert f"with the weights of {read_config_detector(runs)}" in told
    assert f"{video}: 5 frames, " in told
    graph = read_graph(tmp_path / "walk.graph.json")
    assert (graph.video_id, graph.dataset, graph.vocabulary) == ("walk.mp4", "action_genome", SCHEMA.vocabulary)
    assert [(frame.key, frame.number, frame.time) for frame in graph.frames[:2]] == [
        ("walk.mp4/000001", 1, 0.0),
        ("walk.mp4/000013", 13, 0.48),
    ]
    assert any(frame.edges for frame in graph.frames)  # the detector is random: it does not see a person in each
    assert all(node.track is not None for frame in graph.frames for node in frame.nodes)
    assert {"person", "cup/glass/bottle", "chair"} >= {node.label for frame in graph.frames for node in frame.nodes}
    assert graph.relations
    origin = graph.made_by
    assert origin is not None
    assert (origin.model, origin.mode, origin.checkpoint) == ("sttran", "sgdet", "sgdet/checkpoint_best.tar")
    assert (origin.detector, origin.fps, origin.settings) == (
        "faster-rcnn-c4",
        2.0,
        (("floor", 0.1), ("least_score", 0.3), ("track_score", 0.3), ("sightings", 2.0)),
    )
    assert origin.shown_from == (("attention", 0.6), ("spatial", 0.6), ("contacting", 0.5))
    assert set(origin.on_request) == {"not_looking_at", "unsure", "not_contacting", "other_relationship"}
    assert origin.source is not None and (tmp_path / origin.source).resolve() == video.resolve()


def read_config_detector(runs: dict[str, Path]) -> str:
    lines = (runs["sgdet"] / "config.yaml").read_text(encoding="utf-8").splitlines()
    return next(line.split(": ", 1)[1] for line in lines if line.startswith("detector:"))


@pytest.mark.parametrize("model", ["frequency", "tempura", "stket", "scenellm"])
def test_every_model_goes_the_same_way(data: Path, video: Path, tmp_path: Path, model: str) -> None:
    arguments = ["-model", model, "-mode", "sgdet", "-data_path", str(data), "-save_path", str(tmp_path / "run")]
    assert run(train.main, [*arguments, *NARROW[model], *(TINY if model != "frequency" else TINY[2:])]) == 0
    assert predicted(video, "-checkpoint", tmp_path / "run", "-o", tmp_path, "-least_score", 0) == 0
    graph = read_graph(tmp_path / "walk.graph.json")
    assert len(graph.frames) == 5 and all(frame.nodes for frame in graph.frames)
    # A person with something else has relations; whether there is one is for the random classes to say.
    there = [{node.label for node in frame.nodes} for frame in graph.frames]
    meet = ["person" in labels and len(labels) > 1 for labels in there]
    assert [bool(frame.edges) for frame in graph.frames] == meet
    assert any(meet) or model == "tempura"  # it classifies things itself


def test_what_is_there_is_skipped_and_what_was_made_differently_is_not_overwritten(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = (video, "-checkpoint", runs["sgdet"], "-o", tmp_path, "-fps", 1)
    assert predicted(*command) == 0
    before = (tmp_path / "walk.graph.json").stat().st_mtime_ns
    left = tmp_path / ".vidsgg-0123456789abcdef-walk.graph.json.tmp"
    left.touch()  # as a call that was killed leaves it
    assert predicted(*command) == 0
    assert not left.exists()
    assert "walk.graph.json is there already" in "".join(capsys.readouterr())
    assert (tmp_path / "walk.graph.json").stat().st_mtime_ns == before
    assert predicted(*command[:-1], 4) == 2
    assert "was made differently (fps 1.0, now 4.0)" in capsys.readouterr().err
    assert predicted(*command[:-1], 4, "-overwrite", True) == 0
    assert len(read_graph(tmp_path / "walk.graph.json").frames) == 10
    (tmp_path / "walk.graph.json").write_text("{")
    assert predicted(*command) == 2
    assert "not JSON" in capsys.readouterr().err


def test_videos_of_one_name_have_graphs_of_their_own(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, frames in (("a/kitchen.mp4", 30), ("b/kitchen.mp4", 60), ("c/test.avi", 30), ("c/test.mp4", 60)):
        Path(name).parent.mkdir(exist_ok=True)
        write(Path(name), frames=frames)
    options = ("-checkpoint", runs["sgdet"], "-o", "g", "-fps", 2)
    assert predicted("a/kitchen.mp4", *options) == 0
    assert predicted("b/kitchen.mp4", *options) == 0
    said = "".join(capsys.readouterr())
    assert "its graph is called kitchen.mp4.graph.json: g/kitchen.graph.json is that of another video" in said
    assert predicted("b/kitchen.mp4", "a/kitchen.mp4", *options) == 0
    said = "".join(capsys.readouterr())
    assert "b/kitchen.mp4: g/kitchen.mp4.graph.json is there already" in said
    assert "a/kitchen.mp4: g/kitchen.graph.json is there already" in said
    assert predicted("c", *options) == 0
    said = "".join(capsys.readouterr())
    assert "its graph is called test.avi.graph.json: another video is called 'test' too" in said
    lengths = {path.name: read_graph(path).video.frame_count for path in Path("g").iterdir()}
    assert lengths == {
        "kitchen.graph.json": 30, "kitchen.mp4.graph.json": 60, "test.avi.graph.json": 30, "test.mp4.graph.json": 60,
    }  # fmt: skip
    # A file that was replaced costs its own graph only, and is told.
    write(Path("a/kitchen.mp4"), frames=45)
    assert predicted("a/kitchen.mp4", "c/test.avi", *options) == 2
    said = capsys.readouterr()
    assert (
        "kitchen.graph.json was made from another content of a/kitchen.mp4, which has been replaced since; use"
        " another -o" in said.err
    )
    assert "test.avi.graph.json is there already" in said.out
    assert predicted("a/kitchen.mp4", *options, "-overwrite") == 0
    assert read_graph(Path("g/kitchen.graph.json")).video.frame_count == 45


def test_a_folder_several_at_a_time_and_one_that_is_no_video(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.mp4", "b.mkv"):
        shutil.copy(video, folder / name)
    (folder / "c.mp4").write_bytes(b"no video")
    (folder / "notes.txt").write_text("passed over")
    assert predicted(folder, "-checkpoint", runs["sgdet"], "-o", tmp_path / "alone", "-fps", 1) == 2
    said = capsys.readouterr()
    assert said.err.count("error: ") == 1
    assert "c.mp4: not a readable video" in said.err
    assert (
        predicted(
            folder / "a.mp4",
            folder / "b.mkv",
            "-checkpoint",
            runs["sgdet"],
            "-o",
            tmp_path / "both",
            "-fps",
            1,
            "-jobs",
            2,
        )
        == 0
    )
    for name in ("a.graph.json", "b.graph.json"):
        one, other = read_graph(tmp_path / "alone" / name), read_graph(tmp_path / "both" / name)
        assert [frame.nodes for frame in one.frames] == [frame.nodes for frame in other.frames]
    assert not (tmp_path / "alone" / "c.graph.json").exists()
    assert sorted(path.name for path in (tmp_path / "alone").iterdir()) == ["a.graph.json", "b.graph.json"]


BOXES = """frame,label,x1,y1,x2,y2,track
1,person,10,10,60,90,3
1,cup/glass/bottle,50,40,70,60,4
20,person,12,10,62,90,3
20,cup/glass/bottle,55,40,75,60,4
33,person,12,10,62,90,3
"""


@pytest.mark.parametrize("mode", ["predcls", "sgcls"])
def test_given_boxes(runs: dict[str, Path], video: Path, tmp_path: Path, mode: str) -> None:
    (tmp_path / "boxes.csv").write_text(BOXES, encoding="utf-8")
    assert predicted(video, "-checkpoint", runs[mode], "-o", tmp_path / "g", "-boxes", tmp_path / "boxes.csv") == 0
    graph = read_graph(tmp_path / "g" / "walk.graph.json")
    assert [(frame.number, len(frame.nodes)) for frame in graph.frames] == [(1, 2), (20, 2), (33, 1)]
    assert [[node.track for node in frame.nodes] for frame in graph.frames] == [[3, 4], [3, 4], [3]]
    assert graph.made_by is not None and graph.made_by.tracker is None
    assert graph.frames[1].nodes[1].box == (55, 40, 75, 60)
    if mode == "predcls":  # in SGCLS the random model does not see a person
        assert [bool(frame.edges) for frame in graph.frames] == [True, True, False]
        assert [node.label for node in graph.frames[0].nodes] == ["person", "cup/glass/bottle"]
    # The graph is a file of boxes itself.
    assert (
        predicted(
            video, "-checkpoint", runs[mode], "-o", tmp_path / "again", "-boxes", tmp_path / "g" / "walk.graph.json"
        )
        == 0
    )
    again = read_graph(tmp_path / "again" / "walk.graph.json")
    assert [frame.nodes for frame in again.frames] == [frame.nodes for frame in graph.frames]


def test_boxes_that_leave_the_picture_are_counted(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "frame;class;xmin;ymin;xmax;ymax\n1;person;-3;10;60;90\n1;cup/glass/bottle;50;40;70;60\n20;person;9000;1;9005;9\n"
    (tmp_path / "boxes.csv").write_text(text, encoding="utf-8")
    words = (video, "-checkpoint", runs["predcls"], "-boxes", tmp_path / "boxes.csv", "-o", tmp_path / "g")
    assert predicted(*words) == 0
    said = "".join(capsys.readouterr())
    graph = read_graph(tmp_path / "g" / "walk.graph.json")
    assert graph.frames[0].nodes[0].box == (0, 10, 60, 90) and graph.frames[1].nodes == ()
    assert graph.made_by is not None and len(graph.made_by.notes) == 3
    for note in graph.made_by.notes:
        assert note in said
    (tmp_path / "boxes.csv").write_text(text.replace("cup/glass/bottle", "cup"), encoding="utf-8")
    assert predicted(*words) == 2
    assert "boxes.csv, line 3: unknown class 'cup'; did you mean 'cup/glass/bottle'?" in capsys.readouterr().err


def test_boxes_of_another_video_are_refused(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The graph of a film serves as boxes of this film only, however others are called."""
    assert predicted(video, "-checkpoint", runs["sgdet"], "-o", tmp_path / "g") == 0
    other = write(tmp_path / "walk.mp4", frames=61)
    assert (
        predicted(
            other, "-checkpoint", runs["predcls"], "-boxes", tmp_path / "g" / "walk.graph.json", "-o", tmp_path / "h"
        )
        == 2
    )
    assert (
        f"{other}: is not the video that {tmp_path / 'g' / 'walk.graph.json'} was made from" in capsys.readouterr().err
    )
    (tmp_path / "boxes.csv").write_text(BOXES, encoding="utf-8")
    assert (
        predicted(video, other, "-checkpoint", runs["predcls"], "-boxes", tmp_path / "boxes.csv", "-o", tmp_path / "h")
        == 2
    )
    assert "does not say which of 2 videos its boxes are of" in capsys.readouterr().err


def test_the_detector_is_looked_for_beside_the_checkpoint_and_must_be_the_right_one(
    runs: dict[str, Path], data: Path, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "run"
    shutil.copytree(runs["sgdet"], moved)
    hidden = data / "hidden.pth"
    (data / "detector.pth").rename(hidden)
    try:
        assert predicted(video, "-checkpoint", moved, "-o", tmp_path / "g", "-fps", 1) == 2
        said = capsys.readouterr().err
        assert (
            "the detector that it was trained with is not found. Name it with -detector, or put it beside the"
            " checkpoint" in said
        )
        assert "Looked for: " in said and f"{moved / 'detector.pth'} is not there; " in said
        save_detector(
            moved / "detector.pth", FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), OBJECTS)
        )
        assert predicted(video, "-checkpoint", moved, "-o", tmp_path / "g", "-fps", 1) == 2
        assert f"{moved / 'detector.pth'} is another one" in capsys.readouterr().err
        shutil.copy(hidden, moved / "detector.pth")
        assert predicted(video, "-checkpoint", moved, "-o", tmp_path / "g", "-fps", 1) == 0
        assert f"with the weights of {moved / 'detector.pth'}" in "".join(capsys.readouterr())
        assert predicted(video, "-checkpoint", runs["sgdet"], "-detector", hidden, "-o", tmp_path / "h", "-fps", 1) == 0
    finally:
        hidden.rename(data / "detector.pth")


@pytest.mark.parametrize(
    ("mode", "more", "message"),
    [
        ("predcls", [], "is a model for predcls, which needs boxes: pass them as -boxes FILE"),
        ("sgdet", ["-boxes", "b.csv"], "is a model for sgdet, which finds boxes itself: leave out -boxes"),
        ("predcls", ["-boxes", "none.csv"], "none.csv: cannot be read"),
        ("sgdet", ["-video", "S0001"], "options -video and -split name a video of a data set"),
        ("sgdet", ["-split", "val"], "options -video and -split name a video of a data set"),
        ("sgdet", ["-fps", "0"], "option -fps: 0.0 is too small"),
        ("sgdet", ["-detector", "c4-smal"], "did you mean 'c4-small'"),
    ],
)
def test_what_cannot_work_is_refused(
    runs: dict[str, Path],
    video: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    mode: str,
    more: list[str],
    message: str,
) -> None:
    assert predicted(video, "-checkpoint", runs[mode], "-o", tmp_path / "g", *more) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "g").exists()


def test_paths_that_cannot_work_are_refused(
    runs: dict[str, Path], video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    for words, message in (
        ([video.with_name("wlak.mp4")], "wlak.mp4 does not exist; did you mean 'walk.mp4'?"),
        ([tmp_path / "empty"], "empty holds neither videos (.3gp,"),
    ):
        assert predicted(*words, "-checkpoint", runs["sgdet"], "-o", tmp_path / "g") == 2
        assert message in capsys.readouterr().err
    assert run(predict.main, ["-checkpoint", str(runs["predcls"]), "-boxes", "b.csv"]) == 2
    assert "boxes of your own belong to videos of your own" in capsys.readouterr().err


def test_a_checkpoint_of_actions_is_refused(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_easg(tmp_path / "EASG", clips=4)
    arguments = [
        "-model",
        "frequency",
        "-data_path",
        str(tmp_path / "EASG"),
        "-save_path",
        str(tmp_path / "run"),
        "-num_workers",
        "0",
    ]
    assert run(train.main, arguments) == 0
    assert predicted(video, "-checkpoint", tmp_path / "run", "-o", tmp_path / "g") == 2
    assert "relates actions (" in capsys.readouterr().err


def test_pictures_of_a_folder_and_a_video_without_an_end(runs: dict[str, Path], tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for i in range(3):
        Image.fromarray(numbered(i)).save(frames / f"{i}.jpg")
    short = write(tmp_path / "cut.ts", frames=60)
    short.write_bytes(short.read_bytes()[: short.stat().st_size // 2])
    assert predicted(frames, short, "-checkpoint", runs["sgdet"], "-o", tmp_path / "g", "-fps", 5) == 0
    pictures = read_graph(tmp_path / "g" / "frames.graph.json")
    assert [(frame.key, frame.time) for frame in pictures.frames] == [
        ("frames/0.jpg", 0.0),
        ("frames/1.jpg", 0.2),
        ("frames/2.jpg", 0.4),
    ]
    assert len(read_graph(tmp_path / "g" / "cut.graph.json").frames) < 10


def test_the_annotated_way_has_tracks_and_relations_over_time_too(runs: dict[str, Path], tmp_path: Path) -> None:
    assert run(predict.main, ["-checkpoint", str(runs["predcls"]), "-video", "CCCCC", "-out", str(tmp_path)]) == 0
    graph = read_graph(tmp_path / "CCCCC.graph.json")
    assert (tmp_path / "CCCCC.html").exists()
    assert isinstance(graph, VideoGraph)
    assert graph.made_by is not None
    assert graph.made_by.mode == "predcls"
    assert all(node.track is not None for frame in graph.frames for node in frame.nodes)
    write_graph(tmp_path / "same.json", graph)
    assert read_graph(tmp_path / "same.json") == graph
