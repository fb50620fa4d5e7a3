"""Symbolic links for tests; Windows makes them for some users only."""

from __future__ import annotations

from pathlib import Path

import pytest


def link(path: Path, target: Path) -> Path:
    """Make a link at ``path``, or skip the test where none can be made. Returns ``path``."""
    try:
        path.symlink_to(target, target_is_directory=target.is_dir())
    except (OSError, NotImplementedError) as error:
        pytest.skip(f"no symbolic links here: {error}")
    return path
