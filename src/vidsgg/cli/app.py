"""``vidsgg app``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.app.app_options import AppOptions
from vidsgg.app.named import check_named
from vidsgg.cli.command_line import parse
from vidsgg.status import say_loading

DESCRIPTION = """A web app on this machine: upload a video, watch its graph being made, look at it, take it along in any format.

vidsgg app                                    offers the checkpoints of mode sgdet that lie under output/
vidsgg app runs/sttran_sgdet -port 9000       offers this one"""


def main(argv: Sequence[str]) -> int:
    options = parse(AppOptions, argv, prog="vidsgg app", description=DESCRIPTION, positional=["checkpoints"])
    check_named(options.checkpoints)
    say_loading()
    from vidsgg.app.serve import run_app  # torch, starlette

    run_app(options)
    return 0
