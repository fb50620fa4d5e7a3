"""STKET in all modes from the command line: priors counted, a run that goes on bit by bit, parts
and oracle contacts in evaluations."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
import torch
from detectors.tiny import sighted_set

from vidsgg.charts import figures, scores
from vidsgg.cli import compare, evaluate, predict, train
from vidsgg.cli import runs as listed
from vidsgg.cli.data import priors
from vidsgg.cli.main import run
from vidsgg.io.graphs import read_graph
from vidsgg.io.tensors import load_tensors

TINY = [
    "-model", "stket", "-epochs", "2", "-hidden_dim", "8", "-embedding_dim", "4", "-feedforward_dim", "16",
    "-enc_layer_num", "1", "-dec_layer_num", "1", "-eval_freq", "1", "-num_workers", "0", "-device", "cpu", "-features", "off",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("data"))


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
        config = load_tensors(path / "checkpoint_final.tar")["config"]
        assert (config["mode"], config["spatial_layer"], config["temporal_layer"]) == (mode, 1, 1)


def test_counted_priors_and_those_of_a_file_start_alike(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "TrainPrior.json"
    assert run(priors.main, ["-data_path", str(data), "-out", str(file)]) == 0
    assert "contacts" in "".join(capsys.readouterr())
    tables = []
    for name, given in (("counted", []), ("read", ["-priors", str(file)])):
        path = tmp_path / name
        assert run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY, "-epochs", "0", *given]) == 0
        tables.append(load_tensors(path / "checkpoint_final.tar")["model_state_dict"])
    assert f"priors: read from {file}" in (tmp_path / "read" / "logfile.txt").read_text(encoding="utf-8")
    assert tables[0]["temporal_knowledge.transition"].any()
    assert all(torch.equal(value, tables[1][name]) for name, value in tables[0].items())
    off = ["-use_spatial_prior", "False", "-use_temporal_prior", "False"]
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "x"), *TINY, "-priors", str(file), *off])
        == 2
    )
    file.write_text("{}")
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "x"), *TINY, "-priors", str(file)]) == 2
    )
    assert not (tmp_path / "x").exists()


def test_a_run_goes_on_bit_by_bit_without_a_file_of_priors(runs: dict[str, Path], data: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    assert (
        run(train.main, ["-mode", "sgcls", "-data_path", str(data), "-save_path", str(half), *TINY, "-epochs", "1"])
        == 0
    )
    assert run(train.main, ["-resume_from", str(half), *TINY[:2], "-mode", "sgcls", "-epochs", "2"]) == 0
    assert (half / "logfile.txt").read_text(encoding="utf-8").count("priors: counted") == 1
    whole, resumed = (load_tensors(path / "checkpoint_final.tar")["model_state_dict"] for path in (runs["sgcls"], half))
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())


def test_parts_are_scored_by_name_or_side_by_side(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ["-checkpoint", str(runs["predcls"]), "-save_path", str(tmp_path), "-num_workers", "0", "-device", "cpu"]
    assert run(evaluate.main, [*common, "-charts", "False"]) == 0
    assert run(evaluate.main, [*common, "-part", "temporal", "-charts", "False"]) == 0
    capsys.readouterr()
    assert run(evaluate.main, [*common, "-part", "all", "-charts", "False"]) == 0
    out = "".join(capsys.readouterr())
    assert all(f"| {part} part |" in out for part in ("ensemble", "temporal", "spatial"))
    read = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in tmp_path.glob("*.json")}
    assert set(read) == {
        "evaluation_test",
        *(f"evaluation_test_{part}" for part in ("ensemble", "temporal", "spatial")),
    }
    assert "remark" not in read["evaluation_test"]
    assert read["evaluation_test"]["recall"] == read["evaluation_test_ensemble"]["recall"]
    assert read["evaluation_test_temporal"]["remark"] == "temporal part"


def test_oracle_contacts_are_told_wherever_they_give_numbers(
    runs: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "oracle contacts: reads ground truth"
    common = ["-save_path", str(tmp_path), "-num_workers", "0", "-device", "cpu", "-oracle_contacts", "True"]
    assert run(evaluate.main, ["-checkpoint", str(runs["predcls"]), *common]) == 0
    assert said in "".join(capsys.readouterr())
    assert json.loads((tmp_path / "evaluation_test_oracle.json").read_text(encoding="utf-8"))["remark"] == said
    with (tmp_path / "evaluation_test_oracle.csv").open(encoding="utf-8") as file:
        assert {row["remark"] for row in csv.DictReader(file)} == {said}
    assert run(evaluate.main, ["-checkpoint", str(runs["predcls"]), *common, "-part", "all"]) == 0
    assert f"| temporal part; {said} |" in "".join(capsys.readouterr())
    assert run(evaluate.main, ["-checkpoint", str(runs["sgcls"]), *common]) == 2
    assert "annotated contacts belong to annotated pairs, which mode 'sgcls' has to guess" in capsys.readouterr().err


def test_a_run_with_oracle_contacts_is_told_by_lists_comparisons_and_charts(
    runs: dict[str, Path],
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "oracle contacts: reads ground truth"
    told: list[str] = []
    save = figures.save_figure
    monkeypatch.setattr(
        scores, "save_figure", lambda figure, path, remark="": (told.append(remark), save(figure, path, remark))[1]
    )
    reading = tmp_path / "runs" / "reading"
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(reading), *TINY, "-oracle_contacts", "True"]) == 0
    )
    capsys.readouterr()
    assert run(listed.main, [str(tmp_path / "runs")]) == 0
    assert re.search(rf"\(epoch [12]\); {said} ", "".join(capsys.readouterr()))
    both = [str(runs["predcls"]), str(reading)]
    assert run(listed.main, ["compare", *both, "-out", str(tmp_path / "curves.png")]) == 0
    assert "".join(capsys.readouterr()).count(said) == 1
    out = ["-out", str(tmp_path / "compared"), "-num_workers", "0", "-device", "cpu"]
    assert run(compare.main, [*both, *out]) == 0
    table = "".join(capsys.readouterr()).split("\n\n", 1)[1]
    # its recall, and the difference
    assert sum(line.startswith(f"reading ({said})") for line in table.splitlines()) == 2
    with (tmp_path / "compared" / "comparison.csv").open(encoding="utf-8") as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"predcls", f"reading ({said})"}
    assert told.count(said) == 2  # recall by predicate and reliability of the one that reads
    assert run(predict.main, ["-checkpoint", str(reading), "-out", str(tmp_path)]) == 0
    (graph,) = tmp_path.glob("*.graph.json")
    assert read_graph(graph).made_by.notes == (f"{said}.",)  # which its page shows


def test_the_threshold_that_means_ground_truth_in_the_reference_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY, "-pred_contact_threshold", "1.0"])
        == 2
    )
    assert "-oracle_contacts True" in capsys.readouterr().err
    assert not path.exists()
