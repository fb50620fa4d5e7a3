"""How large the package is: ``python -m benchmarks.counts [-src FOLDER]``.

Reads the source and imports nothing of it, so that ``-src`` may be the package of another version.
"""

from __future__ import annotations

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parents[1] / "src" / "vidsgg"


@dataclass(frozen=True)
class Counts:
    """Of all Python files of a package. Documentation is part of a function and of a file."""

    modules: int
    lines: int
    statements: int  # which, unlike lines, do not depend on the formatter
    largest_room: tuple[str, int]  # folder of the package, and its modules
    largest_function: tuple[str, int]  # module:name, and its lines
    dict_parameters: int  # of functions, whose annotation contains dict[str, Any]
    public_dict_parameters: int  # those of functions that other modules may call
    stated_twice: tuple[str, ...]  # options that a configuration class states again, with a default of its own

    def lines_of_text(self) -> list[str]:
        twice = f": {', '.join(self.stated_twice)}" if self.stated_twice else ""
        return [
            f"lines of src                    {self.lines:,} in {self.modules} modules",
            f"statements of src               {self.statements:,}",
            f"modules in the largest room     {self.largest_room[1]} ({self.largest_room[0]})",
            f"lines of the largest function   {self.largest_function[1]} ({self.largest_function[0]})",
            f"dict[str, Any] parameters       {self.dict_parameters}, {self.public_dict_parameters} of public functions",
            f"options stated twice            {len(self.stated_twice)}{twice}",
        ]


def count(package: Path) -> Counts:
    """The counts of a package's folder. Raises ValueError if it holds no Python file."""
    files = {path.relative_to(package): path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}
    if not files:
        raise ValueError(f"{package} holds no Python file.")
    trees = {path: ast.parse(text) for path, text in files.items()}
    rooms = Counter(path.parts[0] for path in files if len(path.parts) > 1)
    functions = [(f"{path.as_posix()}:{node.name}", _lines(node)) for path, node in _functions(trees)]
    owners = [
        node.name
        for _, node in _functions(trees)
        for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)
        if one.annotation is not None and "dict[str, Any]" in ast.unparse(one.annotation)
    ]
    return Counts(
        modules=len(files),
        lines=sum(text.count("\n") for text in files.values()),
        statements=sum(isinstance(node, ast.stmt) for tree in trees.values() for node in ast.walk(tree)),
        largest_room=max(rooms.items(), key=lambda room: room[1], default=("none", 0)),
        largest_function=max(functions, key=lambda function: function[1], default=("none", 0)),
        dict_parameters=len(owners),
        public_dict_parameters=sum(not name.startswith("_") for name in owners),
        stated_twice=_stated_twice(trees),
    )


def _functions(trees: dict[Path, ast.Module]) -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield path, node


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _stated_twice(trees: dict[Path, ast.Module]) -> tuple[str, ...]:
    """Names that a class declares by ``option(...)`` and a class called ``...Config`` declares
    besides with a plain default: two places where the same default has to stand."""
    options, plain = set[str](), defaultdict[str, int](int)
    for tree in trees.values():
        for kind in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            for field in kind.body:
                if (
                    not isinstance(field, ast.AnnAssign)
                    or field.value is None
                    or not isinstance(field.target, ast.Name)
                ):
                    continue
                if isinstance(field.value, ast.Call) and ast.unparse(field.value.func) == "option":
                    options.add(field.target.id)
                elif kind.name.endswith("Config"):
                    plain[field.target.id] += 1
    return tuple(sorted(options & set(plain)))


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.counts", description=__doc__)
    parser.add_argument("-src", type=Path, default=HERE, help="folder of the package; by default that of this checkout")
    print("\n".join(count(parser.parse_args(words).src).lines_of_text()))


if __name__ == "__main__":
    main()
