"""The reference of the API names what there is, and the examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

import vidsgg

PACKAGE, PAGE = Path(vidsgg.__file__).parent, Path(__file__).parents[2] / "docs" / "api.md"
EXAMPLES = [path for path in sorted(PACKAGE.rglob("*.py")) if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_run(path: Path) -> None:
    name = ".".join(["vidsgg", *path.relative_to(PACKAGE).with_suffix("").parts])
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed


def test_there_are_examples() -> None:
    assert EXAMPLES


def test_the_page_names_everything_public_and_nothing_else() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"\.\. auto(?:function|class):: vidsgg\.(\w+)(?:\(.*\))?$", text, re.MULTILINE))
    assert named == {name for name in vidsgg.__all__ if not name.startswith("_")}
    for owner, members in re.findall(r"autoclass:: vidsgg\.(\w+)(?:\(\))?\n   :members: (.+)", text):
        kind = getattr(vidsgg, owner)
        for member in set(members.split(", ")) - set(kind.__annotations__):
            assert kind.__dict__[member].__doc__, f"{owner}.{member} is not there, or says nothing"
