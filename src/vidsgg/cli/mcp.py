"""``vidsgg mcp``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.library_server import LibraryServerOptions, library_server

DESCRIPTION = """Offer a library of graphs to an agent, over standard input and output (Model Context Protocol). Read-only.

vidsgg mcp lib"""


def main(argv: Sequence[str]) -> int:
    options = parse(LibraryServerOptions, argv, prog="vidsgg mcp", description=DESCRIPTION, positional=["library"])
    from vidsgg.library.search import Library  # DuckDB

    library_server(Library(options.library)).run("stdio")
    return 0
