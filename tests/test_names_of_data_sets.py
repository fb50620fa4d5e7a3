"""No code outside ``datasets/`` knows a data set, a class or a predicate by name; it asks the
schema."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import vidsgg
from vidsgg.datasets.action_genome import VOCABULARY
from vidsgg.datasets.easg_files import SLOTS

PACKAGE = Path(vidsgg.__file__).parent
# Readers of authors' files: those speak of Action Genome, and do not say so.
READERS = (
    "methods/authors_file.py",
    "methods/*/authors.py",
    "models/authors/*.py",
    "detectors/authors.py",
    "recipes/import_checkpoint.py",
)
# COCO's labels as other data sets call them: names that are looked up in whatever vocabulary there
# is.
TABLES = ("detectors/coco_classes.py",)
# The synthetic world is made, and told from real footage, where a user asks for it.
SYNTHETIC = ("assembly/data.py", "assembly/drawn.py", "recipes/demo.py", "recipes/train.py", "cli/data/synth.py")
# Words of classes and predicates that mean other things in code.
ORDINARY = {
    "in", "above", "behind", "box", "table", "picture", "window", "light", "shelf", "bag", "dish", "door", "bed", "book", "food", "floor",
    "person", "unsure", "touching", "holding", "wearing", "pre", "post",
}  # fmt: skip
DATA_SETS = {"action_genome", "Action Genome", "easg", "EASG", "dobj"}
NAMES = DATA_SETS | ({*VOCABULARY.objects[1:], *VOCABULARY.predicates, *SLOTS} - ORDINARY)
MODULES = [
    path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.relative_to(PACKAGE).parts[0] != "datasets"
    and not any(path.relative_to(PACKAGE).match(pattern) for pattern in (*READERS, *TABLES))
]


def strings(tree: ast.AST) -> Iterator[str]:
    """The texts of a module that are values: no docstring, and no part of a longer text."""
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said | parts:
            yield node.value


def modules_of_data_sets(tree: ast.AST) -> Iterator[str]:
    """Imported modules that belong to one data set."""
    for node in ast.walk(tree):
        names = (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else []
        )
        yield from (
            name for name in names if name.startswith(("vidsgg.datasets.action_genome", "vidsgg.datasets.easg"))
        )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_names_no_data_set(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [*modules_of_data_sets(tree), *(text for text in strings(tree) if text in NAMES)]
    assert not found, f"{path.relative_to(PACKAGE)} knows {', '.join(found)}; let the schema say it"
    known = path.relative_to(PACKAGE).as_posix()
    if known not in SYNTHETIC:
        assert "vidsgg.datasets.synthetic" not in path.read_text(encoding="utf-8"), f"{known} knows the synthetic world"


def test_the_check_sees_what_it_looks_for() -> None:
    tree = ast.parse(
        '"""easg"""\nfrom vidsgg.datasets.easg import EASG\nname = "easg" if x == "sofa/couch" else f"easg{x}"\n'
    )
    assert list(modules_of_data_sets(tree)) == ["vidsgg.datasets.easg"]
    assert [text for text in strings(tree) if text in NAMES] == ["easg", "sofa/couch"]
    assert len(NAMES) > 45 and len(MODULES) > 200
