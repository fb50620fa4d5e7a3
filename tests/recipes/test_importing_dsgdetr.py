"""The authors' DSG-DETR and ImparTail's files, made small: imported, and scored in every mode by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from golden.deterministic import read_json
from torch import Tensor

from vidsgg.cli import evaluate, import_checkpoint
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import save_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.dsgdetr.authors import dsgdetr_state
from vidsgg.models.configs import DsgDetrConfig
from vidsgg.models.dsgdetr import DsgDetr
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
SIZES = {"hidden_dim": 8, "embedding_dim": 8, "feedforward_dim": 10}
PLACES = {"predcls": 400, "sgcls": 400, "sgdet": 600}  # rows of the table of positions in the object encoder


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    torch.manual_seed(0)
    found = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 4, 48), (1, 2, 3, 4), 8), OBJECTS)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):  # which it finds wherever it looks
            found.class_score.bias[OBJECTS.index(name)] = 8.0
    return found


@pytest.fixture(scope="module")
def data(detector: FasterRCNN, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = small_set(tmp_path_factory.mktemp("data"))
    save_detector(root / "detector.pth", detector)
    return root


def written(path: Path, mode: str, detector: FasterRCNN, *, impartail: bool) -> dict[str, Tensor]:
    """A file of the authors with weights of our model, under all their names; returns the weights under ours."""
    names = list(read_json("impartail", "params.json") if impartail else read_json("dsgdetr", "params.json")[mode])
    widths = FeatureWidths(node=detector.node_width, union=detector.union_channels)
    torch.manual_seed(0)
    sizes = SIZES if impartail else {**SIZES, "object_feedforward_dim": 12}
    model = DsgDetr(SCHEMA, widths, DsgDetrConfig(object_encoder=not impartail, **sizes), mode)
    place, unused = dsgdetr_state({name: torch.tensor(i) for i, name in enumerate(names)}, mode)
    state = {names[int(place[name])]: value for name, value in model.state_dict().items()}
    # what predcls does not use but sizes are read from, and tables of positions
    words, boxes = "object_classifier.obj_embed.weight", "object_classifier.pos_embed.1.weight"
    zeros = {name: torch.zeros(1) for name in unused}
    shaped = {words: torch.zeros(len(OBJECTS) - 1, 8), boxes: torch.zeros(128, 4)}
    zeros |= {name: value for name, value in shaped.items() if name in zeros}
    if not impartail:
        zeros["object_classifier.positional_encoder.pe"] = torch.zeros(1, PLACES[mode], 8)
    key = "sttran_state_dict" if impartail else "state_dict"
    torch.save({key: zeros | state}, path)
    return model.state_dict()


@pytest.mark.parametrize(
    ("mode", "impartail"),
    [("predcls", False), ("sgcls", False), ("sgdet", False), ("sgdet", True)],
)
def test_it_is_imported_and_scored(
    detector: FasterRCNN, data: Path, mode: str, impartail: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "model.tar", tmp_path / "imported.tar"
    weights = written(file, mode, detector, impartail=impartail)
    assert run(import_checkpoint.main, [str(file), "-mode", mode, "-out", str(out)]) == 0
    printed = capsys.readouterr().out
    for name, size in {**SIZES, "object_encoder": not impartail, "temporal_layer": 3}.items():
        assert f"  {name}: {size}\n" in printed
    content = load_tensors(out)
    assert (content["config"]["model"], content["config"]["mode"]) == ("dsgdetr", mode)
    have = content["model_state_dict"]
    assert have.keys() == weights.keys() and all(torch.equal(value, weights[name]) for name, value in have.items())
    arguments = ["-checkpoint", str(out), "-data_path", str(data), "-features", "off", "-num_workers", "0"]
    assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path / "tables"), "-charts", "False"]) == 0
    assert f"dsgdetr, {mode}, {out}" in capsys.readouterr().out
