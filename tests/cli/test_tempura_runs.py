"""TEMPURA from the command line: all modes, its recipes, its own features for SGDET, a memory that
goes on, uncertain edges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set

from vidsgg.cli import evaluate, features, models, predict, train
from vidsgg.cli.main import run
from vidsgg.cli.train import parse_train
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.tempura import TempuraOptions
from vidsgg.models.configs import TempuraLossConfig
from vidsgg.recipes.recipe_files import recipe_files

TINY = [
    "-model", "tempura", "-epochs", "2", "-hidden_dim", "8", "-embedding_dim", "8", "-feedforward_dim", "16", "-dec_layer", "1", "-K", "2",
    "-eval_freq", "1", "-num_workers", "0", "-device", "cpu",
]  # fmt: skip
MODES = ("predcls", "sgcls", "sgdet")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    paths = {mode: folder / mode for mode in MODES}
    for mode, path in paths.items():
        assert (
            run(
                train.main, ["-mode", mode, "-data_path", str(data), "-features", "off", "-save_path", str(path), *TINY]
            )
            == 0
        )
    return paths


def test_every_mode_trains_and_its_checkpoints_hold_the_memory(runs: dict[str, Path]) -> None:
    for mode, path in runs.items():
        content = load_tensors(path / "checkpoint_final.tar")
        config, state = content["config"], content["model_state_dict"]
        assert (config["num_mixtures"], config["temporal_window"], config["gmm_regularization"]) == (2, 2, 0.0)
        assert (config["temporal_layer"], config["uncertainty_threshold"]) == (1, 1.25)
        assert state["banks.contacting.renewals"] == 1  # before the second epoch
        assert state["banks.contacting.prototypes"].any()
        assert state["banks.contacting.steps"] > 0
        assert any(name.startswith("sequences.") for name in state) == (mode != "predcls")


def test_every_mode_is_scored(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    for path in runs.values():
        arguments = [
            "-checkpoint",
            str(path),
            "-data_path",
            str(data),
            "-num_workers",
            "0",
            "-device",
            "cpu",
            "-features",
            "off",
        ]
        assert run(evaluate.main, [*arguments, "-save_path", str(tmp_path), "-charts", "False"]) == 0
        assert json.loads((tmp_path / "evaluation_test.json").read_text(encoding="utf-8"))["model"] == "tempura"


def test_sgdet_reads_features_of_its_own(
    runs: dict[str, Path], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that were cleaned for STTran do not fit; its own give the scores that looking again
    gives."""
    for model in ("sttran", "tempura"):
        out = ["-out", str(tmp_path / model), "-dtype", "float32", "-device", "cpu", "-num_workers", "1"]
        assert run(features.main, ["-mode", "sgdet", "-model", model, "-data_path", str(data), *out]) == 0
    assert "-model tempura" in "".join(capsys.readouterr())
    score = ["-checkpoint", str(runs["sgdet"]), "-data_path", str(data), "-num_workers", "0", "-device", "cpu"]
    assert run(evaluate.main, [*score, "-features", str(tmp_path / "sttran")]) == 2
    assert "cleaned detections, not raw detections, for models that clean them themselves" in capsys.readouterr().err
    tables = []
    for source in ("off", str(tmp_path / "tempura")):
        folder = tmp_path / Path(source).name
        assert run(evaluate.main, [*score, "-features", source, "-save_path", str(folder), "-charts", "False"]) == 0
        content = json.loads((folder / "evaluation_test.json").read_text(encoding="utf-8"))
        tables.append({name: value for name, value in content.items() if name not in ("features", "data_path")})
    assert tables[0] == tables[1]


def test_a_run_goes_on_with_its_memory(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    """One epoch and then another is two."""
    start = ["-mode", "predcls", "-data_path", str(data), "-features", "off", "-scheduler", "plateau", *TINY]
    assert run(train.main, [*start, "-save_path", str(tmp_path / "whole")]) == 0
    assert run(train.main, [*start, "-epochs", "1", "-save_path", str(tmp_path / "part")]) == 0
    assert run(train.main, ["-resume_from", str(tmp_path / "part"), "-model", "tempura", "-epochs", "2"]) == 0
    assert_same_weights(tmp_path / "whole" / "checkpoint_final.tar", tmp_path / "part" / "checkpoint_final.tar")


def assert_same_weights(one: Path, other: Path) -> None:
    a, b = (load_tensors(path)["model_state_dict"] for path in (one, other))
    assert all(torch.equal(value, b[name]) for name, value in a.items())


def test_edges_are_marked_above_the_threshold(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    marks = []
    for threshold in ("0", "1.25"):
        folder = tmp_path / threshold
        start = ["-mode", "predcls", "-data_path", str(data), "-features", "off", "-save_path", str(folder), *TINY]
        assert run(train.main, [*start, "-epochs", "0", "-uncertainty_threshold", threshold]) == 0
        assert (
            run(
                predict.main,
                ["-checkpoint", str(folder), "-data_path", str(data), "-out", str(folder), "-device", "cpu"],
            )
            == 0
        )
        marks.append(marks_in(folder))
    again = ["-checkpoint", str(folder), "-data_path", str(data), "-device", "cpu", "-uncertainty_threshold", "0"]
    assert run(predict.main, [*again, "-out", str(tmp_path / "again")]) == 0
    assert [*marks, marks_in(tmp_path / "again")] == [{True}, {False}, {True}]


def marks_in(folder: Path) -> set[bool]:
    (graph,) = folder.glob("*.graph.json")
    frames = json.loads(graph.read_text(encoding="utf-8"))["frames"]
    return {edge["uncertain"] for frame in frames for edge in frame["edges"]}


@pytest.mark.parametrize(
    "changes",
    [
        ["-rel_unc", "-rel_mem_weight_type", "both", "-rel_loss_weighting", "al", "-memory_pass", "-rel_mem_compute", "seperate"],
        ["-mode", "sgcls", "-obj_head", "gmm", "-obj_unc", "-obj_mem_compute", "-take_obj_mem_feat", "-obj_con_loss", "info_nce", "-mlm"],
        ["-use_amp", "True", "-opt_level", "O2", "-grad_checkpointing", "True", "-temporal_window", "5", "-gmm_regularization", "0.01"],
        ["-rel_head", "linear", "-mem_feat_selection", "automated", "-mem_fusion", "early"],
    ],
    ids=["uncertainty", "objects", "half precision", "linear"],
)  # fmt: skip
def test_every_part_trains(data: Path, tmp_path: Path, changes: list[str]) -> None:
    assert (
        run(
            train.main,
            ["-data_path", str(data), "-features", "off", "-save_path", str(tmp_path / "run"), *TINY, *changes],
        )
        == 0
    )
    losses = [
        line for line in (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8").splitlines() if "Loss:" in line
    ]
    assert len(losses) == 2 and "nan" not in losses[-1]


def test_events(tmp_path: Path) -> None:
    data = write_easg(tmp_path / "easg")
    assert run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "run"), *TINY, "-epochs", "1"]) == 0
    assert load_tensors(tmp_path / "run" / "checkpoint_final.tar")["model_state_dict"]["banks.relation.steps"] > 0


@pytest.mark.parametrize("mode", MODES)
def test_recipes_have_the_published_settings(mode: str) -> None:
    options, given = parse_train(["-config", f"tempura_{mode}"], "train.py")
    assert isinstance(options, TempuraOptions)
    assert (options.mode, options.lr, options.epochs, options.scheduler, options.monitor) == (
        mode,
        1e-5,
        10,
        "plateau",
        "val_mR@20",
    )
    assert {"lr", "num_mixtures", "mem_feat_lambda"} <= given
    model, losses = options.network_config(), options.loss_config()
    assert (model.num_mixtures, model.mem_feat_lambda) == {"predcls": (6, 0.5), "sgcls": (4, 0.3), "sgdet": (4, 0.5)}[
        mode
    ]
    assert (model.rel_mem_compute, model.mem_fusion, model.rel_mem_weight_type, model.obj_mem_compute) == (
        "joint",
        "late",
        "simple",
        False,
    )
    assert model.tracking == (mode != "predcls")
    assert losses == TempuraLossConfig(obj_con_loss=None if mode == "predcls" else "euc_con")
    assert parse_train(["-config", f"tempura_{mode}", "-lr", "0.1"], "train.py")[0].lr == 0.1


def test_the_defaults_are_the_settings_that_all_modes_share() -> None:
    for mode in MODES:
        options, _ = parse_train(["-model", "tempura", "-mode", mode], "train.py")
        recipe, _ = parse_train(["-config", f"tempura_{mode}", "-K", "4", "-mem_feat_lambda", "0.5"], "train.py")
        assert options.network_config() == recipe.network_config() and options.loss_config() == recipe.loss_config()


def test_the_authors_names_are_understood(tmp_path: Path) -> None:
    text = (
        "-model tempura -mode sgdet -rel_mem_compute seperate -K 7 -enc_layer 2 -dec_layer 5 -tracking -mem_feat_lambda"
        " None"
    )
    options, _ = parse_train(text.split(), "train.py")
    config = options.network_config()
    assert (config.rel_mem_compute, config.num_mixtures, config.spatial_layer, config.temporal_layer) == (
        "seperate",
        7,
        2,
        5,
    )
    assert config.tracking and config.mem_feat_lambda is None
    (tmp_path / "c.yaml").write_text("model: tempura\nK: 3\n", encoding="utf-8")
    assert parse_train(["-config", str(tmp_path / "c.yaml")], "train.py")[0].num_mixtures == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-config", "tempura_predcl"], "no recipe of that name; did you mean 'tempura_predcls'"),
        (["-model", "tempura", "-tracking"], "option -tracking: has no effect in mode predcls"),
        (["-model", "tempura", "-obj_con_loss", "euc_con"], "option -obj_con_loss: has no effect in mode predcls"),
        (["-model", "tempura", "-rel_loss_weighting", "al"], "use -rel_unc True with it"),
        (["-model", "tempura", "-K", "0"], "option -num_mixtures: 0 is too small"),
        (["-K", "3"], "option -K belongs to tempura, not to model 'sttran'"),
    ],
)
def test_mistakes_are_named(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_train(arguments, "train.py")


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(models.main, []) == 0
    printed = "".join(capsys.readouterr())
    assert all(name in printed for name in recipe_files())


def test_a_checkpoint_is_scored_with_windows_of_any_size(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    score = [
        "-checkpoint",
        str(runs["predcls"]),
        "-data_path",
        str(data),
        "-num_workers",
        "0",
        "-device",
        "cpu",
        "-features",
        "off",
    ]
    for window in ("1", "2"):
        assert (
            run(evaluate.main, [*score, "-temporal_window", window, "-save_path", str(tmp_path), "-charts", "False"])
            == 0
        )
    assert run(evaluate.main, [*score, "-save_path", str(tmp_path), "-charts", "False"]) == 0
    tables = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in tmp_path.glob("*.json")}
    one, two, trained = (tables[f"evaluation_test{suffix}"] for suffix in ("_window1", "_window2", ""))
    assert (two["recall"], two["calibration"]) == (trained["recall"], trained["calibration"])
    assert one["calibration"] != two["calibration"]  # the recall of so small a set may be the same
