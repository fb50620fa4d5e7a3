"""``vidsgg view``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.view_options import ViewOptions

DESCRIPTION = """Write a page to look at graphs: the video with boxes, the graph of the moment and a timeline of all relations, in one HTML file.

vidsgg view graphs                 a page beside every graph of a folder
vidsgg view walk.graph.json -video films/walk.mp4 -truth walk.truth.graph.json"""


def main(argv: Sequence[str]) -> int:
    options = parse(ViewOptions, argv, prog="vidsgg view", description=DESCRIPTION, positional=["graphs"])
    from vidsgg.recipes.view import run_view  # numpy, PyAV

    for viewed in run_view(options):
        print(viewed.text(), flush=True)
    return 0
