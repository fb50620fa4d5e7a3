"""``vidsgg view``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vidsgg.cli.command_line import parse
from vidsgg.cli.documents import STDOUT, folder_for_stdout
from vidsgg.errors import ConfigError
from vidsgg.recipes.view_options import ViewOptions
from vidsgg.status import say

DESCRIPTION = """Write a page to look at graphs: the video with boxes, the graph of the moment and a timeline of all relations, in one HTML file.

vidsgg view graphs                 a page beside every graph of a folder
vidsgg view walk.graph.json -video films/walk.mp4 -truth walk.truth.graph.json"""


def main(argv: Sequence[str]) -> int:
    options = parse(ViewOptions, argv, prog="vidsgg view", description=DESCRIPTION, positional=["graphs"])
    from vidsgg.recipes.export import find_graphs
    from vidsgg.recipes.view import run_view  # numpy, PyAV

    if options.out == STDOUT:
        if options.overlay or options.sheet or len(find_graphs(options.graphs)) > 1:
            raise ConfigError("option -out: standard output takes the page of one graph; name a folder.")
        with folder_for_stdout() as folder:
            for viewed in run_view(replace(options, out=str(folder))):
                say("\n".join(viewed.notes))
        return 0
    for viewed in run_view(options):
        print(viewed.text(), flush=True)
    return 0
