"""A browser that is missing is never overlooked where it is needed, and looking for one never takes
long."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import chromium
import pytest


@pytest.fixture
def none_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chromium, "NAMES", ())
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "browsers"))


@pytest.mark.usefixtures("none_there")
@pytest.mark.parametrize(("needed", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_browser_skips_or_fails(
    needed: str, outcome: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(chromium.NEEDED, needed)
    with (
        pytest.raises(outcome, match=r"(?s)no browser test: Chromium cannot be started .*apt-get install chromium"),
        chromium.open_chromium(),
    ):
        raise AssertionError("there is none to start")


@pytest.mark.usefixtures("none_there")
@pytest.mark.skipif(sys.platform == "win32", reason="scripts of a POSIX shell")
@pytest.mark.parametrize(
    ("script", "reason"),
    [("exit 1", "cannot be downloaded here"), ("sleep 600 & wait", "could not be downloaded in 1 s")],
)
def test_a_download_that_fails_or_stalls_is_one_line(
    script: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(chromium, "DOWNLOAD_SECONDS", 1)
    began = time.monotonic()
    missing = chromium.install()
    assert time.monotonic() - began < 60
    assert missing == f"the tests of pages are skipped: Chromium {reason}; {chromium.BY_HAND}"
    assert capsys.readouterr().out.count("\n") == 1
