"""Command lines as TEMPURA's and STKET's authors and the training guide print them, in every mode,
with ``-model`` put before them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import SHORT
from datasets.ag_files import small_set

from vidsgg.cli import train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.tensors import load_tensors

MODES = ("predcls", "sgcls", "sgdet")
MEMORY = (
    "-rel_mem_compute joint -rel_mem_weight_type simple -mem_fusion late -mem_feat_selection manual -rel_head gmm"
    " -obj_head linear -lr 1e-5"
)
OBJECTS = "-obj_con_loss euc_con -lambda_con 1 -eos_coef 1 -K 4 -tracking"
STKET = (
    "-model stket -lr 2e-5 -nepoch 10 -pred_contact_threshold 0.8 -window_size 4 -N_layer 1 -enc_layer_num 2"
    " -dec_layer_num 2 -bce_loss -use_spatial_prior -spatial_prior_loss -use_temporal_prior -temporal_prior_loss"
)
READ = {
    "pred_contact_threshold": 0.8,
    "window_size": 4,
    "bce_loss": True,
    "use_spatial_prior": True,
    "temporal_prior_loss": True,
    "lr": 2e-5,
}
COMMANDS: list[tuple[str, dict[str, Any]]] = [
    (f"-mode predcls -model tempura {MEMORY} -mem_feat_lambda 0.5 -K 6", {"num_mixtures": 6, "mem_feat_lambda": 0.5}),
    (
        f"-mode sgcls -model tempura {MEMORY} -mem_feat_lambda 0.3 {OBJECTS}",
        {"num_mixtures": 4, "mem_feat_lambda": 0.3, "tracking": True},
    ),
    (
        f"-mode sgdet -model tempura {MEMORY} -mem_feat_lambda 0.5 {OBJECTS}",
        {"obj_con_loss": "euc_con", "lr": 1e-5, "tracking": True},
    ),
    *((f"-mode {mode} {STKET}", READ) for mode in MODES),
    *(
        command
        for mode in MODES[1:]  # in predcls they stand in test_training_guide.py
        for command in (
            (
                f"-mode {mode} -model tempura -lr 1e-4 -num_mixtures 3 -uncertainty_threshold 0.5",
                {"num_mixtures": 3, "uncertainty_threshold": 0.5},
            ),
            (
                f"-mode {mode} -model tempura -lr 8e-5 -gmm_regularization 0.01 -temporal_window 5",
                {"gmm_regularization": 0.01, "temporal_window": 5, "lr": 8e-5},
            ),
        )
    ),
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set with a detector in its folder that finds a person, a cup and a chair wherever
    it looks."""
    root, objects = small_set(tmp_path_factory.mktemp("data")), SCHEMA.vocabulary.objects
    torch.manual_seed(0)
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), objects)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):
            detector.class_score.bias[objects.index(name)] = 8.0
    save_detector(root / "detector.pth", detector)
    return root


@pytest.mark.parametrize(
    ("command", "wanted"), COMMANDS, ids=[" ".join(re.findall(r"(?:-mode|-model) (\w+)", c)) for c, _ in COMMANDS]
)
def test_it_trains_with_what_it_says(
    command: str, wanted: dict[str, Any], data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIDSGG_OPTIONS", f"{SHORT} embedding_dim=8 features=off eval_freq=1 num_workers=0")
    place = ["-datasize", "large", "-data_path", str(data), "-save_path", str(tmp_path / "run")]
    assert run(train.main, [*command.split(), *place]) == 0
    config = load_tensors(tmp_path / "run" / "checkpoint_final.tar")["config"]
    assert {name: config[name] for name in wanted} == wanted
    log = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert re.search(r"^Epoch 1/1 - Loss: \d+\.\d+ - LR: ", log, re.MULTILINE)
    assert re.search(r"^Epoch 1/1 - Eval - Recall@10: ", log, re.MULTILINE)
    scalars = (tmp_path / "run" / "metrics.csv").read_text(encoding="utf-8")
    terms = set(re.findall(r",train/loss/([\w/]+),", scalars))
    assert ("gmm_regularization_loss" in terms) == (config.get("gmm_regularization", 0) > 0)
    assert ("contrastive" in terms) == ("tempura" in command and "predcls" not in command)
    assert ("ensemble_contacting" in terms and "temporal_prior_spatial" in terms) == ("stket" in command)
