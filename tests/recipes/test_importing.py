"""Authors' files, made small: imported, and scored in every mode by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from golden.deterministic import read_json
from torch import Tensor

from vidsgg.cli import evaluate, import_checkpoint
from vidsgg.cli.main import main, run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.authors import detector_state
from vidsgg.detectors.faster_rcnn import FasterRCNN, FasterRCNNConfig
from vidsgg.detectors.files import load_detector
from vidsgg.detectors.resnet_c4 import BackboneConfig
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.sttran.authors import sttran_state
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.widths import FeatureWidths

OBJECTS = SCHEMA.vocabulary.objects
SIZES = {"spatial_layer": 1, "temporal_layer": 2, "hidden_dim": 8, "embedding_dim": 12, "feedforward_dim": 10}


def under_their_names(ours: dict[str, Tensor], folder: str, rename) -> dict[str, Tensor]:
    """A state dict of ours as the authors would have saved it, by the recorded list of their
    names."""
    theirs = list(read_json(folder, "params.json"))
    place = rename({name: torch.tensor(i) for i, name in enumerate(theirs)})
    return {theirs[int(place[name])]: value for name, value in ours.items()}


@pytest.fixture(scope="module")
def detector() -> FasterRCNN:
    torch.manual_seed(0)
    found = FasterRCNN(FasterRCNNConfig(BackboneConfig(18, 2), rpn_width=4), OBJECTS)
    with torch.no_grad():
        for name in ("person", "cup/glass/bottle", "chair"):  # which it finds wherever it looks
            found.class_score.bias[OBJECTS.index(name)] = 8.0
    return found


@pytest.fixture(scope="module")
def sttran(detector: FasterRCNN) -> STTran:
    torch.manual_seed(0)
    widths = FeatureWidths(node=detector.node_width, union=detector.union_channels)
    return STTran(SCHEMA, widths, STTranConfig(**SIZES, heads=8), "sgdet")


@pytest.fixture(scope="module")
def files(detector: FasterRCNN, sttran: STTran, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("authors")
    state = under_their_names(detector.state_dict(), "fasterrcnn_ag", lambda names: detector_state(names)[0])
    state["RCNN_base.1.num_batches_tracked"] = torch.tensor(0)
    torch.save({"session": 1, "epoch": 6, "model": state, "pooling_mode": "align"}, folder / "faster_rcnn_ag.pth")
    state = under_their_names(sttran.state_dict(), "sttran", lambda names: sttran_state(names, "sgdet")[0])
    torch.save({"state_dict": state}, folder / "sttran.tar")
    return {"detector": folder / "faster_rcnn_ag.pth", "sttran": folder / "sttran.tar"}


def test_a_detector_comes_through_unchanged(
    files: dict[str, Path], detector: FasterRCNN, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "detector.pth"
    assert main(["import-checkpoint", str(files["detector"]), "-out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "depth: 18\n" in printed
    assert "base_width: 2\n" in printed
    assert "classes: 37, Action Genome's" in printed
    assert (
        "left out: 1 entries, counters of batch normalisation, which is frozen here: RCNN_base.1.num_batches_tracked\n"
        in printed
    )
    again = load_detector(out)
    assert again.classes == OBJECTS
    assert all(torch.equal(value, detector.state_dict()[name]) for name, value in again.state_dict().items())


@pytest.mark.parametrize("mode", ["predcls", "sgcls", "sgdet"])
def test_sttran_is_imported_and_scored_in_every_mode(
    files: dict[str, Path], sttran: STTran, mode: str, tmp_path: Path, capsys
) -> None:
    out = tmp_path / "imported.tar"
    assert run(import_checkpoint.main, [str(files["sttran"]), "-mode", mode, "-out", str(out)]) == 0
    printed = capsys.readouterr().out
    for name, size in SIZES.items():
        assert f"  {name}: {size}\n" in printed
    assert ("left out: 17 entries, the object classifier, which predcls does not use" in printed) == (mode == "predcls")
    content = load_tensors(out)
    assert content["config"]["mode"] == mode
    assert content["config"]["reference_compat"] is True
    assert content["imported_from"] == "sttran.tar"
    assert all(torch.equal(value, sttran.state_dict()[name]) for name, value in content["model_state_dict"].items())

    data, eyes = small_set(tmp_path / "data"), tmp_path / "data" / "detector.pth"  # where it is looked for
    assert run(import_checkpoint.main, [str(files["detector"]), "-out", str(eyes)]) == 0
    arguments = ["-checkpoint", str(out), "-data_path", str(data), "-features", "off", "-num_workers", "0"]
    assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path / "tables"), "-charts", "False"]) == 0
    printed = capsys.readouterr().out
    assert f"sttran, {mode}, {out}" in printed
    assert "Side by side" in printed  # with the authors' bugs, and without


def test_a_file_beside_the_given_one_is_written_once(files: dict[str, Path], capsys) -> None:
    arguments = [str(files["sttran"]), "-mode", "sgcls"]
    assert run(import_checkpoint.main, arguments) == 0
    written = files["sttran"].with_name("sttran_vidsgg.tar")
    assert load_tensors(written)["config"]["mode"] == "sgcls"
    assert run(import_checkpoint.main, arguments) == 2
    assert f"{written} is there already" in capsys.readouterr().err
    assert run(import_checkpoint.main, [str(written), "-mode", "sgcls"]) == 2
    assert "is a file of vidsgg already" in capsys.readouterr().err


def change_nothing(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return state


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (change_nothing, [], "option -mode is required"),
        (change_nothing, ["-mode", "sgcls", "-model", "frequency"], "holds STTran, not 'frequency'"),
        (change_nothing, ["-mode", "sgclass"], "did you mean 'sgcls'"),
        (lambda s: {"a.weight": torch.zeros(2)}, ["-mode", "sgcls"], "neither the detector"),
        (lambda s: {**s, "step": 3}, ["-mode", "sgcls"], "holds 'step', a int"),
        (lambda s: {}, ["-mode", "sgcls"], "holds nothing"),
        (lambda s: {**s, None: torch.zeros(1)}, ["-mode", "sgcls"], "holds None, a Tensor"),
        (
            lambda s: {**s, "obj_embed.weight": torch.tensor(1.0)},
            ["-mode", "sgcls"],
            "a weight has fewer dimensions than there",
        ),
        (
            lambda s: {n: v for n, v in s.items() if n != "vr_fc.weight"},
            ["-mode", "sgcls"],
            "pair_encoder.union.flatten.weight",
        ),
        (
            lambda s: {**s, "obj_embed.weight": s["obj_embed.weight"][1:]},
            ["-mode", "sgcls"],
            "obj_embed.weight has 36 rows",
        ),
        (
            lambda s: {n: v for n, v in s.items() if n != "a_rel_compress.weight"},
            ["-mode", "sgcls"],
            "a_rel_compress.weight is missing",
        ),
        (lambda s: {n: v for n, v in s.items() if n != "subj_fc.weight"}, ["-mode", "sgcls"], "subj_fc.weight"),
    ],
    ids=[
        "no mode",
        "other model",
        "misspelt mode",
        "stranger",
        "no tensor",
        "empty",
        "a name that is no text",
        "a single number",
        "missing",
        "classes",
        "predicates",
        "sizes",
    ],
)
def test_what_does_not_fit_is_refused(
    files: dict[str, Path], tmp_path: Path, capsys, change, arguments: list[str], message: str
) -> None:
    state = torch.load(files["sttran"], weights_only=True)["state_dict"]
    torch.save(change(state), tmp_path / "given.tar")
    assert run(import_checkpoint.main, [str(tmp_path / "given.tar"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["given.tar"]


def test_a_detector_has_no_mode(files: dict[str, Path], capsys) -> None:
    assert run(import_checkpoint.main, [str(files["detector"]), "-mode", "sgdet"]) == 2
    assert "holds a detector, which has no mode" in capsys.readouterr().err
