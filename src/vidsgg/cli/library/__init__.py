"""``vidsgg library COMMAND ...``: many graphs as tables that can be searched."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.groups import run_of_group

COMMANDS = {
    "build": "add graphs to a library",
    "info": "say what a library holds",
    "merge": "add what other libraries hold",
    "compact": "write many small parts again as few large ones",
}


def main(argv: Sequence[str]) -> int:
    return run_of_group("library", COMMANDS, argv, "'vidsgg search' asks a library.")
