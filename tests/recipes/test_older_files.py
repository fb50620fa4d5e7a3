"""Files that version 0.1.0 wrote (tests/fixtures/make_version_0_1_0.py) are read as before."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from datasets.ag_files import small_set
from datasets.easg_files import write_easg

from vidsgg.assembly.saved_run import read_run
from vidsgg.cli import evaluate, predict, train
from vidsgg.cli.main import run
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.easg import EASG
from vidsgg.datasets.older import class_names, read_schema, schema_of_names
from vidsgg.datasets.registry import open_whole_split
from vidsgg.detectors.files import load_detector
from vidsgg.errors import DataError
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore, default_folder, find_store
from vidsgg.features.stored_clip import RecordSource
from vidsgg.io.graphs import read_graph

ARCHIVE = Path(__file__).parents[1] / "fixtures" / "version_0_1_0.tar.xz"


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The archive's files, and beside them the data sets that they belong to."""
    root = tmp_path_factory.mktemp("older")
    small_set(root / "data")
    write_easg(root / "easg")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(root, filter="data")
    return root


RUNS = {
    "sttran_sgdet": "data",
    "tempura_predcls": "data",
    "stket_sgcls": "data",
    "frequency_predcls": "data",
    "easg_predcls": "easg",
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_scored(
    older: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(older)
    arguments = ["-checkpoint", older / name, "-data_path", older / RUNS[name], "-num_workers", "0", "-device", "cpu"]
    assert run(evaluate.main, [*map(str, arguments), "-charts", "False", "-save_path", str(tmp_path)]) == 0, (
        capsys.readouterr().err
    )
    assert "R@20" in capsys.readouterr().out or list(tmp_path.glob("evaluation*.json"))


def test_a_run_goes_on(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(older)  # the run's data set is "data"
    arguments = [
        "-resume_from",
        "sttran_sgdet",
        "-epochs",
        "2",
        "-save_path",
        str(tmp_path / "on"),
        "-num_workers",
        "0",
    ]
    assert run(train.main, arguments) == 0
    assert read_run(tmp_path / "on").checkpoint.epoch == 2


def test_a_detection_model_reads_a_video(older: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(older)
    assert run(predict.main, ["walk.mp4", "-checkpoint", "sttran_sgdet", "-o", str(tmp_path / "g")]) == 0
    now, before = read_graph(tmp_path / "g" / "walk.graph.json"), read_graph(older / "graphs" / "walk.graph.json")
    assert now.vocabulary == before.vocabulary == SCHEMA.vocabulary
    assert [frame.number for frame in now.frames] == [frame.number for frame in before.frames]
    # What is seen once is left out now, and a gap is bridged; the rest is found where it was.
    boxes, boxes_before = ({node.box for frame in graph.frames for node in frame.nodes} for graph in (now, before))
    assert len(boxes & boxes_before) > 2


def test_features_are_read_and_written_on(older: Path) -> None:
    dataset = open_whole_split(older / "data", "test", "sgdet")
    key = StoreKey.of(load_detector(older / "data" / "detector.pth"), dataset.schema, "sgdet")
    store, reasons = find_store(older / "data", key, [(dataset, False)])
    assert store is not None and not reasons
    assert store.key == key
    assert default_folder(older / "data", key, store.dtype) == store.folder
    with FeatureStore.to_write(store.folder, key, store.dtype, store.widths) as again:
        assert again.digest == store.digest  # records added now belong to those that are there


def test_features_of_uneven_videos_are_made_again(older: Path) -> None:
    """Version 0.1.0 took frame N for the N-th picture of the video, also where its rate is
    uneven."""
    dataset = open_whole_split(older / "data", "test", "sgdet")
    [file] = (older / "data" / "features").glob("*/store.json")
    store, source = FeatureStore.open(file.parent), RecordSource.of(dataset, 0, dataset.annotation(0))
    assert store.open_record(source, learn=False).about["video_id"] == source.video_id
    with pytest.raises(DataError, match=r"counted otherwise \(frame 12 is picture 11\); .*vidsgg features"):
        store.open_record(replace(source, uneven=lambda: "frame 12 is picture 11"), learn=False)
    assert source.to_dict()["counting"]  # records written now are not looked at again


def test_torchvisions_detections_had_no_rule_of_one_person(older: Path) -> None:
    [file] = (older / "data" / "features").glob("*/store.json")
    document = json.loads(file.read_text(encoding="utf-8"))["made_from"]
    other = StoreKey.from_json({**document, "detector": {"detector": "fasterrcnn_resnet50_fpn_v2"}})
    assert StoreKey.from_json(document).schema.once_per_frame == ("person",)
    assert other.schema.once_per_frame == ()


def test_schemas_get_the_rules_that_were_not_written(older: Path) -> None:
    [file] = (older / "data" / "features").glob("*/store.json")
    document = json.loads(file.read_text(encoding="utf-8"))["made_from"]["schema"]
    assert "often_wrong" not in document
    assert read_schema(document) == SCHEMA
    content = torch.load(older / "easg_predcls" / "checkpoint_final.tar", weights_only=True)
    assert schema_of_names(content["vocabulary"], {}) == EASG(older / "easg", "test").schema
    assert schema_of_names(class_names(SCHEMA), {}) == SCHEMA
    assert schema_of_names({"objects": ["a"], "subjects": ["a"], "predicates": {"x": ["y"]}}, {}) is None
