"""Runs that are killed between the making of their folder and their first checkpoint begin again by
themselves."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import NARROW, ROOT, blocks
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set
from engine.training import in_process

from vidsgg.cli.main import main
from vidsgg.engine import run_folder
from vidsgg.io.tensors import load_tensors

TINY = [*NARROW, "-eval_freq", "1"]
FINAL = "checkpoint_final.tar"
# The call in which a run is killed. Before the second of them nothing but an empty folder with a
# lock is there.
MOMENTS = ("begun", "_open_rows", "RunFolder.log", "RunFolder.save")

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def until(moment: str, argv: Sequence[str], folder: Path) -> None:
    """Run a command in a folder until it is killed."""
    os.chdir(folder)
    owner: Any = run_folder
    *parts, name = moment.split(".")
    for part in parts:
        owner = getattr(owner, part)
    setattr(owner, name, die)
    main(list(argv))


def killed(moment: str, argv: Sequence[str], folder: Path) -> None:
    assert in_process(until, moment, argv, folder) == -signal.SIGKILL


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_easg(tmp_path_factory.mktemp("data"), clips=7)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    assert main(command(data, path)) == 0
    return path


def command(data: Path, path: Path, *more: str) -> list[str]:
    return ["train", "-data_path", str(data), "-save_path", str(path), "-epochs", "2", "-lr", "1e-3", *TINY, *more]


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = (load_tensors(path / FINAL)["model_state_dict"] for path in (one, other))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def requeued(data: Path, path: Path) -> list[str]:
    """What the script for SLURM in docs/distributed.md starts in the end, with this run's
    options."""
    (script,) = (block for block in blocks(ROOT / "docs" / "distributed.md", "bash") if "#SBATCH --requeue" in block)
    lines = [line for line in script.splitlines() if line.startswith(("RUN=", "START=", "["))]
    assert lines[0].startswith("RUN=") and "train.py $START" in script
    lines[0] = f"RUN={path}"
    said = subprocess.run(
        ["bash", "-c", "\n".join([*lines, 'echo "$START"'])], capture_output=True, text=True, check=True
    ).stdout
    words = said.replace("-data_path /shared/action_genome", f"-data_path {data}").split()
    return ["train", *words, "-epochs", "2", "-lr", "1e-3", *TINY]


def requeued_in_0_1_0(data: Path, path: Path) -> list[str]:
    """The same with the lines of version 0.1.0, which people have in their scripts."""
    return ["train", "-resume_from", str(path)] if (path / "checkpoint_last.tar").exists() else command(data, path)


WAYS: dict[str, Callable[[Path, Path], list[str]]] = {
    "the same command": command,
    "-resume_from RUN": lambda data, path: ["train", "-resume_from", str(path)],
    "-resume_from last": lambda data, path: command(data, path, "-resume_from", "last"),
    "the requeued script": requeued,
    "the requeued script of version 0.1.0": requeued_in_0_1_0,
}


@pytest.fixture(scope="module", params=MOMENTS)
def stopped(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """The moment, and the folder of a run that was killed then, beside a copy of it: one process
    serves every way to begin again."""
    path = tmp_path_factory.mktemp("killed") / "run"
    killed(request.param, command(data, path), path.parent)
    shutil.copytree(path, path.with_name("copy"))
    return request.param, path


@pytest.mark.parametrize("way", WAYS)
def test_it_begins_again(whole: Path, data: Path, stopped: tuple[str, Path], way: str) -> None:
    moment, path = stopped
    if moment == "begun" and way == "-resume_from RUN":
        pytest.skip("no option of the run is written yet")
    shutil.rmtree(path)
    shutil.copytree(path.with_name("copy"), path)
    assert not list(path.glob("checkpoint_*"))
    assert main(WAYS[way](data, path)) == 0
    assert_same_weights(whole, path)
    rows = (path / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [row.split(",")[0] for row in rows if ",train/loss/total," in row] == ["1", "2"]
    assert ("begins again" in (path / "logfile.txt").read_text(encoding="utf-8")) == (moment != "begun")


def test_before_its_options_are_written_the_message_says_what_to_do(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed("begun", command(data, tmp_path / "run"), tmp_path)
    assert main(["train", "-resume_from", str(tmp_path / "run")]) == 2
    assert "repeat the command that started it" in capsys.readouterr().err


def test_last_without_a_folder_is_the_run_that_was_begun_last(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    older = shutil.copytree(whole, tmp_path / "output" / "easg" / "older")
    (older / FINAL).unlink()
    for file in older.iterdir():
        os.utime(file, (10**9, 10**9))
    words = [
        word for word in command(data, tmp_path / "unused") if word not in ("-save_path", str(tmp_path / "unused"))
    ]
    killed("RunFolder.save", words, tmp_path)
    assert main(["train", "-data_path", str(data), "-resume_from", "last"]) == 0
    (begun,) = (path for path in older.parent.iterdir() if path != older)
    assert_same_weights(whole, begun)
    assert not (older / FINAL).exists()


def test_last_with_a_folder_that_is_not_there_yet_starts(whole: Path, data: Path, tmp_path: Path) -> None:
    assert main(command(data, tmp_path / "run", "-resume_from", "last")) == 0
    assert "there is no run in" in (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert_same_weights(whole, tmp_path / "run")


@pytest.mark.parametrize("moment", ["_open_rows", "RunFolder.save"])
@pytest.mark.parametrize("way", ["the same command", "-resume_from RUN"])
def test_what_a_run_began_from_is_not_forgotten(whole: Path, tmp_path: Path, way: str, moment: str) -> None:
    """Going on with a checkpoint in a new folder."""
    source = shutil.copytree(whole, tmp_path / "source")
    (source / FINAL).unlink()
    content = load_tensors(source / "checkpoint_best.tar")
    for file in source.glob("*.tar"):
        file.unlink()
    torch.save({**content, "config": {**content["config"], "epochs": 4}}, source / "checkpoint_best.tar")
    on = tmp_path / "on"
    begin = ["train", "-resume_from", "source/checkpoint_best.tar", "-save_path", str(on)]
    killed(moment, begin, tmp_path)
    assert yaml.safe_load((on / "config.yaml").read_text(encoding="utf-8"))["resume_from"] == str(
        source / "checkpoint_best.tar"
    )
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        assert main(begin if way == "the same command" else ["train", "-resume_from", str(on)]) == 0
    finally:
        os.chdir(here)
    assert "goes on from " in (on / "logfile.txt").read_text(encoding="utf-8")
    assert load_tensors(on / FINAL)["epoch"] == 4


def test_other_options_are_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run"
    killed("RunFolder.save", command(data, path), tmp_path)
    assert main([*command(data, path), "-lr", "0.5"]) == 2
    error = capsys.readouterr().err
    assert f"{path} holds the beginning of a run with other options: -lr 0.5 (was 0.001)" in error
    # these may differ when a run goes on, too
    assert main([*command(data, path), "-epochs", "1", "-save_freq", "1"]) == 0
    assert load_tensors(path / FINAL)["epoch"] == 1


def test_a_folder_with_another_config_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.yaml").write_text("name: mine\n", encoding="utf-8")
    assert main(command(data, tmp_path / "mine")) == 2
    assert "holds a config.yaml that is not of a run; name a new folder" in capsys.readouterr().err
    assert (tmp_path / "mine" / "config.yaml").read_text(encoding="utf-8") == "name: mine\n"


def test_the_training_of_a_detector_begins_again(tmp_path: Path) -> None:
    data, path = sighted_set(tmp_path / "data"), tmp_path / "detector"
    words = [
        "train-detector",
        "-data_path",
        str(data),
        "-save_path",
        str(path),
        "-pretrained",
        "none",
        "-depth",
        "10",
        "-base_width",
        "8",
    ]
    words += ["-short_side", "64", "-epochs", "1", "-num_workers", "0", "-device", "cpu", "-test", "False"]
    killed("RunFolder.log", words, tmp_path)
    assert (path / "config.yaml").exists() and not list(path.glob("*.pth"))
    assert main(words) == 0
    assert "begins again" in (path / "logfile.txt").read_text(encoding="utf-8")
    assert (path / "detector_final.pth").exists()


def detector_words(data: Path, path: Path, *more: str) -> list[str]:
    words = ["train-detector", "-data_path", str(data), "-save_path", str(path), "-epochs", "3", "-eval_freq", "1"]
    words += ["-pretrained", "none", "-depth", "10", "-base_width", "8", "-short_side", "64", "-num_workers", "0"]
    return [*words, "-device", "cpu", *more]


def until_saved(name: str, epoch: int, argv: Sequence[str]) -> None:
    """Train a detector until a file of an epoch has been written."""
    from vidsgg.recipes import train_detector

    def save_detector(path: Path, detector: Any, about: Any, save: Any = train_detector.save_detector) -> None:
        save(path, detector, about)
        if (path.name, about["epoch"]) == (name, epoch):
            die()

    def save_state(path: Path, progress: Any, *parts: Any, save: Any = train_detector.save_state) -> None:
        save(path, progress, *parts)
        if (path.name, progress.epoch) == (name, epoch) and not progress.ended:
            die()

    train_detector.save_detector, train_detector.save_state = save_detector, save_state
    main(list(argv))


@pytest.fixture(scope="module")
def sighted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sighted_set(tmp_path_factory.mktemp("sighted") / "data")


@pytest.fixture(scope="module")
def whole_detector(sighted: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "detector"
    assert main(detector_words(sighted, path)) == 0
    return path


@pytest.mark.parametrize(
    ("name", "epoch", "after"),
    [
        ("detector_best.pth", 1, 0),
        ("detector_state.pth", 1, 1),
        ("detector_state.pth", 2, 2),
        ("detector_final.pth", 3, 2),
    ],
)
def test_the_training_of_a_detector_goes_on_with_the_same_command(
    name: str,
    epoch: int,
    after: int,
    sighted: Path,
    whole_detector: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words, path = detector_words(sighted, tmp_path / "detector"), tmp_path / "detector"
    assert in_process(until_saved, name, epoch, words) == -signal.SIGKILL
    assert main(words) == 0
    assert f"goes on after epoch {after}\n" in (path / "logfile.txt").read_text(encoding="utf-8")
    assert {file.name for file in path.glob("*.pth")} == {"detector_best.pth", "detector_final.pth"}
    for file in ("detector_best.pth", "detector_final.pth"):
        one, other = (load_tensors(folder / file) for folder in (path, whole_detector))
        assert one["about"]["epoch"] == other["about"]["epoch"]
        assert all(torch.equal(value, other["state_dict"][key]) for key, value in one["state_dict"].items())
    assert main(words) == 2
    assert f"{path} holds this run, which has ended: its best detector is" in capsys.readouterr().err
    losses = [
        [line for line in (folder / "metrics.csv").read_text(encoding="utf-8").splitlines() if "/loss/" in line]
        for folder in (path, whole_detector)
    ]
    assert losses[0] == losses[1]


def test_a_detector_that_was_begun_otherwise_or_is_damaged_is_not_gone_on_with(
    sighted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "detector"
    words = detector_words(sighted, path)
    assert in_process(until_saved, "detector_state.pth", 1, words) == -signal.SIGKILL
    assert main([*words, "-lr", "0.5"]) == 2
    assert "-lr 0.5 (was None). Give the same ones to go on with it" in capsys.readouterr().err
    good = load_tensors(path / "detector_state.pth")
    first = next(iter(good["optimizer"]["state"]))
    spoilt: list[tuple[dict[str, Any], str]] = [
        ({"progress": {**good["progress"], "step": -1}}, "no state of a detector's training: progress.step is -1"),
        ({"weights": {}}, "the weights do not fit the detector"),
        ({"optimizer": {"state": {}, "param_groups": []}}, "its optimiser's state does not fit"),
        (
            {"optimizer": {**good["optimizer"], "state": {first: {"step": 1, "exp_avg": torch.zeros(1)}}}},
            "its optimiser's state does not fit",
        ),
        ({"schedule": {}}, "no state of a detector's training"),
        ({"kind": "x"}, "no state of a detector's training: kind is 'x'"),
    ]
    for change, message in spoilt:
        torch.save({**good, **change}, path / "detector_state.pth")
        assert main(words) == 2
        assert message in capsys.readouterr().err


def test_a_search_begins_its_trial_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    from vidsgg.tuning import search

    monkeypatch.setattr(search, "BEAT_SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)
    words = ["tune", "-search", "lr=1e-3,1e-2", "-sampler", "grid", "-data_path", str(data), "-epochs", "1", *TINY]
    killed("RunFolder.save", words, tmp_path)
    trial = tmp_path / "output" / "tune" / "sttran_predcls" / "trial_0000"
    assert (trial / "config.yaml").exists() and not list(trial.glob("*.tar"))
    assert main(words) == 0
    assert {path.parent.name for path in trial.parent.glob(f"*/{FINAL}")} == {"trial_0000", "trial_0001"}
