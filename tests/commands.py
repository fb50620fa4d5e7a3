"""Commands as users type them, run within this process where that is possible: a start of PyTorch
for each would take minutes."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
from functools import partial
from pathlib import Path
from unittest.mock import patch

from vidsgg.cli import evaluate, train
from vidsgg.cli.main import COMMANDS, main, run

ROOT = Path(__file__).parents[1]
# What makes every command short; the last of these wins over what is written in the command.
SHORT = (
    "videos=6 width=160 height=120 datasize=large epochs=1 hidden_dim=8 embedding_dim=4 feedforward_dim=8"
    " spatial_layer=1 temporal_layer=1 num_workers=1 device=cpu warmup_steps=1 trials=2"
)
# A model that trains in no time, for tests that look at runs and not at scores.
NARROW = ["-hidden_dim", "8", "-temporal_layer", "1", "-embedding_dim", "4", "-num_workers", "0", "-device", "cpu"]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page that are of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def prepare(folder: Path) -> None:
    """What a copy of the repository has beside the data."""
    for name in ("train.py", "evaluate.py"):
        shutil.copy(ROOT / name, folder)


def run_block(text: str, folder: Path) -> list[str]:
    """Run the lines of a block in a folder; returns the commands. Raises AssertionError naming the
    one that failed."""
    lines = [
        line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.lstrip().startswith("#")
    ]
    if any(re.match(r"(for|export) ", line) for line in lines):  # a script of the shell's own
        script, rest = _leading_script(lines)
        _call(["bash", "-ec", script], folder)
        return [script, *(run_line(line, folder) for line in rest)]
    return [run_line(line, folder) for line in lines]


def run_line(line: str, folder: Path) -> str:
    """Run one command line in a folder and return it."""
    words = shlex.split(line, comments=True)
    if words[0] == "vidsgg":
        assert words[1] in COMMANDS, line
        # The number of synthetic videos; of 'features' -videos is a folder.
        given = os.environ.get("VIDSGG_OPTIONS", "")
        short = given.replace("videos=6", "") if words[1] == "features" else given
        with patch.dict(os.environ, VIDSGG_OPTIONS=short):
            _within(partial(main, words[1:]), line)
    elif words[:2] in (["python", "train.py"], ["python", "evaluate.py"]):
        command = partial(train.main, prog="train.py") if words[1] == "train.py" else evaluate.main
        _within(partial(run, command, words[2:]), line)
    elif words[:3] == ["python", "-m", "torch.distributed.launch"]:
        _call([sys.executable, "-m", "torch.distributed.launch", "--standalone", *words[3:]], folder)
    elif words[0] == "torchrun":
        _call([sys.executable, "-m", "torch.distributed.run", "--standalone", *words[1:]], folder)
    elif words[0] == "tensorboard":
        _serves([sys.executable, "-m", "tensorboard.main", *words[1:], "--port", "0"], folder)
    else:
        raise AssertionError(f"nobody knows how to run {line!r}")
    return line


def _within(command: partial[int], line: str) -> None:
    with patch.object(sys, "argv", shlex.split(line)):
        assert command() == 0, line


def _leading_script(lines: list[str]) -> tuple[str, list[str]]:
    """What the shell has to read as a whole, up to its last ``done`` or line of its own, and the
    lines behind."""
    end = max(i for i, line in enumerate(lines) if re.match(r"(done|export|unset)\b", line.strip()))
    return "\n".join(lines[: end + 1]), lines[end + 1 :]


def _call(command: list[str], folder: Path) -> None:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}{done.stderr}"


def _serves(command: list[str], folder: Path) -> None:
    """Whether a server comes up and answers."""
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = []
            for line in server.stderr:
                said.append(line)
                if found := re.search(r"http://\S+", line):
                    with urllib.request.urlopen(found[0].rstrip("("), timeout=30) as answer:
                        assert answer.status == 200
                    return
            raise AssertionError("".join(said))
        finally:
            server.terminate()
