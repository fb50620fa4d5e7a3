"""The authors' STTran for EASG, made small: imported, and scored in every task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from datasets.easg_files import write_all_features, write_easg
from golden.deterministic import read_json
from torch import Tensor

from vidsgg.cli import evaluate, import_checkpoint, predict
from vidsgg.cli.main import run
from vidsgg.datasets.easg import EASG
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.sttran.authors import WITH_BACKGROUND, easg_sttran_state
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.schema import MODES
from vidsgg.structures.widths import FeatureWidths

SIZES = {"spatial_layer": 1, "temporal_layer": 3, "hidden_dim": 8, "embedding_dim": 12, "feedforward_dim": 10}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = write_easg(tmp_path_factory.mktemp("data"), clips=3, graphs=2)
    write_all_features(root)
    return root


@pytest.fixture(scope="module")
def model(data: Path) -> STTran:
    torch.manual_seed(0)
    made = STTran(EASG(data, "test").schema, FeatureWidths(node=1024, action=2304), STTranConfig(**SIZES), "sgdet")
    with torch.no_grad():
        for name, weight in made.state_dict().items():
            if name in WITH_BACKGROUND:
                weight[0] = 0
    return made


@pytest.fixture(scope="module")
def state(model: STTran) -> dict[str, Tensor]:
    """The model's weights as the authors would have saved them."""
    theirs = list(read_json("easg_model", "params.json")["sttran"])
    place, _ = easg_sttran_state({name: torch.tensor([i]) for i, name in enumerate(theirs)}, "sgdet")
    found = {}
    for name, value in model.state_dict().items():
        found[theirs[int(place[name][-1])]] = value[1:] if name in WITH_BACKGROUND else value
    return found | {"conv.0.weight": torch.zeros(1)}


@pytest.mark.parametrize("mode", MODES)
def test_it_is_imported_and_scored(
    data: Path, model: STTran, state: dict[str, Tensor], mode: str, tmp_path: Path, capsys: Any
) -> None:
    torch.save({"state_dict": state}, tmp_path / "model.tar")
    out = tmp_path / "imported.tar"
    arguments = [str(tmp_path / "model.tar"), "-mode", mode, "-data_path", str(data), "-out", str(out)]
    assert run(import_checkpoint.main, arguments) == 0
    printed = capsys.readouterr().out
    for name, size in SIZES.items():
        assert f"  {name}: {size}\n" in printed
    assert "reads: RoI features 1024 wide, action features 2304 wide" in printed
    assert "convolutions that its authors never run" in printed
    content = load_tensors(out)
    assert content["config"]["mode"] == mode
    for name, value in content["model_state_dict"].items():
        assert torch.equal(value, model.state_dict()[name])

    arguments = ["-checkpoint", str(out), "-data_path", str(data)]
    assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path / "tables"), "-charts", "False"]) == 0
    printed = capsys.readouterr().out
    assert f"sttran, {mode}, {out}" in printed
    assert "Side by side" in printed  # with the authors' bugs, and without
    assert run(predict.main, [*arguments, "-out", str(tmp_path / "graphs")]) == 0


def test_classes_in_another_order_are_brought_into_that_of_the_data_set(
    data: Path, model: STTran, state: dict[str, Tensor], tmp_path: Path, capsys: Any
) -> None:
    tables = {
        "verbs": ("verb_embed.", "action_classifier.decoder_lin.3."),
        "objects": ("obj_embed.", "object_classifier.obj_embed.", "object_classifier.decoder_lin.3."),
        "relationships": ("rel_compress.",),
    }
    words, other = tmp_path / "words", dict(state)
    words.mkdir()
    for name, parts in tables.items():
        listed = (data / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        order = torch.randperm(len(listed), generator=torch.Generator().manual_seed(len(listed)))
        assert order.tolist() != list(range(len(listed)))
        (words / f"{name}.txt").write_text("\n".join(listed[i] for i in order) + "\n", encoding="utf-8")
        other |= {weight: value[order] for weight, value in other.items() if weight.startswith(parts)}
    torch.save(other, tmp_path / "model.tar")
    out = tmp_path / "imported.tar"
    arguments = [str(tmp_path / "model.tar"), "-mode", "sgdet", "-data_path", str(data), "-out", str(out)]
    assert run(import_checkpoint.main, [*arguments, "-words", str(words)]) == 0
    for name, value in load_tensors(out)["model_state_dict"].items():
        assert torch.equal(value, model.state_dict()[name])
    out.unlink()
    capsys.readouterr()
    with (words / "verbs.txt").open("a", encoding="utf-8") as file:
        file.write("fly\n")
    assert run(import_checkpoint.main, [*arguments, "-words", str(words)]) == 2
    assert "option -words: verbs.txt in" in (said := capsys.readouterr().err) and "such as 'fly'" in said.replace(
        '"', "'"
    )


def test_what_does_not_fit_is_refused(data: Path, state: dict[str, Tensor], tmp_path: Path, capsys: Any) -> None:
    torch.save(state, tmp_path / "model.tar")
    arguments = [str(tmp_path / "model.tar"), "-mode", "sgcls"]
    assert run(import_checkpoint.main, arguments) == 2
    assert "option -data_path is required" in capsys.readouterr().err
    torch.save({**state, "verb_embed.weight": state["verb_embed.weight"][1:]}, tmp_path / "model.tar")
    assert run(import_checkpoint.main, [*arguments, "-data_path", str(data)]) == 2
    assert "verb_embed.weight has 3 rows; with the words in" in capsys.readouterr().err
    torch.save({name: value for name, value in state.items() if name != "obj_fc.weight"}, tmp_path / "model.tar")
    assert run(import_checkpoint.main, [*arguments, "-data_path", str(data)]) == 2
    assert "a checkpoint of STTran for EASG has a weight 'obj_fc.weight'" in capsys.readouterr().err
    torch.save({"fc_rels.weight": torch.zeros(2, 3)}, tmp_path / "model.tar")
    assert run(import_checkpoint.main, [*arguments, "-data_path", str(data)]) == 2
    assert "has weights 'fc_objs.weight' and 'fc_verb.weight'" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["model.tar"]


def test_a_folder_of_words_is_for_files_that_lack_them(tmp_path: Path, data: Path, capsys: Any) -> None:
    names = read_json("sttran", "params.json")
    small = {name: torch.zeros([min(size, 3) for size in shape]) for name, shape in names.items()}
    small |= {
        name: torch.zeros(shape) for name, shape in names.items() if name.endswith(("compress.weight", "embed.weight"))
    }
    torch.save(small, tmp_path / "model.tar")
    arguments = [str(tmp_path / "model.tar"), "-mode", "predcls", "-data_path", str(data)]
    assert run(import_checkpoint.main, arguments) == 2
    assert "option -data_path: " in (said := capsys.readouterr().err) and "leave it out" in said
