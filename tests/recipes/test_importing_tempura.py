"""The authors' TEMPURA, made small: imported with and without its memory, and scored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from vidsgg.methods.tempura.authors import infer_tempura, is_tempura, tempura_state
from vidsgg.models.configs import TempuraConfig
from vidsgg.models.tempura import TEMPURA
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
SIZES = {"spatial_layer": 1, "temporal_layer": 3, "hidden_dim": 8, "embedding_dim": 16, "feedforward_dim": 10}
PLACES = {"sgcls": 400, "sgdet": 600}


def under_their_names(model: TEMPURA, params: str) -> dict[str, Tensor]:
    """A model's weights as the authors would have saved them: a mixture's layers are apart there,
    one for every component."""
    theirs = [name for name in read_json("tempura", f"params/{params}.json") if not name.endswith(".pe")]
    place, _ = tempura_state({name: torch.tensor([i]) for i, name in enumerate(theirs)}, "sgcls")
    ours = model.state_dict()
    return {
        theirs[i]: part.squeeze(0) if "num_batches" in name else part
        for name, where in place.items()
        for i, part in zip(
            where.tolist(), ours[name].chunk(len(where)) if ours[name].dim() else (ours[name][None],), strict=True
        )
    }


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that finds a few things wherever it looks."""
    torch.manual_seed(0)
    detector = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 2), rpn_width=4), OBJECTS)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):
            detector.class_score.bias[OBJECTS.index(name)] = 8.0
    path = tmp_path_factory.mktemp("eyes") / "detector.pth"
    save_detector(path, detector, {})
    return path


@pytest.fixture(scope="module")
def model() -> TEMPURA:
    torch.manual_seed(0)
    return TEMPURA(SCHEMA, FeatureWidths(node=16, union=8), TempuraConfig(**SIZES), "sgcls")


def saved(path: Path, model: TEMPURA, mode: str, memory: bool = True) -> Path:
    state = under_their_names(model, "sgcls-readme")
    if mode != "predcls":
        state["object_classifier.positional_encoder.pe"] = torch.zeros(1, PLACES[mode], 160)
    generator = torch.Generator().manual_seed(3)
    rows = {group.name: torch.randn(len(group), 56, generator=generator) for group in SCHEMA.vocabulary.groups}
    torch.save({"state_dict": state, "object_memory": torch.zeros(36, 160), "rel_memory": rows if memory else []}, path)
    return path


@pytest.mark.parametrize("mode", ["sgcls", "sgdet"])
def test_it_is_imported_and_scored_with_its_memory(
    model: TEMPURA, eyes: Path, mode: str, tmp_path: Path, capsys: Any
) -> None:
    file, out = saved(tmp_path / "tempura.tar", model, mode), tmp_path / "imported.tar"
    how = ["-memory", "True", "-mem_feat_lambda", "0.3", "-mem_fusion", "late"] + ["-mode", "sgcls"] * (mode == "sgcls")
    assert run(import_checkpoint.main, [str(file), "-out", str(out), *how]) == 0
    printed = capsys.readouterr().out
    assert f"TEMPURA (Nag et al., CVPR 2023), for mode {mode}\n" in printed
    for name, value in {
        **SIZES,
        "num_mixtures": 4,
        "tracking": True,
        "rel_mem_compute": "joint",
        "mem_feat_lambda": 0.3,
    }.items():
        assert f"  {name}: {value}\n" in printed
    assert "left out: 1 entries, the table of positions, which is computed" in printed
    content = load_tensors(out)
    assert content["config"] | {"model": "tempura", "mode": mode, "mem_feat_lambda": 0.3} == content["config"]
    for name, value in content["model_state_dict"].items():
        if "banks." not in name:
            assert torch.equal(value, model.state_dict()[name]), name
    given = torch.load(file, weights_only=True)["rel_memory"]
    for name, rows in given.items():
        assert torch.equal(content["model_state_dict"][f"banks.{name}.prototypes"], rows)
        assert content["model_state_dict"][f"banks.{name}.renewals"] == 1

    data = small_set(tmp_path / "data")
    arguments = [
        "-checkpoint",
        str(out),
        "-data_path",
        str(data),
        "-features",
        "off",
        "-num_workers",
        "0",
        "-detector",
        str(eyes),
    ]
    assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path / "tables"), "-charts", "False"]) == 0
    assert f"tempura, {mode}, {out}" in capsys.readouterr().out


def test_by_default_the_memory_stays_where_it_is(model: TEMPURA, tmp_path: Path, capsys: Any) -> None:
    file, out = saved(tmp_path / "tempura.tar", model, "predcls"), tmp_path / "imported.tar"
    assert run(import_checkpoint.main, [str(file), "-out", str(out), "-mode", "predcls"]) == 0
    assert "memory: none, as in the authors' test.py" in capsys.readouterr().out
    content = load_tensors(out)
    assert not any(value.any() for name, value in content["model_state_dict"].items() if "banks." in name)
    assert not any(name.startswith(("objects.", "sequences.")) for name in content["model_state_dict"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "option -mode is required"),
        (["-mode", "sgdet"], "a table of 400 positions, which is that of predcls or sgcls, not of sgdet"),
        (["-mode", "sgcls", "-memory", "True"], "README has -mem_feat_lambda 0.3 -mem_fusion late for sgcls"),
        (["-mode", "sgcls", "-memory", "True", "-mem_fusion", "late"], "option -mem_feat_lambda: "),
        (["-mode", "sgcls", "-mem_feat_lambda", "much"], "expected a number or 'sum', got 'much'"),
        (["-mode", "sgcls", "-N_layer", "2"], "holds TEMPURA, which has no such option"),
    ],
)
def test_what_the_file_does_not_tell_is_asked_for(
    model: TEMPURA, tmp_path: Path, capsys: Any, arguments: list[str], message: str
) -> None:
    file = saved(tmp_path / "tempura.tar", model, "sgcls")
    assert run(import_checkpoint.main, [str(file), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["tempura.tar"]


def test_a_memory_that_is_not_there_cannot_be_restored(model: TEMPURA, tmp_path: Path, capsys: Any) -> None:
    file = saved(tmp_path / "tempura.tar", model, "sgcls", memory=False)
    how = ["-mode", "sgcls", "-memory", "True", "-mem_feat_lambda", "sum", "-mem_fusion", "early"]
    assert run(import_checkpoint.main, [str(file), *how]) == 2
    assert "holds no memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ("predcls-readme", {"rel_head": "gmm", "num_mixtures": 6, "rel_mem_compute": "joint", "tracking": False}),
        ("predcls-linear", {"rel_head": "linear", "rel_mem_compute": None}),
        ("predcls-separate-early-auto", {"rel_mem_compute": "separate", "mem_feat_selection": "automated"}),
        ("sgcls-objmem", {"obj_head": "gmm", "obj_mem_compute": True, "take_obj_mem_feat": True, "tracking": False}),
        (
            "sgcls-track-objmem",
            {"obj_head": "gmm", "obj_mem_compute": True, "take_obj_mem_feat": True, "tracking": True},
        ),
        ("sgdet-readme", {"rel_head": "gmm", "obj_head": "linear", "take_obj_mem_feat": False, "tracking": True}),
    ],
)
def test_parts_are_read_off_the_names(params: str, told: dict[str, Any]) -> None:
    shapes = read_json("tempura", f"params/{params}.json")
    published = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert is_tempura(published)
    options, widths = infer_tempura(published)
    assert {**options, **told} == options
    assert widths == FeatureWidths(node=2048, union=1024)
