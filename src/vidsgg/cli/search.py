"""``vidsgg search``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.search import SearchOptions, search_library
from vidsgg.status import say

DESCRIPTION = """Find places in a library of graphs.

vidsgg search lib "person drinking_from cup"
vidsgg search lib "person holding ?x then within 10s person putting ?x" -page hits.html
vidsgg search lib -sql "SELECT object, count(*) FROM relations GROUP BY object\""""


def main(argv: Sequence[str]) -> int:
    options = parse(SearchOptions, argv, prog="vidsgg search", description=DESCRIPTION, positional=["library", "query"])
    found = search_library(options)
    if found.text:
        print(found.text)
    for note in found.notes:
        say(note)
    return 0
