"""The walks of docs/architecture.md are those of the code, and go through the rooms in one
direction."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from test_import_direction import PACKAGE, ROOMS

PAGE = Path(__file__).parents[1] / "docs" / "architecture.md"


def steps_of(command: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8").partition(f"### A walk of `{command}`\n")[2].partition("\n#")[0]
    return re.findall(r"^\d+\. `([\w/]+\.py)`: ", text, re.MULTILINE)


def step_back(steps: list[str]) -> str | None:
    """The first step to a lower floor than the one before."""
    floors = [ROOMS.index(step.split("/")[0]) for step in steps]
    return next(
        (step for step, floor, before in zip(steps[1:], floors[1:], floors, strict=False) if floor > before), None
    )


@pytest.mark.parametrize("command", ["train", "predict"])
def test_a_walk_goes_one_way_and_every_step_is_named_by_an_earlier_one(command: str) -> None:
    steps = steps_of(command)
    assert steps[0] == f"cli/{command}.py" and len(steps) > 10
    assert step_back(steps) is None
    read = ""
    for step in steps:
        name = f"vidsgg.{step.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}"
        assert not read or re.search(rf"{re.escape(name)}\b", read), f"no step before {step} uses it"
        read += (PACKAGE / step).read_text(encoding="utf-8")


def test_the_check_sees_a_step_back() -> None:
    assert step_back(["cli/a.py", "engine/b.py", "recipes/c.py", "io/d.py"]) == "recipes/c.py"
