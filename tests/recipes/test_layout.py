"""``-features layout``: models that read boxes and classes alone, from training to videos."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets.ag_files import small_set, write_video
from datasets.easg_files import write_easg
from detectors.onnx_files import write_network

import vidsgg
from vidsgg.app.checkpoints import BoxFinder, Checkpoints
from vidsgg.app.jobs import GRAPH, PAGE, VIDEO, Asked
from vidsgg.app.work import JobTask, make
from vidsgg.cli import evaluate, predict, train
from vidsgg.cli.main import run
from vidsgg.detectors.label_files import LabelFiles
from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.checkpoint_files import BEST, FINAL
from vidsgg.io.graphs import read_graph

TINY = ["-num_workers", "0", "-device", "cpu", "-logger", "none", "-features", "layout"]
NARROW = ["-hidden_dim", "8", "-embedding_dim", "8", "-feedforward_dim", "8", "-temporal_layer", "1"]
METHODS = {
    "sttran": NARROW,
    "tempura": NARROW,
    "stket": NARROW,
    "dsgdetr": [*NARROW, "-object_layer", "1", "-object_feedforward_dim", "8"],
    "scenellm": ["-use_llm", "False", "-token_dim", "8", "-hidden_dim", "8", "-vq_epochs", "0", "-freeze_llm_epochs", "1"],
    "geometry": [],
    "frequency": [],
}  # fmt: skip
SAYS = "no model saw the picture"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set with its videos; ``bare`` has the annotation files alone."""
    return small_set(tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def bare(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare")
    shutil.copytree(root / "annotations", folder / "annotations")
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds what is annotated, but calls it otherwise."""
    rows = np.array([[8, 7, 40, 60, 0.9, 0], [30, 20, 54, 50, 0.8, 1], [50, 10, 68, 27, 0.7, 2]], np.float32)
    folder = tmp_path_factory.mktemp("detector")
    (folder / "map.yaml").write_text("someone: person\nseat: chair\nmug: cup/glass/bottle\n")
    return write_network(folder / "found.onnx", {"detections": rows}, names=["someone", "seat", "mug"])


@pytest.fixture(scope="module")
def learnt(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """STTran after a few epochs on the annotation files alone."""
    folder = tmp_path_factory.mktemp("runs") / "layout"
    given = ["-data_path", str(bare), "-save_path", str(folder), "-epochs", "6", "-lr", "1e-2", "-eval_freq", "6"]
    assert run(train.main, [*given, *TINY, *NARROW]) == 0
    return folder


@pytest.mark.parametrize("model", METHODS)
def test_every_method_learns_from_annotations_alone_and_reads_a_film(
    model: str, bare: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, film = tmp_path / "run", write_video(tmp_path, "film", 20)
    given = ["-model", model, "-data_path", str(bare), "-save_path", str(folder), *TINY, *METHODS[model]]
    assert run(train.main, [*given, *(["-epochs", "1"] if model != "frequency" else [])]) == 0, capsys.readouterr().err
    assert "boxes and classes alone (layout)" in (folder / "logfile.txt").read_text()
    names = ["-detector", str(network), "-label_map", str(network.with_name("map.yaml"))]
    out = ["-out", str(tmp_path / "graphs"), "-device", "cpu", "-threshold", "0.01", "-fps", "10"]
    assert run(predict.main, [str(film), "-checkpoint", str(folder), *names, *out]) == 0, capsys.readouterr().err
    assert SAYS in "".join(capsys.readouterr())
    graph = read_graph(tmp_path / "graphs" / "film.graph.json")
    assert graph.made_by is not None and any(SAYS in note for note in graph.made_by.notes)
    assert all({edge.object for edge in frame.edges} >= {1} for frame in graph.frames) and graph.relations


def test_what_was_learnt_is_found_behind_a_detector(
    learnt: Path, root: Path, network: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In PredCLS and, with boxes of any detector, in SGDET; the options that name its labels go with it."""
    names = ["-detector", str(network), "-label_map", str(network.with_name("map.yaml"))]
    common = [
        "-checkpoint",
        str(learnt),
        "-num_workers",
        "0",
        "-device",
        "cpu",
        "-charts",
        "False",
        "-save_path",
        str(tmp_path),
    ]
    assert run(evaluate.main, [*common, "-charts", "False"]) == 0
    assert run(evaluate.main, [*common, "-data_path", str(root), "-mode", "sgdet", *names, "-charts", "False"]) == 0, (
        capsys.readouterr().err
    )
    said = capsys.readouterr().out
    assert "boxes: by " in said and "found.onnx" in said
    given, found = (
        json.loads((tmp_path / f"evaluation_test{suffix}.json").read_text())["recall"]["with"]["R"]["20"]
        for suffix in ("", "_sgdet")
    )
    assert given == found > 0.5
    model = vidsgg.load(learnt, device="cpu", detector=str(network), label_map=network.with_name("map.yaml"))
    assert model.predict(root / "videos" / "CCCCC.mp4", threshold=0.3, fps=10).relations
    assert model.evaluate(vidsgg.open_dataset(root)).value("with", 20, "R") == given
    table = tmp_path / "boxes.csv"
    table.write_text("frame,label,x1,y1,x2,y2\n1,person,8,7,40,60\n1,chair,30,20,54,50\n")
    boxed = vidsgg.load(learnt, device="cpu").predict(root / "videos" / "CCCCC.mp4", boxes=table, threshold=0.01)
    assert [len(frame.nodes) for frame in boxed.frames] == [2]


def test_training_in_sgdet_learns_the_same_and_is_scored_on_what_is_found(
    learnt: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.array([[8, 7, 40, 60, 0.9, 0], [30, 20, 54, 50, 0.8, 1]], np.float32)
    known = write_network(tmp_path / "known.onnx", {"detections": rows}, names=["person", "chair"])
    given = ["-mode", "sgdet", "-detector", str(known), "-data_path", str(root), "-save_path", str(tmp_path / "run")]
    assert run(train.main, [*given, "-epochs", "6", "-lr", "1e-2", "-eval_freq", "6", *TINY, *NARROW]) == 0
    mine, other = (Checkpoint.load(folder / FINAL).weights for folder in (tmp_path / "run", learnt))
    assert mine.keys() == other.keys() and all(torch.equal(mine[name], other[name]) for name in mine)
    film = write_video(tmp_path, "film", 10)
    out = ["-out", str(tmp_path / "graphs"), "-device", "cpu"]
    assert run(predict.main, [str(film), "-checkpoint", str(tmp_path / "run"), *out]) == 0  # finds its detector
    assert "known.onnx" in "".join(capsys.readouterr())
    (choice,) = Checkpoints((str(tmp_path / "run"),))()
    assert (choice.problem, choice.detector) == (None, "onnx") and SAYS.replace("saw", "sees") in choice.note


def test_a_run_goes_on_with_the_same_bits(learnt: Path, bare: Path, tmp_path: Path) -> None:
    """Boxes are moved and left out alike, wherever it was stopped."""
    given = ["-data_path", str(bare), "-lr", "1e-2", "-eval_freq", "6", "-save_freq", "3", *TINY, *NARROW]
    assert run(train.main, [*given, "-epochs", "6", "-save_path", str(tmp_path / "one")]) == 0
    middle = next(tmp_path.glob("one/checkpoint_*3.tar"))
    assert run(train.main, ["-resume_from", str(middle), "-save_path", str(tmp_path / "two")]) == 0
    whole, parts, alone = (Checkpoint.load(f / FINAL).weights for f in (tmp_path / "one", tmp_path / "two", learnt))
    assert all(torch.equal(whole[name], parts[name]) and torch.equal(whole[name], alone[name]) for name in whole)


def test_what_contradicts_it_is_refused_with_the_reason(
    learnt: Path, root: Path, bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = ["-data_path", str(bare), "-save_path", str(tmp_path / "x"), "-num_workers", "0", "-device", "cpu"]
    scored = ["-checkpoint", str(learnt), "-device", "cpu", "-num_workers", "0"]
    for command, given, message in (
        (train, [*new, "-features", "layout", "-model", "oed"], "'oed' reads the pictures themselves"),
        (train, [*new, "-features", "layout", "-mode", "sgcls"], "mode 'sgcls' hides the classes"),
        (train, [*new, "-features", "layout", "-model", "dsgdetr", "-indices", "tracks"], "-indices class"),
        (train, [*new, "-model", "frequency", "-box_jitter", "0.1"], "-box_jitter"),
        (train, [*new, "-model", "sttran", "-drop_boxes", "0.1", "-epochs", "0"], "-drop_boxes does nothing without"),
        (train, ["-resume_from", str(learnt), "-features", "off"], "option -features: off was asked for"),
        (evaluate, [*scored, "-features", "off"], "reads boxes and classes alone"),
        (evaluate, [*scored, "-mode", "sgcls"], "is of mode 'predcls', not 'sgcls'"),
        (evaluate, [*scored, "-label_map", str(learnt / "config.yaml")], "-label_map"),
    ):
        assert run(command.main, given) == 2, given
        error = capsys.readouterr().err
        assert message in error and "Traceback" not in error, error
    assert not (tmp_path / "x").exists()


def test_without_pictures_a_page_of_the_data_set_can_be_made(learnt: Path, tmp_path: Path) -> None:
    out = ["-checkpoint", str(learnt), "-video", "0", "-out", str(tmp_path), "-device", "cpu"]
    assert run(predict.main, out) == 0
    assert SAYS in next(tmp_path.glob("*.html")).read_text(encoding="utf-8")


def test_the_app_offers_and_runs_it(learnt: Path, root: Path, network: Path, tmp_path: Path) -> None:
    labels = LabelFiles.of(None, network.with_name("map.yaml"))
    (choice,) = Checkpoints((str(learnt),), finder=BoxFinder.of(str(network), labels))()
    assert (choice.problem, choice.detector) == (None, "found.onnx") and "no model sees the picture" in choice.note
    (choice,) = Checkpoints((str(learnt),), finder=BoxFinder.of(str(network)))()
    assert choice.problem is not None and "none of the detector's labels" in choice.problem
    (choice,) = Checkpoints((str(learnt),), finder=BoxFinder(None, problem="needs a detector"))()
    assert choice.problem == "needs a detector"
    (tmp_path / VIDEO).write_bytes((root / "videos" / "CCCCC.mp4").read_bytes())
    asked = Asked(str(learnt / BEST), fps=10, threshold=0.3)
    done = make(JobTask(tmp_path, "mine.mp4", asked, "cpu", 30, str(network), labels), lambda message: None)
    graph = read_graph(tmp_path / GRAPH)
    assert done.relations == len(graph.relations) > 0 and len(graph.frames) == done.frames
    assert SAYS in (tmp_path / PAGE).read_text(encoding="utf-8")


def test_events_learn_what_they_learnt_without_features(tmp_path: Path) -> None:
    """EASG's subjects have no boxes: with the word or without it the network is the same, and so is what it
    learns."""
    root = write_easg(tmp_path / "easg", clips=4)
    given = ["-data_path", str(root), "-epochs", "1", "-num_workers", "0", "-device", "cpu", "-logger", "none", *NARROW]
    weights = []
    for name in ("auto", "layout"):
        assert run(train.main, [*given, "-features", name, "-save_path", str(tmp_path / name)]) == 0
        weights.append(Checkpoint.load(tmp_path / name / FINAL).weights)
    assert weights[0].keys() == weights[1].keys() and all(torch.equal(weights[0][n], weights[1][n]) for n in weights[0])
    assert any(name.startswith("pair_encoder.geometry.") for name in weights[0])
    assert not any("layout" in name for name in weights[0])
