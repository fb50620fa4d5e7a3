"""The benchmark of many videos runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.scaling import WAYS, costs, draw


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory is read as on Linux")
def test_every_way_is_timed_and_drawn(tmp_path: Path) -> None:
    row = costs(2)
    assert all(row[way] > 0 for way in WAYS) and row["peak"] > 50
    with Image.open(draw(tmp_path / "scaling.png", [2, 4], [row, row])) as picture:
        assert picture.width > 600
