"""Commands that are killed at a random moment: every file is whole, no process stays, and what was
begun can be finished."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random

import torch
from datasets.easg_files import write_easg
from detectors.tiny import sighted_set
from fuzz.opens import check_whole
from fuzz.runner import Kind
from fuzz.watch import assert_same, listing
from numbered_video import write as write_video

from vidsgg.cli.main import main

_TINY = "-hidden_dim 8 -temporal_layer 1 -embedding_dim 4 -feedforward_dim 8 -num_workers 0 -device cpu -logger none"
_ENDS = 2.0  # seconds after which no worker of a killed command may be at work


@dataclass(frozen=True)
class Command:
    """furnish: writes into a folder what the command needs. line: its words, run in that folder.
    results: the files that must be the same whether it was killed or not.
    """

    furnish: Callable[[Path], object]
    line: str
    results: str
    begun: tuple[str, ...]  # where it writes; nothing else may change
    go_on: str = ""  # further words of the line that finishes what was killed


def _films(folder: Path) -> None:
    sighted_set(folder / "data")
    argv = f"train -mode sgdet -data_path {folder / 'data'} -save_path {folder / 'run'} -epochs 0 {_TINY}".split()
    assert main(argv) == 0
    (folder / "films").mkdir()
    for i in range(4):
        write_video(folder / "films" / f"{i}.mp4", frames=40, gop=8)


COMMANDS = {
    "train": Command(
        lambda folder: write_easg(folder / "easg", clips=5, graphs=3),
        f"train -data_path easg -save_path out/run -epochs 6 -eval_freq 1 -lr 1e-3 {_TINY}",
        "out/run/checkpoint_final.tar",
        ("out", "easg/.vidsgg"),
        "-resume_from last",
    ),
    "predict": Command(
        _films,
        "predict films/0.mp4 films/1.mp4 films/2.mp4 films/3.mp4 -checkpoint run -o out -device cpu -jobs 2 -fps 5",
        "out/*.graph.json",
        ("out",),
    ),
    "features": Command(
        lambda folder: sighted_set(folder / "data"),
        "features -data_path data -mode sgdet -device cpu -num_workers 1",
        "data/features/**/*.safetensors",
        ("data/features", "data/annotations/.vidsgg"),
    ),
    "tune": Command(
        lambda folder: write_easg(folder / "easg", clips=5, graphs=3),
        f"tune -data_path easg -search lr=1e-3,1e-2 -sampler grid -study s -epochs 2 -eval_freq 1 {_TINY}",
        "output/tune/s/*/checkpoint_final.tar",
        ("output", "easg/.vidsgg"),
    ),
    "train-detector": Command(
        lambda folder: sighted_set(folder / "data"),
        "train-detector -data_path data -save_path out -epochs 1 -num_workers 0 -device cpu -test False -pretrained"
        " none -depth 10 -base_width 8 -short_side 64",
        "out/detector_final.pth",
        ("out", "data/annotations/.vidsgg"),
    ),
}


@dataclass(frozen=True)
class _Whole:
    made: Path  # what the command needs
    results: Mapping[str, object]  # of a command that nobody killed
    seconds: float  # that it took


def _prepare(command: Command, made: Path) -> _Whole:
    needed, whole = made / "needed", made / "whole"
    needed.mkdir()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        command.furnish(needed)
    shutil.copytree(needed, whole)
    begin = time.monotonic()
    code, said = _run(command, whole)
    assert code == 0, said
    return _Whole(needed, _results(command, whole), time.monotonic() - begin)


def _one(command: Command, whole: _Whole, random: Random, place: Path) -> None:
    home = place / "home"
    shutil.copytree(whole.made, home)
    before = listing(home)
    for attempt in range(random.choice((1, 1, 2))):
        after = random.uniform(0, 1.1) * whole.seconds
        with _begun(command, home, command.go_on if attempt else "") as process:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(after)
            process.kill()
            process.wait()
            _check_ended(process.pid)
        check_whole(home, killed=True)
        assert_same(before, listing(home), command.begun)
    code, said = _run(command, home, command.go_on)
    ended = "holds this run, which has ended" in said  # it was killed when all was done
    assert code == 0 or (code == 2 and ended), f"killed after {after:.2f} s, going on ends with {code}: {said[-2000:]}"
    check_whole(home)
    results = _results(command, home)
    assert results.keys() == whole.results.keys(), f"{sorted(results)} instead of {sorted(whole.results)}"
    assert_same(before, listing(home), command.begun)
    for name, content in results.items():
        assert _equal(content, whole.results[name]), f"{name} is another one than without the kill after {after:.2f} s"


@contextlib.contextmanager
def _begun(command: Command, home: Path, more: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """The command in a process of its own, in a session of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "vidsgg", *command.line.split(), *more.split()],
        cwd=home,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        assert process.stdout is not None
        process.stdout.close()
        process.wait()


def _run(command: Command, home: Path, more: str = "") -> tuple[int, str]:
    with _begun(command, home, more) as process:
        said = process.communicate(timeout=600)[0]
        return process.returncode, said.decode(errors="replace")


def _check_ended(session: int) -> None:
    """No process of a session is at work any more."""
    ends = time.monotonic() + _ENDS
    while left := _members(session):
        if time.monotonic() > ends:
            for number in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            raise AssertionError(f"{len(left)} processes are at work {_ENDS:g} s after their parent was killed")
        time.sleep(0.05)


def _members(session: int) -> list[int]:
    """Living processes of a session; none where the system does not list them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat") if sys.platform == "linux" else ():
        with contextlib.suppress(OSError):
            state, _, _, its_session = entry.read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state not in "ZX":
                found.append(int(entry.parent.name))
    return found


def _results(command: Command, home: Path) -> dict[str, object]:
    found = {}
    for path in sorted(home.glob(command.results)):
        name = path.relative_to(home).as_posix()
        if path.suffix in (".tar", ".pth"):
            content = torch.load(path, weights_only=True)
            found[name] = content["model_state_dict" if "model_state_dict" in content else "state_dict"]
        else:
            found[name] = path.read_bytes()
    assert found, f"{command.line} wrote no {command.results}"
    return found


def _equal(one: object, other: object) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())
    return one == other


KINDS = {
    f"kills of {name}": Kind(f"kills of {name}", partial(_prepare, command), partial(_one, command), 20, seconds=300)
    for name, command in COMMANDS.items()
}
