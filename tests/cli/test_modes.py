"""PredCLS, SGCLS and SGDET one after another through the command line, each starting from the
weights of the one before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from detectors.tiny import sighted_set

from vidsgg.cli import evaluate, predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.tensors import load_tensors

TINY = [
    "-epochs",
    "1",
    "-hidden_dim",
    "8",
    "-temporal_layer",
    "1",
    "-num_workers",
    "0",
    "-device",
    "cpu",
    "-features",
    "off",
]
OBJECTS = SCHEMA.vocabulary.objects


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    paths: dict[str, Path] = {}
    start: list[str] = []
    for mode in ("predcls", "sgcls", "sgdet"):
        paths[mode] = folder / mode
        assert (
            run(train.main, ["-mode", mode, "-data_path", str(data), "-save_path", str(paths[mode]), *TINY, *start])
            == 0
        )
        start = ["-resume_from", str(paths[mode])]
    return paths


def test_each_mode_tells_what_it_took_over(runs: dict[str, Path], data: Path) -> None:
    log = (runs["sgcls"] / "logfile.txt").read_text(encoding="utf-8")
    assert f"starts from the weights of {runs['predcls'] / 'checkpoint_best.tar'} (sttran, predcls, epoch 1)" in log
    assert "taken over: pair_encoder.subject_visual (2)" in log
    assert "new, with their own start: object_classifier" in log
    log = (runs["sgdet"] / "logfile.txt").read_text(encoding="utf-8")
    assert "starts from the weights" in log
    assert "with their own start" not in log
    assert f"faster-rcnn-c4 with the weights of {data / 'detector.pth'}" in log


def test_the_first_step_starts_from_the_weights(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    start = ["-resume_from", str(runs["predcls"]), "-epochs", "0", "-save_path", str(tmp_path / "run")]
    assert run(train.main, ["-mode", "sgcls", "-data_path", str(data), *TINY, *start]) == 0
    old, new = (
        load_tensors(path / "checkpoint_best.tar")["model_state_dict"] for path in (runs["predcls"], tmp_path / "run")
    )
    assert all(torch.equal(new[name], value) for name, value in old.items())
    assert any(name.startswith("object_classifier.") for name in new)


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_every_mode_is_scored_and_predicted(runs: dict[str, Path], tmp_path: Path, mode: str) -> None:
    assert (
        run(
            evaluate.main,
            ["-checkpoint", str(runs[mode]), "-save_path", str(tmp_path), "-num_workers", "0", "-charts", "False"],
        )
        == 0
    )
    content = json.loads((tmp_path / "evaluation_test.json").read_text(encoding="utf-8"))
    assert content["mode"] == mode
    assert 0 <= content["recall"]["no"]["R"]["100"] <= 1
    assert run(predict.main, ["-checkpoint", str(runs[mode]), "-video", "CCCCC", "-out", str(tmp_path)]) == 0
    graph = json.loads((tmp_path / "CCCCC.graph.json").read_text(encoding="utf-8"))
    assert len(graph["frames"]) == 3
    assert all(len(frame["nodes"]) >= 2 and frame["edges"] for frame in graph["frames"])
    assert all(0 < node["score"] <= 1 for frame in graph["frames"] for node in frame["nodes"])


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_the_frequency_baseline_has_all_modes(data: Path, tmp_path: Path, mode: str) -> None:
    arguments = ["-model", "frequency", "-mode", mode, "-data_path", str(data), "-num_workers", "0", "-features", "off"]
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "f")]) == 0
    assert run(evaluate.main, ["-checkpoint", str(tmp_path / "f"), "-num_workers", "0", "-charts", "False"]) == 0


def test_a_detector_of_other_classes_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "other.pth"
    save_detector(
        file,
        FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), (*OBJECTS[:5], "zebra", *OBJECTS[6:])),
    )
    arguments = [
        "-mode",
        "sgdet",
        "-data_path",
        str(data),
        "-detector",
        str(file),
        "-save_path",
        str(tmp_path / "run"),
        *TINY,
    ]
    assert run(train.main, arguments) == 2
    assert "'zebra' stands where the data set has 'book'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
