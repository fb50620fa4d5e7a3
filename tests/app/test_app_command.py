"""``vidsgg app`` before it serves: what is refused, and what is told."""

from __future__ import annotations

import importlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from vidsgg.app import serve
from vidsgg.app.options import AppOptions
from vidsgg.cli import app
from vidsgg.cli.main import run
from vidsgg.errors import ConfigError


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-port", "70000"], "option -port: 70000 is no port"),
        (["-host", "no.such.machine.invalid"], "option -host: 'no.such.machine.invalid' is no address of this machine"),
        (["-max_upload_mb", "0"], "option -max_upload_mb: 0.0 is too small"),
        (["-prot", "1"], "did you mean 'port'"),
        (["nowhere", "-port", "0"], "nowhere does not exist; name a run or a checkpoint."),
        (["-port", "0", "-data", "file"], "option -data: file cannot be used"),
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


def test_other_addresses_come_with_a_warning() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        assert serve._greeting(AppOptions(), listening, 1) == f"open http://127.0.0.1:{port} (1 checkpoint; ends with Ctrl-C)"
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
