"""Training and scoring as users start them in several processes."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest
import torch
from commands import NARROW
from datasets.easg_files import write_easg
from engine.teams import in_processes
from engine.training import Case
from toys import ToyVideos

from vidsgg.assembly.data import choose_device
from vidsgg.cli import evaluate, train
from vidsgg.cli.command_line import without_local_rank
from vidsgg.cli.main import run
from vidsgg.engine.distributed import Team
from vidsgg.engine.loading import ClipLoader
from vidsgg.errors import ConfigError, ProcessLost
from vidsgg.io.tensors import load_tensors
from vidsgg.recipes.learner import _with_other_processes

ROOT = Path(__file__).parents[2]
TINY = [*NARROW, "-warmup_steps", "1"]
FINAL, LAST = "checkpoint_final.tar", "checkpoint_last.tar"
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
# as the training guide prints it
LAUNCH = [sys.executable, "-m", "torch.distributed.launch", "--standalone", "--nproc_per_node=2"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set without pictures, which needs no detector."""
    return write_easg(tmp_path_factory.mktemp("data"), clips=7)


def start(*command: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def score(checkpoint: Path, folder: Path) -> None:
    """``vidsgg evaluate``; what it prints goes to a file, and two processes that print would spoil
    it."""
    text = io.StringIO()
    with redirect_stdout(text):
        assert (
            run(
                evaluate.main,
                ["-checkpoint", str(checkpoint), "-save_path", str(folder), "-device", "cpu", "-charts", "False"],
            )
            == 0
        )
    if text.getvalue():
        with (folder / "printed.txt").open("a", encoding="utf-8") as file:
            file.write(text.getvalue())


def test_trains_scores_and_goes_on_in_two_processes(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "run"
    options = ["-data_path", data, "-save_path", path, "-batch_size", 2, "-epochs", 2, "-eval_freq", 1, *TINY]
    training = start(*LAUNCH, ROOT / "train.py", *options, "-distributed", "True")
    out, err = training.communicate(timeout=300)
    assert training.returncode == 0, err
    log = (path / "logfile.txt").read_text(encoding="utf-8")
    assert out == f"{path}\n"
    assert log in err and err.count("mode predcls, on cpu, in 2 processes") == 1  # one process speaks
    assert "mode predcls, on cpu, in 2 processes" in log
    assert load_tensors(path / FINAL)["processes"] == 2

    assert in_processes(score, path, tmp_path / "two") == ["", ""]
    score(path, tmp_path / "one")
    one, two = (tmp_path / count for count in ("one", "two"))
    for name in ("evaluation_test.json", "evaluation_test.csv", "predicates_test.csv", "printed.txt"):
        assert (one / name).read_text(encoding="utf-8").replace(str(one), str(two)) == (two / name).read_text(
            encoding="utf-8"
        )

    assert run(train.main, ["-resume_from", str(path), "-epochs", "3"]) == 0
    said = (path / "logfile.txt").read_text(encoding="utf-8")[len(log) :]
    assert "warning: goes on in 1 process instead of 2, so that a batch is of 2 videos instead of 4\n" in said
    assert "warning: with -epochs 3 instead of 2 the step schedule is one over 9 steps" in said
    assert "Epoch 3/3 - Loss" in said


@pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")
def test_sigterm_to_the_launcher_saves_once(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    process = start(*TORCHRUN, "-m", "vidsgg", "train", "-data_path", data, "-save_path", path, "-epochs", 1000, *TINY)
    ends = time.monotonic() + 300
    while not ((path / "logfile.txt").exists() and "Epoch 3/" in (path / "logfile.txt").read_text(encoding="utf-8")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=300)
    found = re.findall(
        r"^stopped by SIGTERM at step (\d+) of epoch (\d+): saved\. Go on with: (.*)$", error, re.MULTILINE
    )
    assert len(found) == 1, error
    assert found[0][2] == f"torchrun --nproc_per_node=2 -m vidsgg train -resume_from {path}"
    state = load_tensors(path / LAST)["training_state"]
    assert (state["step"], state["epoch"]) == (int(found[0][0]), int(found[0][1]))


@pytest.mark.parametrize(
    ("rank", "error", "seconds"),
    [(0, ConfigError("x"), 0), (1, ConfigError("x"), 3), (0, ProcessLost("x"), 10), (1, ProcessLost("x"), 10)],
)
def test_a_mistake_is_told_by_the_first_process_or_by_the_one_that_made_it(
    rank: int, error: Exception, seconds: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others wait for the launcher to end them, and speak if it does not."""
    slept = []
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setenv("RANK", str(rank))

    def fail(argv: list[str]) -> int:
        raise error

    assert run(fail, []) == 2
    assert sum(slept) == seconds
    assert capsys.readouterr().err == "error: x\n"


def test_several_processes_without_a_launcher_are_a_mistake(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "-distributed", "True", "-data_path", "a b"])
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "run"), "-distributed", "True", *TINY])
        == 2
    )
    error = capsys.readouterr().err
    assert re.search(
        r"^  torchrun --nproc_per_node=\d train.py -distributed True -data_path 'a b'$", error, re.MULTILINE
    ), error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("batch", "had", "has", "want", "again"),
    [
        (2, 2, 1, 4, 0),
        (3, 2, 1, 5, 0),
        (4, 1, 2, 2, 0),
        (3, 1, 2, 1, 2),
        (5, 1, 2, 3, 0),
        (3, 2, 3, 2, 0),
        (2, 2, 3, 1, 2),
        (0, 2, 1, 0, 0),
    ],
)
def test_other_processes_find_the_place_in_the_epoch(batch: int, had: int, has: int, want: int, again: int) -> None:
    """Ten videos, two to a batch and process; those that are begun again are counted."""
    before, now = (ClipLoader(ToyVideos(10), "predcls", 2, team=Team(size=size)) for size in (had, has))
    state = Case(Path()).state
    state.batch = batch
    (line,) = _with_other_processes(state, before, now)
    assert state.batch == want
    assert (f"; {again} of epoch 1 are seen twice" in line) == bool(again)


@pytest.mark.parametrize("device", ["cuda:1", "mps"])
def test_processes_cannot_share_one_device(device: str) -> None:
    with pytest.raises(ConfigError, match=f"'{device}' is one device for 2 processes"):
        choose_device(device, Team(0, 2, 0, 2))


@pytest.mark.skipif(torch.cuda.device_count() > 3, reason="there are devices enough")
def test_more_processes_than_devices_are_a_mistake() -> None:
    with pytest.raises(ConfigError, match=r"4 processes were started on a machine with \d CUDA devices"):
        choose_device("cuda", Team(0, 4, 0, 4))


@pytest.mark.parametrize("word", ["--local-rank=1", "--local_rank=0"])
def test_what_the_old_launcher_adds_is_no_option(word: str) -> None:
    assert without_local_rank(["-lr", "1e-4", word, "-mode", "sgdet"]) == ["-lr", "1e-4", "-mode", "sgdet"]
