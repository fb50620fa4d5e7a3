"""``vidsgg app`` before it serves: what is refused, and what is told."""

from __future__ import annotations

import importlib
import json
import socket
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from vidsgg.app import serve
from vidsgg.app.app_options import AppOptions
from vidsgg.app.jobs import Asked, Job
from vidsgg.cli import app
from vidsgg.cli.main import run
from vidsgg.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-port", "70000"], "option -port: 70000 is too large; the most is 65535"),
        (["-host", "no.such.machine.invalid"], "option -host: 'no.such.machine.invalid' is no address of this machine"),
        (["-max_upload_mb", "0"], "option -max_upload_mb: 0.0 is too small"),
        (["-prot", "1"], "did you mean 'port'"),
        (["nowhere", "-port", "0"], "nowhere does not exist; name a run or a checkpoint."),
        (["-port", "0", "-device", "cpu", "-backend", "onnx", "-precision", "bf16"], "ONNX Runtime has no bfloat16"),
        (["-port", "0", "-data", "file"], "option -data: file is a file, not a folder"),
    ],
)
def test_what_cannot_work(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert run(app.main, words) == 2
    said = capsys.readouterr()
    assert message in said.err and said.out == ""


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert run(app.main, ["-port", port, "-data", str(tmp_path / "app")]) == 2
    assert f"cannot listen at 127.0.0.1:{port}" in capsys.readouterr().err
    assert not (tmp_path / "app").exists()


def folder_of(tmp_path: Path, *files: str) -> Path:
    for name in files:
        place = tmp_path / "app" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(RECORD if name.endswith("job.json") else "1")
    return tmp_path / "app"


NUMBER = "0123456789abcdef"
RECORD = json.dumps(asdict(Job(NUMBER, "a.mp4", "a model", Asked("a.tar"), 1.0, state="done")))


@pytest.mark.parametrize(
    "files",
    [
        ["notes.txt"],
        [f"{NUMBER}/notes.txt"],
        [f"{NUMBER}/video.bin"],
        [".lock", f"{NUMBER}/x"],
        [".lock", "config.yaml"],
    ],
)
def test_a_folder_of_others_is_refused_and_untouched(tmp_path: Path, files: list[str]) -> None:
    folder = folder_of(tmp_path, *files)
    with pytest.raises(ConfigError, match=r"option -data: .* is not empty and no folder of 'vidsgg app'"):
        serve._own(folder)
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()) == sorted(files)


@pytest.mark.parametrize(
    "files",
    [
        [],
        [".DS_Store"],
        [".vidsgg-app", "notes.txt"],
        [f"{NUMBER}/job.json", "notes.txt"],
        [".lock", f"{NUMBER}/video.bin"],
    ],
)
def test_new_folders_and_those_of_earlier_versions_become_ours(tmp_path: Path, files: list[str]) -> None:
    folder = folder_of(tmp_path, *files)
    (folder / ".lock").unlink(missing_ok=True)
    if ".lock" in files:
        (folder / ".lock").write_text("")
    for _ in range(2):
        serve._own(folder).release()
    assert (folder / ".vidsgg-app").is_file()
    assert all((folder / name).exists() for name in files)


def test_other_addresses_come_with_a_warning() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert (
            serve._greeting(AppOptions(), listening, 1)
            == f"open http://127.0.0.1:{port} (1 model to choose from; ends with Ctrl-C)"
        )
        assert "warning: whoever reaches this address" in serve._greeting(AppOptions(host="0.0.0.0"), listening, 2)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ConfigError, match=r"pip install 'vidsgg\[app\]'"):
        importlib.reload(serve)
    monkeypatch.undo()
    importlib.reload(serve)


def test_what_can_be_refused_at_once_is() -> None:
    code = "import sys, vidsgg.app.serve; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
