"""STKET in all modes from the command line: priors counted, a run that goes on bit by bit, parts and oracle contacts in evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set

from vidsgg.cli import train
from vidsgg.cli.data import priors
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.engine.checkpoint import load_checkpoint

TINY = [
    "-model", "stket", "-epochs", "2", "-hidden_dim", "8", "-embedding_dim", "4", "-feedforward_dim", "16",
    "-enc_layer_num", "1", "-dec_layer_num", "1", "-eval_freq", "1", "-num_workers", "0", "-device", "cpu", "-features", "off",
]  # fmt: skip
OBJECTS = SCHEMA.vocabulary.objects


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set with a detector in its folder that finds a person, a cup and a chair wherever it looks."""
    root = small_set(tmp_path_factory.mktemp("data"))
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), OBJECTS)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):
            detector.class_score.bias[OBJECTS.index(name)] = 8.0
    save_detector(root / "detector.pth", detector)
    return root


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    paths = {mode: folder / mode for mode in ("predcls", "sgcls", "sgdet")}
    for mode, path in paths.items():
        assert run(train.main, ["-mode", mode, "-data_path", str(data), "-save_path", str(path), *TINY]) == 0
    return paths


def test_every_mode_trains_with_counted_priors(runs: dict[str, Path]) -> None:
    for mode, path in runs.items():
        log = (path / "logfile.txt").read_text(encoding="utf-8")
        assert "priors: counted on the" in log
        config = load_checkpoint(path / "checkpoint_final.tar")["config"]
        assert (config["mode"], config["spatial_layer"], config["temporal_layer"]) == (mode, 1, 1)


def test_counted_priors_and_those_of_a_file_start_alike(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "TrainPrior.json"
    assert run(priors.main, ["-data_path", str(data), "-out", str(file)]) == 0
    assert "contacts" in capsys.readouterr().out
    tables = []
    for name, given in (("counted", []), ("read", ["-priors", str(file)])):
        path = tmp_path / name
        assert run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY, "-epochs", "0", *given]) == 0
        tables.append(load_checkpoint(path / "checkpoint_final.tar")["model_state_dict"])
    assert f"priors: read from {file}" in (tmp_path / "read" / "logfile.txt").read_text(encoding="utf-8")
    assert tables[0]["temporal_knowledge.transition"].any()
    assert all(torch.equal(value, tables[1][name]) for name, value in tables[0].items())
    file.write_text("{}")
    assert run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "x"), *TINY, "-priors", str(file)]) == 2
    assert not (tmp_path / "x").exists()


def test_a_run_goes_on_bit_by_bit_without_a_file_of_priors(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    assert run(train.main, ["-mode", "sgcls", "-data_path", str(data), "-save_path", str(half), *TINY, "-epochs", "1"]) == 0
    assert run(train.main, ["-resume_from", str(half), *TINY[:2], "-mode", "sgcls", "-epochs", "2"]) == 0
    assert (half / "logfile.txt").read_text(encoding="utf-8").count("priors: counted") == 1
    whole, resumed = (load_checkpoint(path / "checkpoint_final.tar")["model_state_dict"] for path in (runs["sgcls"], half))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
