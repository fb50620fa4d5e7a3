"""A checkpoint finds its data set and its detector from any folder, and after its tree of files was
moved."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from commands import NARROW
from detectors.tiny import sighted_set

from vidsgg.app.checkpoints import Checkpoints
from vidsgg.assembly.run_places import place_options, possible_places
from vidsgg.cli.main import main
from vidsgg.detectors.torchvision_fpn import TorchvisionFPN
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.registry import methods

TINY = [*NARROW, "-features", "off"]
BEST, FINAL = "checkpoint_best.tar", "checkpoint_final.tar"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a data set, a detector that lies elsewhere in it, and a run that was started
    there, everything named by relative paths."""
    project = tmp_path_factory.mktemp("place") / "project"
    data = sighted_set(project / "data" / "ag")
    (project / "weights").mkdir()
    (data / "detector.pth").rename(project / "weights" / "seeing.pth")
    words = [
        "train",
        "-mode",
        "sgdet",
        "-epochs",
        "0",
        "-data_path",
        "data/ag",
        "-detector",
        "weights/seeing.pth",
        *TINY,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        assert main([*words, "-save_path", "output/run"]) == 0
    return project


def as_of_version_0_1_0(project: Path) -> None:
    """Paths as they were typed, and no word of where."""
    for file in (project / "output" / "run").glob("*.tar"):
        content = load_tensors(file)
        del content["started_in"]
        content["config"] |= {"data_path": "data/ag", "detector": "weights/seeing.pth"}
        torch.save(content, file)


COMMANDS = {
    "evaluate": ["evaluate", "-checkpoint", "{run}", "-features", "off", "-charts", "False"],
    "predict a video of the data set": ["predict", "-checkpoint", "{run}", "-video", "0"],
    "predict another video": ["predict", "{video}", "-checkpoint", "{run}", "-o", "graphs"],
    "compare": ["compare", "{run}", "{run}/checkpoint_final.tar", "-features", "off", "-charts", "False"],
    "go on": ["train", "-resume_from", "{run}", "-epochs", "1"],
}


def words(command: str, run: object, project: Path) -> list[str]:
    return [word.format(run=run, video=project / "data" / "ag" / "videos" / "AAAAA.mp4") for word in COMMANDS[command]]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("moved", [False, True], ids=["in its place", "moved"])
@pytest.mark.parametrize("make", [lambda project: None, as_of_version_0_1_0], ids=["new", "of version 0.1.0"])
def test_it_works_from_any_folder(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path], None],
    moved: bool,
    command: str,
) -> None:
    # Where it was trained: for a run that has been moved, a folder that is no longer there.
    project = Path(shutil.copytree(trained, tmp_path / "moved")) if moved else trained
    if moved:
        trained.rename(trained.with_name("away"))
    else:
        kept = shutil.copytree(trained, tmp_path / "kept")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    try:
        make(project)
        assert main(words(command, project / "output" / "run", project)) == 0
    finally:
        if moved:
            trained.with_name("away").rename(trained)
        else:
            shutil.rmtree(trained)
            shutil.copytree(kept, trained)


def test_places_are_recorded_whole(trained: Path) -> None:
    content = load_tensors(trained / "output" / "run" / BEST)
    assert content["config"]["data_path"] == str(trained / "data" / "ag")
    assert content["config"]["detector"] == str(trained / "weights" / "seeing.pth")
    assert content["config"]["features"] == "off"
    assert content["started_in"] == str(trained)


def test_a_lone_checkpoint_finds_them_from_the_folder_that_one_is_in(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Path(shutil.copytree(trained, tmp_path / "moved"))
    shutil.move(project / "output" / "run" / BEST, tmp_path / "mine.tar")
    content = load_tensors(tmp_path / "mine.tar")
    for name in ("data_path", "detector"):
        content["config"][name] = content["config"][name].replace(str(trained), "/nowhere")
    torch.save({**content, "started_in": "/nowhere"}, tmp_path / "mine.tar")
    monkeypatch.chdir(project)
    assert main(words("evaluate", tmp_path / "mine.tar", project)) == 0


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("lost", ["data", "weights"])
def test_what_is_not_found_is_told_with_the_option_that_helps(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lost: str,
    command: str,
) -> None:
    project = Path(shutil.copytree(trained, tmp_path / "moved"))
    content = load_tensors(project / "output" / "run" / BEST)
    for name in ("data_path", "detector"):
        content["config"][name] = content["config"][name].replace(str(trained), str(tmp_path / "gone"))
    for name in (BEST, FINAL, "checkpoint_last.tar"):
        torch.save({**content, "started_in": str(tmp_path / "gone")}, project / "output" / "run" / name)
    (project / lost).rename(tmp_path / "other")  # the rest is found
    monkeypatch.chdir(tmp_path)
    line = [
        word.replace(str(project / "data"), str(tmp_path / "other")) if lost == "data" else word
        for word in words(command, project / "output" / "run", project)
    ]
    fine = lost == "data" and command == "predict another video"  # which needs no data set
    assert main(line) == (0 if fine else 2)
    if fine:
        return
    error = capsys.readouterr().err
    gone = {"data": Path("data", "ag"), "weights": Path("weights", "seeing.pth")}[lost]
    assert "is not found. Name it" in error.replace("Name its folder", "Name it")
    assert f"with {'-data_path' if lost == 'data' else '-detector'}" in error
    assert f"{tmp_path / 'gone' / gone}" in error and f"{project / gone}" in error
    found = (
        ["-data_path", str(tmp_path / "other" / "ag")]
        if lost == "data"
        else ["-detector", str(tmp_path / "other" / "seeing.pth")]
    )
    if command == "compare" and lost == "weights":
        return  # it has no -detector: put it beside the checkpoint
    assert main([*line, *found]) == 0


def test_the_app_offers_nothing_whose_detector_is_not_there(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (choice,) = Checkpoints([str(trained / "output")])()
    assert choice.problem is None
    shutil.copytree(trained / "output", tmp_path / "output")
    content = load_tensors(tmp_path / "output" / "run" / BEST)
    content["config"]["detector"] = str(tmp_path / "gone.pth")
    torch.save(content, tmp_path / "output" / "run" / BEST)
    (choice,) = Checkpoints([str(tmp_path / "output")])()
    assert choice.problem is not None and f"{tmp_path / 'gone.pth'} is not there" in choice.problem


@pytest.mark.parametrize("name", ["fasterrcnn_resnet50_fpn_v2", "c4-resnet101", "c4-small"])
@pytest.mark.parametrize("command", ["evaluate", "predict another video", "go on"])
def test_widths_are_compared_before_any_weights_are_fetched(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    command: str,
) -> None:
    def fetch(*_: object) -> None:
        raise AssertionError("weights were fetched")

    monkeypatch.setattr(TorchvisionFPN, "from_coco", fetch)
    monkeypatch.chdir(tmp_path)
    path = Path(shutil.copytree(trained / "output" / "run", tmp_path / "run"))
    for file in path.glob("*.tar"):  # of widths that none of these has
        content = load_tensors(file)
        content["feature_widths"] = {"node": 24, "union": 12, "action": 0}
        torch.save(content, file)
    assert main([*words(command, path, trained), "-detector", name]) == 2
    error = capsys.readouterr().err
    assert f"option -detector: {name} gives " in error and "was trained on 24 and 12" in error
    assert "Leave -detector out" in error and "{" not in error and "FeatureWidths" not in error


def test_every_option_that_names_a_file_to_read_is_declared() -> None:
    for entry in methods().values():
        for field in dataclasses.fields(entry.options):
            told = re.search(r"\b(file|folder)\b", field.metadata.get("help", ""))
            if told and field.name not in ("save_path", "profile", "llm_name"):  # -llm_name: most are names on the hub
                assert field.name in place_options(entry.options), f"{field.name}: declare it with place='input'"


@pytest.mark.parametrize(
    ("value", "started_in", "expected"),
    [
        ("d/x", None, ["{cwd}/d/x", "/r/a/d/x", "/r/d/x", "/d/x"]),
        ("/p/d/x", "/p", ["/p/d/x", "/r/a/d/x", "/r/d/x", "/d/x", "{cwd}/d/x"]),
        ("/p/d/x", "/q", ["/p/d/x"]),
        ("/p/d/x", None, ["/p/d/x"]),
        ("/p/d/x", 7, ["/p/d/x"]),
    ],
)
@pytest.mark.skipif(Path("/x").absolute() != Path("/x"), reason="paths of POSIX")
def test_possible_places(value: str, started_in: object, expected: Sequence[str]) -> None:
    assert possible_places(value, Path("/r/a"), started_in) == [
        Path(place.format(cwd=Path.cwd())) for place in expected
    ]
