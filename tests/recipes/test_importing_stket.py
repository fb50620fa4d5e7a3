"""The authors' STKET, made small: imported, and scored in every mode by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from golden.stket.clips import shapes

from vidsgg.cli import evaluate, import_checkpoint
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.stket.authors import stket_state
from vidsgg.models.configs import StketConfig
from vidsgg.models.stket import Stket
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
SIZES = {
    "spatial_layer": 1,
    "temporal_layer": 2,
    "window_size": 3,
    "hidden_dim": 8,
    "embedding_dim": 12,
    "feedforward_dim": 10,
}
ASKED = {"-use_spatial_prior": "True", "-use_temporal_prior": "True", "-pred_contact_threshold": "0.8"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = small_set(tmp_path_factory.mktemp("data"))
    torch.manual_seed(0)
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), OBJECTS)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):  # which it finds wherever it looks
            detector.class_score.bias[OBJECTS.index(name)] = 8.0
    save_detector(root / "detector.pth", detector)
    return root


@pytest.fixture(scope="module")
def model(data: Path) -> Stket:
    torch.manual_seed(0)
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), OBJECTS)
    widths = FeatureWidths(node=detector.node_width, union=detector.union_channels)
    found = Stket(SCHEMA, widths, StketConfig(**SIZES), "sgdet")
    with torch.no_grad():
        for knowledge in (found.spatial_knowledge, found.temporal_knowledge):
            knowledge.initial.uniform_()
        found.temporal_knowledge.transition.uniform_()
    return found


@pytest.fixture(scope="module")
def file(model: Stket, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model's weights under the authors' names, with the heads that they have and never use."""
    names = [name for name, _ in shapes({"enc_layer_num": 1, "dec_layer_num": 2, "window_size": 3})]
    place, unused = stket_state(
        {name: torch.tensor(i) for i, name in enumerate(names)},
        {**SIZES, "mode": "sgdet", "use_spatial_prior": True, "use_temporal_prior": True},
    )
    state = {names[int(place[name])]: value for name, value in model.state_dict().items()} | {
        name: torch.zeros(1) for name in unused
    }
    path = tmp_path_factory.mktemp("authors") / "model_9.tar"
    torch.save({"state_dict": state}, path)
    return path


def said(**changes: str | None) -> list[str]:
    asked = {**ASKED, **{f"-{name}": value for name, value in changes.items()}}
    return [word for name, value in asked.items() if value is not None for word in (name, value)]


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_it_is_imported_and_scored_in_every_mode(
    file: Path, model: Stket, data: Path, mode: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "imported.tar"
    assert run(import_checkpoint.main, [str(file), "-mode", mode, "-out", str(out), *said()]) == 0
    printed = capsys.readouterr().out
    for name, size in SIZES.items():
        assert f"  {name}: {size}\n" in printed
    assert "which the reference has for parts that it does not use" in printed
    content = load_tensors(out)
    assert (content["config"]["mode"], content["config"]["reference_compat"], content["config"]["N_layer"]) == (
        mode,
        True,
        1,
    )
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in content["model_state_dict"].items())

    arguments = ["-checkpoint", str(out), "-data_path", str(data), "-features", "off", "-num_workers", "0"]
    assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path / "tables"), "-charts", "False"]) == 0
    printed = capsys.readouterr().out
    assert f"stket, {mode}, {out}" in printed
    assert "Side by side" in printed  # with the authors' bugs, and without


def test_what_the_file_does_not_tell_is_asked_for(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["-out", str(tmp_path / "x.tar")]
    assert run(import_checkpoint.main, [str(file), *out]) == 2
    message = capsys.readouterr().err
    assert "option -mode, -use_spatial_prior, -use_temporal_prior, -pred_contact_threshold required" in message
    assert "True in the authors' scripts" in message and "-N_layer too, if it was not 1" in message
    assert run(import_checkpoint.main, [str(file), *out, "-mode", "predcls", *said(pred_contact_threshold=None)]) == 2
    assert "option -pred_contact_threshold required" in capsys.readouterr().err
    assert run(import_checkpoint.main, [str(file), *out, "-mode", "predcls", *said(pred_contact_threshold="1.0")]) == 2
    assert "-oracle_contacts True" in capsys.readouterr().err
    assert not (tmp_path / "x.tar").exists()


def test_priors_that_are_off_are_left_out(file: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.tar"
    asked = said(use_spatial_prior="False", use_temporal_prior="False", pred_contact_threshold=None)
    assert run(import_checkpoint.main, [str(file), "-mode", "predcls", "-N_layer", "2", "-out", str(out), *asked]) == 0
    content = load_tensors(out)
    assert not [name for name in content["model_state_dict"] if "knowledge" in name]
    assert content["config"]["N_layer"] == 2
