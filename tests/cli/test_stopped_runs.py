"""Real processes that are stopped and go on."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from datasets.easg_files import write_easg
from engine.training import assert_same_bits

from vidsgg.cli import train
from vidsgg.cli.main import run

ROOT = Path(__file__).parents[2]
TINY = ["-hidden_dim", "8", "-temporal_layer", "1", "-embedding_dim", "4", "-num_workers", "1", "-device", "cpu"]
FINAL = "checkpoint_final.tar"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals are POSIX")


def start(data: Path, path: Path, epochs: int) -> subprocess.Popen[str]:
    """A run in a process of its own, once it has done some epochs."""
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        "-data_path",
        str(data),
        "-save_path",
        str(path),
        "-epochs",
        str(epochs),
        *TINY,
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = path / "logfile.txt"
    ends = time.monotonic() + 60
    while not (log.exists() and "Epoch 3/" in log.read_text(encoding="utf-8")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.01)
    return process


def test_sigterm_saves_and_prints_the_command_that_goes_on(tmp_path: Path) -> None:
    data, path = write_easg(tmp_path / "data", clips=7), tmp_path / "run"
    process = start(data, path, 1000)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 143, error
    found = re.search(
        r"^stopped by SIGTERM at step \d+ of epoch (\d+): saved\. Go on with: vidsgg (train -resume_from .*)\n\Z",
        error,
        re.MULTILINE,
    )
    assert found, error
    epochs = int(found[1]) + 2
    assert run(train.main, [*found[2].split()[1:], "-epochs", str(epochs), "-num_workers", "0"]) == 0
    rows = (path / "metrics.csv").read_text(encoding="utf-8")
    assert rows.count("train/loss/total") == epochs  # none is missing, none is there twice


def test_sigkill_loses_nothing_but_time(tmp_path: Path) -> None:
    data, path = write_easg(tmp_path / "data", clips=7), tmp_path / "run"
    process = start(data, path, 20)
    process.kill()
    process.communicate(timeout=60)
    assert not (path / FINAL).exists()
    assert run(train.main, ["-resume_from", str(path)]) == 0
    assert (
        run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "whole"), "-epochs", "20", *TINY]) == 0
    )
    assert_same_bits(path / FINAL, tmp_path / "whole" / FINAL)
