"""``vidsgg compare`` and what it reads: counters that evaluate has left, if they are of this
checkpoint and these videos."""

from __future__ import annotations

import csv
import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets.ag_files import small_set
from datasets.easg_files import write_easg

from vidsgg.cli import compare, evaluate, train
from vidsgg.cli.main import run
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.columns import load_columns, save_columns
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.result import RecallResult
from vidsgg.recipes import compare as recipe
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.scored import ScoredVideos

COMPARED = "per_video_test.npz"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs that tests copy."""
    folder = tmp_path_factory.mktemp("runs")
    for name, more in (
        ("counted", ()),
        ("tested", ("-val", "test")),
        ("sgdet", ("-mode", "sgdet", "-num_workers", "0")),
    ):
        count = ["-model", "frequency", "-data_path", str(data), "-features", "off", "-save_path", str(folder / name)]
        assert run(train.main, [*count, *more]) == 0
    return folder


@pytest.fixture
def pair(runs: Path, tmp_path: Path) -> list[str]:
    return [str(shutil.copytree(runs / name, tmp_path / name)) for name in ("counted", "tested")]


def compared(pair: list[str], tmp_path: Path, *more: str) -> int:
    return run(
        compare.main,
        [
            *pair,
            "-out",
            str(tmp_path / "out"),
            "-features",
            "off",
            "-num_workers",
            "0",
            "-device",
            "cpu",
            "-charts",
            "False",
            *more,
        ],
    )


def test_runs_are_scored_by_the_backend_that_is_asked_for(
    pair: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert compared(pair, tmp_path) == 0
    asked: list[EvaluateOptions] = []

    def evaluation(options: EvaluateOptions) -> None:
        asked.append(options)
        raise ConfigError("not scored here")

    monkeypatch.setattr(recipe, "run_evaluation", evaluation)
    assert compared(pair, tmp_path, "-backend", "torch", "-precision", "fp32") == 0  # as they were scored
    assert compared(pair, tmp_path, "-backend", "compile", "-precision", "bf16") == 2
    assert [(options.backend, options.precision) for options in asked] == [("compile", "bf16")]


def test_runs_are_scored_once_and_then_read(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(pair, tmp_path, "-charts", "True") == 0
    said = "".join(capsys.readouterr())
    assert (
        f"counted: frequency, {Path(pair[0]) / 'checkpoint_best.tar'} (epoch 1), scored now"
        f" ({Path(pair[0]) / COMPARED})" in said
    )
    assert "difference to counted" in said
    first = (tmp_path / "out" / "comparison.csv").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "comparison.png").stat().st_size > 10_000
    times = [(Path(path) / COMPARED).stat().st_mtime_ns for path in pair]
    assert compared(pair, tmp_path, "-charts", "True") == 0
    assert "".join(capsys.readouterr()) == said.replace("scored now", "as scored before")
    assert (tmp_path / "out" / "comparison.csv").read_text(encoding="utf-8") == first
    assert [(Path(path) / COMPARED).stat().st_mtime_ns for path in pair] == times


def test_the_estimates_are_those_that_evaluate_prints(pair: list[str], tmp_path: Path) -> None:
    assert compared(pair, tmp_path) == 0
    with (tmp_path / "out" / "comparison.csv").open(encoding="utf-8") as file:
        rows = {(r["run"], r["constraint"], r["measure"], r["predicate"], r["k"]): r for r in csv.DictReader(file)}
    for path in pair:
        content = json.loads((Path(path) / "evaluation_test.json").read_text(encoding="utf-8"))
        for constraint, table in content["recall"].items():
            for average in ("R", "mR", "mR_frame", "mR_frame_all"):
                for k, value in table[average].items():
                    assert float(rows[Path(path).name, constraint, average, "", k]["value"]) == value
            for predicate, values in table["predicates"].items():
                assert float(rows[Path(path).name, constraint, "recall", predicate, "20"]["value"]) == values["20"]


def test_what_no_longer_fits_is_scored_again(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def again(changed: int) -> None:
        capsys.readouterr()
        assert compared(pair, tmp_path) == 0
        said = "".join(capsys.readouterr())
        assert [
            f"{Path(path).name}: " in line and "scored now" in line
            for path, line in zip(pair, said.splitlines()[1:3], strict=True)
        ] == [i == changed for i in range(2)]

    assert compared(pair, tmp_path) == 0
    shutil.copy(Path(pair[0]) / "checkpoint_best.tar", pair[1])  # counted on fewer videos
    again(1)
    file = Path(pair[0]) / COMPARED
    file.write_bytes(file.read_bytes()[:-100])
    again(0)
    columns, header = load_columns(file)
    header["made_by"]["exclusive_decoding"] = False
    save_columns(file, columns, header)
    again(0)
    assert (
        run(
            evaluate.main,
            ["-checkpoint", pair[1], "-reference_compat", "True", "-num_workers", "0", "-charts", "False"],
        )
        == 0
    )
    again(1)
    again(-1)


def test_changed_annotations_are_noticed(
    pair: list[str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = shutil.copytree(data, tmp_path / "data")
    assert compared(pair, tmp_path, "-data_path", str(root)) == 0
    path = root / "annotations" / "person_bbox.pkl"
    persons = pickle.loads(path.read_bytes())
    persons["CCCCC.mp4/000004.png"]["bbox"] += 1
    path.write_bytes(pickle.dumps(persons))
    capsys.readouterr()
    assert compared(pair, tmp_path, "-data_path", str(root)) == 0
    assert "".join(capsys.readouterr()).count("scored now") == 2


def test_runs_that_answer_different_questions_are_refused(
    pair: list[str], runs: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared([pair[0], str(runs / "sgdet")], tmp_path) == 2
    assert "sgdet is of mode 'sgdet', counted of 'predcls'" in capsys.readouterr().err
    elsewhere = shutil.copytree(data, tmp_path / "elsewhere")
    for change, said in (
        ({"videos": "DDDDD"}, "of different data: 'CCCCC' is annotated for counted and not for other"),
        ({"moved": 1}, "the annotation of 'CCCCC' is not the same for both"),
    ):
        shutil.rmtree(elsewhere)
        shutil.copytree(data, elsewhere)
        folder = elsewhere / "annotations"
        shutil.rmtree(folder / ".vidsgg", ignore_errors=True)
        for name in ("person_bbox.pkl", "object_bbox_and_relationship.pkl"):
            content = pickle.loads((folder / name).read_bytes())
            if "videos" in change:
                content = {key.replace("CCCCC", change["videos"]): value for key, value in content.items()}
            elif name == "person_bbox.pkl":
                content["CCCCC.mp4/000004.png"]["bbox"] += change["moved"]
            (folder / name).write_bytes(pickle.dumps(content))
        other = tmp_path / "other"
        shutil.rmtree(other, ignore_errors=True)
        assert run(train.main, ["-model", "frequency", "-data_path", str(elsewhere), "-save_path", str(other)]) == 0
        capsys.readouterr()
        assert compared([pair[0], str(other)], tmp_path) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_wrong_calls_are_one_message(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, message in (
        (pair[:1], "two or more runs are needed"),
        ([pair[0], pair[0]], "is given twice"),
        ([pair[0], str(tmp_path / "none")], "there is no file"),
        ([*pair, "-splt", "val"], "did you mean 'split'"),
    ):
        assert run(compare.main, arguments) == 2
        assert message in capsys.readouterr().err
    (tmp_path / "file").write_text("no folder")
    assert (
        run(compare.main, [*pair, "-out", str(tmp_path / "file" / "out"), "-num_workers", "0", "-charts", "False"]) == 2
    )
    assert "a part of this path is a file, not a folder" in capsys.readouterr().err


def test_runs_of_one_name_go_by_their_paths(
    pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twin = str(shutil.copytree(pair[0], tmp_path / "b" / "counted"))
    assert compared([pair[0], twin], tmp_path) == 0
    said = "".join(capsys.readouterr())
    assert f"difference to {pair[0]}" in said
    assert f"\n{twin} " in said


def test_events_are_compared_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, folders = write_easg(tmp_path / "easg"), [str(tmp_path / name) for name in ("all", "some")]
    for folder, size in zip(folders, ("large", "small"), strict=True):
        assert (
            run(train.main, ["-model", "frequency", "-data_path", str(root), "-save_path", folder, "-datasize", size])
            == 0
        )
    assert compared(folders, tmp_path) == 0
    scored = ScoredVideos.load(Path(folders[0]) / COMPARED)
    assert len(scored.annotations) == 4


def test_counters_come_back_as_they_were(pair: list[str], tmp_path: Path) -> None:
    assert compared(pair, tmp_path) == 0
    file = Path(pair[1]) / COMPARED
    scored = ScoredVideos.load(file)
    again = ScoredVideos.load(scored.save(tmp_path / "again.npz"))
    assert (again.made_by, again.predicates, again.annotations) == (
        scored.made_by,
        scored.predicates,
        scored.annotations,
    )
    for name, table in vars(scored.counts).items():
        np.testing.assert_array_equal(getattr(again.counts, name), table)
    from vidsgg.datasets.action_genome import SCHEMA

    content = json.loads((Path(pair[1]) / "evaluation_test.json").read_text(encoding="utf-8"))
    result = RecallResult.of(protocol_for(SCHEMA, "predcls"), scored.predicates, scored.counts)
    assert result.to_json()["recall"] == content["recall"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda columns, header: columns.pop("hits"), "lacks 'hits'; score the checkpoint again"),
        (lambda columns, header: columns.update(hits=columns["hits"][..., :-1]), "hits is int64 of shape"),
        (lambda columns, header: columns.update(share=columns["share"].astype(np.float32)), "share is float32"),
        (lambda columns, header: header.update(format="other"), "does not hold scored videos"),
        (lambda columns, header: header.update(made_by={}), "is damaged: made_by: lacks 'protocol'; score"),
        (lambda columns, header: columns.update(units=np.array([{}], dtype=object)), "not a readable column file"),
    ],
)
def test_damaged_counters_are_named(pair: list[str], tmp_path: Path, change: object, message: str) -> None:
    assert run(evaluate.main, ["-checkpoint", pair[0], "-charts", "False", "-save_path", str(tmp_path)]) == 0
    assert not list(tmp_path.glob("*.png"))
    columns, header = load_columns(tmp_path / COMPARED)
    change(columns, header)  # type: ignore[operator]
    if "units" in columns and columns["units"].dtype == object:
        np.savez(tmp_path / COMPARED, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **columns)
    else:
        save_columns(tmp_path / COMPARED, columns, header)
    with pytest.raises(DataError, match=message):
        ScoredVideos.load(tmp_path / COMPARED)
