"""Which checkpoints the app offers, and what it says of the others."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from starlette.testclient import TestClient

from vidsgg.app.checkpoints import BoxFinder, CheckpointChoice, Checkpoints
from vidsgg.detectors.torchvision_fpn import TorchvisionFPN
from vidsgg.engine.checkpoint_files import BEST
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors, save_tensors

Change = Callable[[dict[str, Any]], object]


@pytest.fixture
def run(output: Path, tmp_path: Path) -> Path:
    """A copy of the run that can be used, with its detector beside it and nowhere else."""
    folder = tmp_path / "runs" / "mine"
    shutil.copytree(output / "sgdet", folder)
    changed(folder, lambda content: content["config"].update(detector="auto", data_path=str(tmp_path / "nowhere")))
    return folder


def changed(folder: Path, change: Change) -> None:
    content = load_tensors(folder / BEST)
    change(content)
    save_tensors(folder / BEST, content)


def beside(run: Path, name: str, change: Change) -> CheckpointChoice:
    """What is offered of a changed copy of a run, while the run itself stays on offer."""
    shutil.copytree(run, run.parent / name)
    changed(run.parent / name, change)
    first, second = Checkpoints((str(run.parent),))()
    assert (first.name, first.problem, second.name) == ("mine", None, name)
    return second


def test_checkpoints_with_what_they_are_and_why_some_cannot_be_used(client: TestClient, output: Path) -> None:
    first, second = client.get("/api/state").json()["checkpoints"]
    assert (first["name"], first["model"], first["mode"], first["detector"]) == (
        "sgdet",
        "sttran",
        "sgdet",
        "faster-rcnn-c4",
    )
    assert first["problem"] is None
    assert second["mode"] == "predcls" and second["problem"].startswith("is a model for predcls, which needs boxes")
    for number, message in (
        ("0" * 16, "not there any more"),
        (str(output / "sgdet"), "not there any more"),
        (second["id"], "needs boxes"),
    ):
        answer = client.post("/api/jobs", params={"name": "a.mp4", "checkpoint": number}, content=b"x")
        assert answer.status_code == 400 and message in answer.json()["message"]


def test_what_knows_drawn_films_only_comes_after_what_knows_real_ones(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(run, tmp_path / "output" / "real")
    shutil.copytree(run, tmp_path / "output" / "drawn")
    changed(tmp_path / "output" / "drawn", lambda content: content.update(synthetic=True))
    monkeypatch.chdir(tmp_path)
    finder = BoxFinder.of(None)
    geometry = CheckpointChoice("0", Path("geometry"), "geometry")
    assert [choice.name for choice in Checkpoints((), [geometry], finder)()] == ["real", "geometry", "drawn"]
    named = Checkpoints(("output",), [geometry], finder)()
    assert [choice.name for choice in named] == ["drawn", "real", "geometry"]  # the latest first


def test_checkpoints_that_come_and_go_and_one_that_is_damaged(
    tmp_path: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(output / "sgdet", tmp_path / "mine")
    found = Checkpoints((str(tmp_path), str(tmp_path / "mine" / "checkpoint_best.tar")))
    assert [choice.name for choice in found()] == ["mine"]
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "checkpoint_best.tar").write_bytes(b"no tensors")
    one, other = found()
    assert (one.name, one.problem, other.name) == ("mine", None, "torn") and other.problem
    (tmp_path / "torn" / "checkpoint_best.tar").unlink()
    assert [choice.name for choice in found()] == ["mine"]
    for place, message in ((tmp_path / "torn", "holds no checkpoint"), (tmp_path / "none", "does not exist")):
        with pytest.raises(ConfigError, match=message):
            Checkpoints((str(place),))
    monkeypatch.chdir(tmp_path)
    assert Checkpoints(())() == []  # nothing has been trained yet: the page tells


DAMAGES: dict[str, Change] = {
    "detector a list": lambda content: content.update(detector=[1]),
    "detector a text": lambda content: content.update(detector={"description": "x"}),
    "schema a number": lambda content: content.update(schema=5),
    "vocabulary a number": lambda content: content["schema"].update(vocabulary=5),
    "classes lists": lambda content: content["schema"]["vocabulary"].update(subjects=[[1]], objects=[{}]),
    "subjects a number": lambda content: content["schema"]["vocabulary"].update(subjects=7),
    "names of version 0.1.0 lists": lambda content: content.update(schema=None, vocabulary={"subjects": [[1]], "objects": [{}]}),
    "no options": lambda content: content.update(config=7),
    "model a list": lambda content: content.update(config={"model": ["a"]}),
    "model None": lambda content: content["config"].update(model=None),
    "mode a table": lambda content: content["config"].update(mode={}),
    "mode half a surrogate pair": lambda content: content["config"].update(mode="\ud800"),
    "a place with a NUL character": lambda content: content["config"].update(data_path="a\0b"),
    "mode unknown": lambda content: content["config"].update(mode="guess"),
    "detector's name a list": lambda content: content["config"].update(detector=["x"]),
}  # fmt: skip


@pytest.mark.parametrize("change", DAMAGES.values(), ids=DAMAGES.keys())
def test_what_is_wrong_in_a_checkpoint_costs_itself_only(run: Path, change: Change) -> None:
    choice = beside(run, "odd", change)
    assert choice.problem and len(choice.problem) < 1000


def test_places_that_cannot_be_paths_are_passed_over(run: Path) -> None:
    # longer than a name may be
    changed(run, lambda content: content["config"].update(data_path="a" * 3000, detector="c" * 3000))
    assert [choice.problem for choice in Checkpoints((str(run),))()] == [None]  # the detector lies beside it
    (run / "detector.pth").unlink()
    (choice,) = Checkpoints((str(run),))()
    assert choice.problem is not None and choice.problem.startswith(
        "the detector that it was trained with is not found"
    )


def test_the_detector_must_be_there_and_the_one_of_the_training(run: Path) -> None:
    found = Checkpoints((str(run),))
    assert [(choice.problem, choice.detector) for choice in found()] == [(None, "faster-rcnn-c4")]
    file = run / "detector.pth"
    kept = file.read_bytes()
    file.unlink()
    (choice,) = found()
    assert choice.problem is not None and choice.problem.startswith(
        "the detector that it was trained with is not found"
    )
    content = torch.load(_written(file, kept), weights_only=True)
    content["state_dict"]["class_score.bias"] += 1
    torch.save(content, file)
    (choice,) = found()
    assert choice.problem is not None and f"{file} is another one" in choice.problem
    _written(file, kept)
    assert [choice.problem for choice in found()] == [None]


def _written(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


def test_nothing_is_downloaded(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    (run / "detector.pth").unlink()
    widths = {"node": TorchvisionFPN.node_width, "union": TorchvisionFPN.union_channels, "action": 0}
    changed(
        run,
        lambda content: content.update(
            feature_widths=widths, config=content["config"] | {"detector": TorchvisionFPN.architecture}
        ),
    )
    (choice,) = Checkpoints((str(run),))()
    assert choice.problem is not None and "the app downloads nothing" in choice.problem


def test_things_named_like_checkpoints(run: Path) -> None:
    (run.parent / "folder" / BEST).mkdir(parents=True)
    (run.parent / "pipe").mkdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(run.parent / "pipe" / BEST)
    assert [choice.name for choice in Checkpoints((str(run.parent),))()] == ["mine"]


def test_a_folder_whose_name_is_no_text(run: Path, client: TestClient) -> None:
    """Linux allows any bytes in names; the list must still be JSON."""
    try:
        other = Path(os.fsdecode(os.fsencode(run.parent) + b"/caf\xe9"))
        shutil.copytree(run, other)
    except OSError:
        pytest.skip("this file system has no such names")
    client.app.middleware_stack = None
    routes = client.app.routes[0].endpoint.__self__
    routes._checkpoints = Checkpoints((str(run.parent),))
    names = [choice["name"] for choice in client.get("/api/state").json()["checkpoints"]]
    assert sorted(names) == ["caf\udce9", "mine"]
