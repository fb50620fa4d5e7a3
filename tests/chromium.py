"""A real Chromium for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


@contextmanager
def open_chromium() -> Iterator[Browser]:
    """Chromium of the system, else Playwright's own; skips the test and says so where there is neither."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no browser test: pip install playwright")
    path = next((found for name in NAMES if (found := shutil.which(name))), None)
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=[*root, "--no-proxy-server"])
        except playwright.Error as error:
            pytest.skip(f"no browser test: Chromium cannot be started ({str(error).splitlines()[0]}); playwright install chromium")
        yield browser
        browser.close()
