"""EASG's three tasks through the command line: features of the published widths, and none."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from datasets.easg_files import VERBS, write_easg, write_features

from vidsgg.cli import compare, evaluate, export, predict, train, view
from vidsgg.cli.main import run
from vidsgg.datasets.easg import EASG
from vidsgg.io.graphs import read_graph
from vidsgg.io.tensors import load_tensors
from vidsgg.structures.schema import MODES

TINY = "-hidden_dim 8 -embedding_dim 4 -feedforward_dim 8 -temporal_layer 1 -warmup_steps 1 -num_workers 0 -device cpu"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels and boxes only."""
    return write_easg(tmp_path_factory.mktemp("bare"), clips=4, graphs=3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with random features, as wide as the published ones."""
    root = write_easg(tmp_path_factory.mktemp("whole"), clips=4, graphs=3)
    write_features(root, "train", action=False)
    write_features(root, "test")
    # verb_features.pt holds the actions of one split: those of the other are added.

    of_test = torch.load(root / "verb_features.pt", weights_only=True)
    write_features(root, "train", roi=False)
    of_train = torch.load(root / "verb_features.pt", weights_only=True)
    torch.save(of_train | of_test, root / "verb_features.pt")
    return root


def trained(folder: Path, data: Path, mode: str, *more: str) -> str:
    words = ["-mode", mode, "-data_path", str(data), "-save_path", str(folder), "-val", "test", *more]
    assert run(train.main, words) == 0
    return (folder / "logfile.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("mode", MODES)
def test_from_training_to_graphs(mode: str, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Train, go on, evaluate, compare with counting, calibrate, predict, view, export."""
    one, two, counted = (tmp_path / name for name in ("one", "two", "counted"))
    log = trained(one, whole, mode, *TINY.split(), "-epochs", "2", "-save_freq", "1")
    assert "features: object 1024, action 2304 wide, from the data set's files" in log
    assert "Eval - Recall@10" in log
    assert run(train.main, ["-resume_from", str(one / "checkpoint_epoch_1.tar"), "-save_path", str(two)]) == 0
    weights, again = (load_tensors(path / "checkpoint_final.tar")["model_state_dict"] for path in (one, two))
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    trained(counted, whole, mode, "-model", "frequency")

    assert run(evaluate.main, ["-checkpoint", str(one), "-charts", "False"]) == 0
    said = "".join(capsys.readouterr())
    name = {"predcls": "edge", "sgcls": "scene graph", "sgdet": "action scene graph"}[mode]
    assert f"{mode} ({name} classification)" in said and "expected calibration error" in said
    scores = json.loads((one / "evaluation_test.json").read_text(encoding="utf-8"))["recall"]
    assert set(scores["with"]["R"]) == set(scores["no"]["mR"]) == {"10", "20", "50"}
    assert run(compare.main, [str(one), str(counted), "-out", str(tmp_path / "both"), "-charts", "False"]) == 0

    out = tmp_path / "graphs"
    assert run(predict.main, ["-checkpoint", str(one), "-video", "0", "-out", str(out)]) == 0
    (file,) = out.glob("*.graph.json")
    graph, truth = read_graph(file), EASG(whole, "test").annotation(0)
    assert len(graph.frames) == truth.frames
    scored = set()
    for frame, unit in zip(graph.frames, truth.frame_unit.tolist(), strict=True):
        (verb,) = (i for i, node in enumerate(frame.nodes) if node.box is None)  # the centre of all relations
        assert {edge.subject for edge in frame.edges} == {verb}
        assert {edge.object for edge in frame.edges} == set(range(len(frame.nodes))) - {verb}
        assert frame.nodes[verb].label in VERBS
        assert mode == "sgdet" or frame.nodes[verb].label == VERBS[truth.action_class[unit]]
        scored.add(frame.nodes[verb].score)
        assert mode == "predcls" or all(node.score < 1 for node in frame.nodes if node.box is not None)
    assert (scored == {1.0}) == (mode != "sgdet")
    assert run(view.main, [str(file), "-out", str(tmp_path / "page")]) == 0
    for form in ("csv", "graphml", "cypher"):
        assert run(export.main, [str(file), "-format", form, "-o", str(tmp_path / form)]) == 0


@pytest.mark.parametrize("model", ["sttran", "tempura"])
def test_labels_and_boxes_are_enough(model: str, bare: Path, tmp_path: Path) -> None:
    """Each task from the weights of the one before."""
    start: list[str] = []
    for mode in MODES:
        log = trained(tmp_path / mode, bare, mode, "-model", model, *TINY.split(), "-epochs", "1", *start)
        assert "features: none; labels and boxes only" in log
        start = ["-resume_from", str(tmp_path / mode)]
    assert "taken over: action_classifier" not in log and "new, with their own start: action_classifier" in log


def test_the_loss_may_be_watched_where_pairs_are_given(bare: Path, tmp_path: Path) -> None:
    log = trained(tmp_path / "run", bare, "sgdet", *TINY.split(), "-epochs", "1", "-monitor", "val_loss")
    assert re.search(r"best: loss \d+\.\d+ after epoch 1", log)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("-model stket -mode sgcls", "model 'stket' does not work on 'easg'"),
        ("-model scenellm -mode sgdet -use_llm False -ot_mode none", "neither here in mode sgdet; use mode predcls"),
        ("-model tempura -mode sgcls -tracking True", "option -tracking: .* come without a detector's classes"),
    ],
)
def test_what_makes_no_sense_is_refused(
    words: str, message: str, bare: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["-data_path", str(bare), "-save_path", str(tmp_path / "run"), "-device", "cpu"]
    assert run(train.main, [*words.split(), *place]) == 2
    told = capsys.readouterr().err

    assert re.search(message, told), told
    assert not (tmp_path / "run").exists()
