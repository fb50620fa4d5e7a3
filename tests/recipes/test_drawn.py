"""A model that has learnt from drawn films says so: in its checkpoint, and where that is older, by
its data set."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from vidsgg.assembly.drawn import learnt_from_drawings
from vidsgg.assembly.saved_run import SavedRun, read_run
from vidsgg.cli import predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.splits import hold_out_validation
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.engine.checkpoint import Checkpoint, Provenance
from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.io.graphs import read_graph
from vidsgg.io.tensors import load_tensors, save_tensors
from vidsgg.methods.frequency import FrequencyOptions


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn") / "films"
    generate(root, SyntheticConfig(videos=12, width=160, height=120, workers=1))
    return root


def test_it_is_in_the_checkpoint_and_on_the_page(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "-model",
        "frequency",
        "-mode",
        "predcls",
        "-data_path",
        str(data),
        "-save_path",
        str(tmp_path / "run"),
        "-num_workers",
        "0",
    ]
    assert run(train.main, words) == 0
    file = next(file for file in (tmp_path / "run").glob("checkpoint_*.tar"))
    assert load_tensors(file)["synthetic"] is True
    capsys.readouterr()
    assert run(predict.main, ["-checkpoint", str(file), "-out", str(tmp_path / "g")]) == 0
    said = "trained on drawn films (synthetic data): what it says of real footage is meaningless"
    assert said in "".join(capsys.readouterr())
    (graph,) = (tmp_path / "g").glob("*.graph.json")
    made_by = read_graph(graph).made_by
    assert made_by is not None and said in made_by.notes[0]
    (page,) = (tmp_path / "g").glob("*.html")
    assert said in page.read_text(encoding="utf-8")
    # A checkpoint of version 0.1.0 does not say it. Its data set does, and without that the names
    # of its videos.
    content = load_tensors(file)
    del content["synthetic"]
    older = tmp_path / "older" / FINAL
    older.parent.mkdir()
    save_tensors(older, content)
    assert learnt_from_drawings(read_run(older))
    shutil.move(data, data.with_name("gone"))
    try:
        assert learnt_from_drawings(read_run(older))
        content["videos"]["train"] = f"{content['videos']['train'].split()[0]} {'0' * 64}"
        save_tensors(older, content)
        assert not learnt_from_drawings(read_run(older))
    finally:
        shutil.move(data.with_name("gone"), data)


def saved(file: Path, **made: Any) -> SavedRun:
    provenance = Provenance(**{"config": {"data_path": None}, "schema": SCHEMA, **made})
    return SavedRun(file, Checkpoint(provenance, {}, epoch=1), FrequencyOptions(model="frequency"))


def test_a_relative_folder_is_looked_for_from_where_the_run_lies(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "demo" / "data")
    file = tmp_path / "demo" / "run" / FINAL
    assert learnt_from_drawings(saved(file, config={"data_path": "data"}))
    assert learnt_from_drawings(saved(file, config={"data_path": "demo/data"}))
    assert not learnt_from_drawings(saved(file, config={"data_path": "data"}, synthetic=False))
    assert not learnt_from_drawings(saved(file, config={"data_path": "action_genome"}))
    assert not learnt_from_drawings(saved(file))


@pytest.mark.parametrize("val", ["holdout", "test"])
def test_the_names_of_the_videos_tell(data: Path, tmp_path: Path, val: str) -> None:
    whole = open_whole_split(data, "train", "predcls")
    learn, held = hold_out_validation(whole) if val == "holdout" else (whole, open_whole_split(data, "test", "predcls"))
    record = {
        name: f"{len(part)} {hashlib.sha256(chr(10).join(part.video_ids).encode()).hexdigest()}"
        for name, part in (("train", learn), ("val", held))
    }
    assert learnt_from_drawings(saved(tmp_path / FINAL, videos=record))
    for wrong in (
        {"train": record["val"], "val": record["val"]},
        {"train": "x"},
        {"train": ""},
        {"train": f"{10**9} 0"},
    ):
        assert not learnt_from_drawings(saved(tmp_path / FINAL, videos=wrong))
