"""A few cases of every kind of ``make fuzz``, which runs thousands: no traceback, nothing outside,
nothing of others, nothing half-written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("cases run in forked processes with limits, which are POSIX", allow_module_level=True)

from fuzz import kills
from fuzz.kinds import all_kinds
from fuzz.lines import missing
from fuzz.readers import READERS
from fuzz.runner import run

SECONDS = 1.0  # for the cases of one kind
KINDS = {kind.name: kind for kind in all_kinds()}


@pytest.mark.parametrize(
    "name", [name for name in KINDS if name not in kills.KINDS and not (name in READERS and READERS[name].slow)]
)
def test_some_cases(name: str, tmp_path: Path) -> None:
    report = run(KINDS[name], tmp_path / "run", seed=0, cases=range(12), budget=SECONDS)
    assert report.ran
    assert not report.faults, "\n".join(f"{name}, case {case}: {fault}" for case, fault in report.faults.items())


def test_every_command_is_tried() -> None:
    assert not missing()
