"""``vidsgg library build``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.library import LibraryBuildOptions, build_library

DESCRIPTION = """Add graphs to a library of Parquet tables. Calling it again adds what is new.

vidsgg library build graphs -o lib"""


def main(argv: Sequence[str]) -> int:
    options = parse(
        LibraryBuildOptions, argv, prog="vidsgg library build", description=DESCRIPTION, positional=["graphs"]
    )
    build_library(options)
    return 0
