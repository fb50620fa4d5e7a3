"""The house has floors: each room imports only from rooms above it (docs/architecture.md)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import vidsgg

PACKAGE = Path(vidsgg.__file__).parent
ROOMS = [
    "structures", "ops", "io", "execution", "datasets", "detectors", "features", "models", "losses", "metrics", "engine", "methods", "tuning",
    "inference", "viewer", "charts", "library", "assembly", "recipes", "app", "cli",
]  # fmt: skip
SHARED = {"errors", "lazy", "options", "plugins", "status"}  # above all rooms: they import no room
# The methods of a graph that people call reach what lies below it; they import it when they are
# called (each file: exactly these).
REACHES_DOWN = {
    "structures/graph.py": {
        "vidsgg.io.exporters.networkx_graph",
        "vidsgg.io.exporters.pandas_table",
        "vidsgg.io.graphs",
        "vidsgg.io.locations",
        "vidsgg.recipes.view",
        "vidsgg.viewer.notebook",
    },
    "__init__.py": {  # the names of the public API; all but their types are imported when they are used
        "vidsgg.assembly.public",
        "vidsgg.assembly.trained_model",
        "vidsgg.engine.early_stopping",
        "vidsgg.library.search",
        "vidsgg.methods.method",
        "vidsgg.recipes.graph_videos",
        "vidsgg.recipes.train",
        "vidsgg.structures.graph",
        "vidsgg.structures.schema",
    },
}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of everything of ours that a module imports, wherever in the file."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write it in full"
            names.add(node.module or "")
    return {name for name in names if name.split(".")[0] == "vidsgg"}


def upward(room: str, names: set[str]) -> list[str]:
    """The imports of a module in ``room`` that do not come from a room above it, from its own, or
    from the shared modules."""
    floor = ROOMS.index(room) if room in ROOMS else -1
    allowed = {*ROOMS[: floor + 1], *SHARED}
    return [name for name in sorted(names) if name != "vidsgg" and name.split(".")[1] not in allowed]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_come_from_above(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room in ("__main__.py", "extend.py"):
        return  # the program itself, and the names that it offers to others: no room imports them
    place = path.relative_to(PACKAGE).as_posix()
    wrong = sorted(set(upward(room, imported(path))) ^ REACHES_DOWN.get(place, set()))
    assert not wrong, f"{path.relative_to(PACKAGE)} imports {', '.join(wrong)} from a lower floor"


def test_the_check_sees_an_upward_import() -> None:
    assert upward("ops", {"vidsgg.structures.clip", "vidsgg.errors"}) == []
    assert upward("ops", {"vidsgg.models.sttran"}) == ["vidsgg.models.sttran"]
    assert upward("cli", {"vidsgg.extend"}) == ["vidsgg.extend"]
    assert upward("errors.py", {"vidsgg.ops.boxes"}) == ["vidsgg.ops.boxes"]


def test_every_folder_is_a_known_room() -> None:
    folders = {p.name for p in PACKAGE.iterdir() if p.is_dir() and p.name != "__pycache__"}
    assert folders <= set(ROOMS)
