"""``vidsgg data COMMAND ...``: make, check, show and count data sets."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from vidsgg.errors import ConfigError
from vidsgg.options import closest

COMMANDS = {
    "synth": "make a synthetic data set, videos and all, in Action Genome's own file format",
    "check": "find out what is wrong with a data set",
    "convert": "write a data set in the files of another format",
    "show": "draw the annotations of a frame or of a whole video",
    "stats": "count objects, predicates, frames and pairs",
    "priors": "count what is usual for every class of objects, as STKET knows it",
}


def _usage() -> str:
    lines = [f"  {name:<6}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vidsgg data COMMAND [options]",
            "",
            "commands:",
            *lines,
            "",
            "'vidsgg data COMMAND -h' lists its options.",
        ]
    )


def main(argv: Sequence[str]) -> int:
    """Call a command; its module is imported only then."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    name = argv[0]
    if name not in COMMANDS:
        raise ConfigError(f"unknown command 'data {name}'{closest(name, list(COMMANDS))}\n\n{_usage()}")
    return int(importlib.import_module(f"vidsgg.cli.data.{name}").main(argv[1:]))
