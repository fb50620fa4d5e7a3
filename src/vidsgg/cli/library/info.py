"""``vidsgg library info``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.library import LibraryInfoOptions, describe_library

DESCRIPTION = """Say what a library holds.

vidsgg library info lib"""


def main(argv: Sequence[str]) -> int:
    options = parse(
        LibraryInfoOptions, argv, prog="vidsgg library info", description=DESCRIPTION, positional=["library"]
    )
    print(describe_library(options))
    return 0
