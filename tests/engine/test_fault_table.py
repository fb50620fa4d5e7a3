"""docs/training.md names a test for every fault; they exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_fault_has_a_test() -> None:
    text = (
        (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("## What can go wrong")[1].split("\n## ")[0]
    )
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 12
    for what, _, proof in rows:
        named = re.findall(r"`(tests/\S+\.py)::(\w+)`", proof)
        assert named, f"no test is named for: {what}"
        for file, test in named:
            assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"
