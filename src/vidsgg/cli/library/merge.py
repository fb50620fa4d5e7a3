"""``vidsgg library merge``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.library import LibraryMergeOptions, merge_libraries

DESCRIPTION = """Add what other libraries hold to a library.

vidsgg library merge monday tuesday -o lib"""


def main(argv: Sequence[str]) -> int:
    options = parse(
        LibraryMergeOptions, argv, prog="vidsgg library merge", description=DESCRIPTION, positional=["libraries"]
    )
    merge_libraries(options)
    return 0
