"""Whatever command meets a full disk: one message, exit code 2, and every file whole or absent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from datasets.ag_files import small_set
from datasets.easg_files import write_easg
from full_disk import full_disk, needs_limits

from vidsgg.cli import compare, evaluate, train, tune
from vidsgg.cli.data import main as data
from vidsgg.cli.main import run

pytestmark = needs_limits
TINY = "-hidden_dim 8 -embedding_dim 8 -feedforward_dim 16 -temporal_layer 1 -device cpu -num_workers 0"
COUNTED = "-model frequency -device cpu -num_workers 0 -logger none"
Main = Callable[[list[str]], int]


@pytest.fixture(scope="module")
def easg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_easg(tmp_path_factory.mktemp("easg"), clips=8, graphs=3)


@pytest.fixture(scope="module")
def action_genome(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_set(tmp_path_factory.mktemp("ag"))


@pytest.fixture(scope="module")
def counted(easg: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run to score; tests write elsewhere."""
    folder = tmp_path_factory.mktemp("runs") / "counted"
    assert run(train.main, ["-data_path", str(easg), *COUNTED.split(), "-save_path", str(folder)]) == 0
    return folder


def written(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def is_refused(main: Main, argv: Sequence[str], size: int, capsys: pytest.CaptureFixture[str]) -> str:
    """Runs a command whose files cannot grow beyond ``size`` bytes; returns its message."""
    capsys.readouterr()
    with full_disk(size):
        code = run(main, list(argv))
    said = capsys.readouterr().err
    assert code == 2, said
    assert "Traceback" not in said
    message = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(message) == 1
    return message[0]


# Names of what is written as {out}; sizes that let some files through, or none.
COMMANDS: list[tuple[Main, str]] = [
    (evaluate.main, "-checkpoint {out} -device cpu -num_workers 0"),
    (compare.main, "{run} {copy} -device cpu -num_workers 0 -out {out}"),
    (data, "show -data_path {ag} -out {out}/scene.png"),
    (data, "stats -data_path {ag} -out {out}"),
    (data, "priors -data_path {ag} -out {out}/priors.json"),
    (data, "synth -out {out} -videos 5 -width 96 -height 96 -workers 1"),
]


@pytest.mark.parametrize("size", [0, 500])
@pytest.mark.parametrize(("main", "line"), COMMANDS, ids=[line.split(" -")[0].split(" {")[0] for _, line in COMMANDS])
def test_files_are_whole_or_absent(
    main: Main,
    line: str,
    size: int,
    easg: Path,
    action_genome: Path,
    counted: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    places = {"run": counted, "copy": shutil.copytree(counted, tmp_path / "copy"), "ag": action_genome}
    argv = {name: line.format(**places, out=tmp_path / name).split() for name in ("whole", "full")}
    if main is evaluate.main:  # writes into the run's folder
        for name in argv:
            shutil.copytree(counted, tmp_path / name)
    before = written(tmp_path / "full")
    assert run(main, argv["whole"]) == 0, capsys.readouterr().err
    message = is_refused(main, argv["full"], size, capsys)
    assert "File too large" in message
    assert str(tmp_path / "full") in message
    whole, full = written(tmp_path / "whole"), written(tmp_path / "full")
    assert full.items() <= whole.items()
    assert all(len(content) <= size for name, content in full.items() if name not in before)
    assert run(main, argv["full"]) == 0, capsys.readouterr().err  # when there is room again


@pytest.mark.parametrize("logger", ["tensorboard", "none"])
@pytest.mark.parametrize("size", [0, 100, 4000])
def test_training(size: int, logger: str, easg: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [
        "-data_path",
        str(easg),
        *TINY.split(),
        "-epochs",
        "1",
        "-logger",
        logger,
        "-save_path",
        str(tmp_path / "run"),
    ]
    message = is_refused(train.main, argv, size, capsys)
    assert str(tmp_path / "run") in message
    assert not [name for name in written(tmp_path / "run") if name.endswith((".tmp", ".tar"))]


@pytest.mark.parametrize("storage", ["", "-storage journal:journal.log"])
@pytest.mark.parametrize("size", [0, 200, 20_000])
def test_tuning(
    size: int,
    storage: str,
    easg: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    argv = ["-data_path", str(easg), *COUNTED.split(), "-search", "seed=0,1", "-sampler", "grid", *storage.split()]
    is_refused(tune.main, argv, size, capsys)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_printing() -> None:
    """What is printed is buffered: the disk may refuse it when the command is over."""
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "vidsgg", "--help"]
        done = subprocess.run(
            command,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
        )
    assert done.returncode == 2
    assert done.stderr == "error: No space left on device. Free some space, or name another place.\n"
