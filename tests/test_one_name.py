"""A public class or function has a name of its own: two of one name in two modules are a trap."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import vidsgg

PACKAGE = Path(vidsgg.__file__).parent
# What every module of a kind offers under one name: a command its entry point, a data set's layout
# its two questions.
ROLES = {"main", "find_layout", "has_annotations"}


def test_every_public_class_and_function_has_a_name_of_its_own() -> None:
    places: dict[str, set[str]] = defaultdict(set)  # of overloads one module counts once
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)) and not node.name.startswith(
                "_"
            ):
                places[node.name].add(path.relative_to(PACKAGE).as_posix())
    shared = {name: sorted(where) for name, where in places.items() if len(where) > 1 and name not in ROLES}
    assert not shared, "\n".join(f"{name}: {', '.join(where)}" for name, where in sorted(shared.items()))
    assert places["find_layout"] and len(places["main"]) > 10  # the modules were read
