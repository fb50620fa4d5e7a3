"""A real Chromium for the tests of pages. ``python tests/chromium.py`` sees to it that there is
one, if it can be had."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
NEEDED = "VIDSGG_NEEDS_BROWSER"  # set to 1, a missing browser is an error and not a reason to skip
DOWNLOAD_SECONDS, CONNECT_SECONDS = 300, 5
BY_HAND = (
    "install one (Debian: apt-get install chromium; macOS: brew install --cask chromium), or: playwright install"
    " --with-deps chromium"
)


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Chromium of the system, else Playwright's own. Where there is neither the test is skipped and
    says so, or fails if it is needed."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _not_there("no browser test: pip install playwright")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=[*root, "--no-proxy-server"])
        except Error as error:
            _not_there(f"no browser test: Chromium cannot be started ({str(error).splitlines()[0]}); {BY_HAND}")
        yield browser
        browser.close()


def _not_there(why: str) -> NoReturn:
    if os.environ.get(NEEDED) == "1":
        pytest.fail(f"{why} ({NEEDED} is set)", pytrace=False)
    pytest.skip(why)


def install() -> str:
    """Download Playwright's own Chromium unless one can be started already. Returns what is
    missing, and what to do; empty if nothing is."""
    if not _problem():
        return ""
    print("downloading Chromium for the tests of pages, once (about 100 MB)", flush=True)
    tried = _download()
    if problem := _problem():
        return f"the tests of pages are skipped: {tried or problem}; {BY_HAND}"
    return ""


def _problem() -> str:
    """Why no Chromium can be started; empty if one can."""
    try:
        with open_chromium():
            return ""
    except (pytest.skip.Exception, pytest.fail.Exception) as reason:
        return str(reason.msg)


def _download() -> str:
    """What went wrong; empty if nothing did. Ends in DOWNLOAD_SECONDS at the latest, also where
    every connection stalls."""
    command = [sys.executable, "-m", "playwright", "install", "--only-shell", "chromium"]
    patience = {"PLAYWRIGHT_DOWNLOAD_CONNECTION_TIMEOUT": str(1000 * CONNECT_SECONDS)}
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, **patience},
        start_new_session=True,  # it starts processes of its own, which must end with it
    )
    try:
        return "" if process.wait(DOWNLOAD_SECONDS) == 0 else "Chromium cannot be downloaded here"
    except BaseException as reason:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if not isinstance(reason, subprocess.TimeoutExpired):
            raise
        return f"Chromium could not be downloaded in {DOWNLOAD_SECONDS} s"


if __name__ == "__main__":
    if missing := install():
        print(missing)
