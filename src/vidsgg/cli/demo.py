"""``vidsgg demo``: everything once, on data made on the spot."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.command_options import DemoOptions
from vidsgg.status import say_loading

DESCRIPTION = (
    "Make a synthetic data set, train a detector and STTran on it, compare it with a yardstick on held-out videos,"
    " write a page to open."
)


def main(argv: Sequence[str]) -> int:
    options = parse(DemoOptions, argv, prog="vidsgg demo", description=DESCRIPTION)
    say_loading()
    from vidsgg.recipes.demo import run_demo  # torch

    run_demo(options)
    return 0
