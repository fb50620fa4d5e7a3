"""STTran on EASG with random features of the published widths: trained, gone on with, scored and shown
in all three tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.easg_files import write_all_features, write_easg

from vidsgg.cli import compare, evaluate, predict, train
from vidsgg.cli.main import run
from vidsgg.io.graphs import read_graph
from vidsgg.io.tensors import load_tensors
from vidsgg.structures.schema import MODES

NARROW = ["-hidden_dim", "8", "-embedding_dim", "4", "-temporal_layer", "1", "-feedforward_dim", "8"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_easg(tmp_path_factory.mktemp("data"), clips=4, graphs=2)
    write_all_features(root)
    return root


CLASSIFIERS = {"predcls": set(), "sgcls": {"object_classifier"}, "sgdet": {"object_classifier", "action_classifier"}}


def trained(path: Path, data: Path, mode: str, *more: str) -> dict[str, torch.Tensor]:
    """The final weights of a run in the folder ``path``."""
    options = ["-model", "sttran", "-mode", mode, "-data_path", str(data), *NARROW, "-logger", "none"]
    assert run(train.main, [*options, "-num_workers", "0", "-eval_freq", "9", "-save_path", str(path), *more]) == 0
    weights: dict[str, torch.Tensor] = load_tensors(path / "checkpoint_final.tar")["model_state_dict"]
    return weights


@pytest.mark.parametrize("mode", MODES)
def test_a_task_is_trained_scored_and_shown(data: Path, mode: str, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "run"
    weights = trained(path, data, mode, "-epochs", "1")
    assert "features: object 1024, action 2304 wide, from the data set's files\n" in "".join(capsys.readouterr())
    assert {name.split(".")[0] for name in weights if "classifier" in name} == CLASSIFIERS[mode]
    assert run(evaluate.main, ["-checkpoint", str(path), "-charts", "False"]) == 0
    assert f"sttran, {mode}, " in "".join(capsys.readouterr())
    assert run(predict.main, ["-checkpoint", str(path), "-video", "0"]) == 0
    (graph,) = path.rglob("*.graph.json")
    assert read_graph(graph).frames


def test_a_stopped_run_goes_on_with_the_same_bits_and_is_compared(data: Path, tmp_path: Path) -> None:
    half, straight = tmp_path / "half", tmp_path / "straight"
    trained(half, data, "sgdet", "-epochs", "1", "-scheduler", "wave")
    again = trained(half, data, "sgdet", "-epochs", "2", "-scheduler", "wave", "-resume_from", str(half))
    for name, value in trained(straight, data, "sgdet", "-epochs", "2", "-scheduler", "wave").items():
        assert torch.equal(value, again[name])
    places = [str(half), str(straight), "-out", str(tmp_path / "comparison")]
    assert run(compare.main, [*places, "-charts", "False"]) == 0
