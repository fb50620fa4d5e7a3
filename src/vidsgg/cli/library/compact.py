"""``vidsgg library compact``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.library import LibraryCompactOptions, compact_library

DESCRIPTION = """Write many small parts of a library again as few large ones. Nothing else changes.

vidsgg library compact lib"""


def main(argv: Sequence[str]) -> int:
    options = parse(
        LibraryCompactOptions, argv, prog="vidsgg library compact", description=DESCRIPTION, positional=["library"]
    )
    print(compact_library(options))
    return 0
