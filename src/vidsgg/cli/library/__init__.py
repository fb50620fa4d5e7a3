"""``vidsgg library COMMAND ...``: many graphs as tables that can be searched."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from vidsgg.errors import ConfigError
from vidsgg.options import closest

COMMANDS = {
    "build": "add graphs to a library",
    "info": "say what a library holds",
    "merge": "add what other libraries hold",
    "compact": "write many small parts again as few large ones",
}


def _usage() -> str:
    lines = [f"  {name:<8} {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vidsgg library COMMAND [options]",
            "",
            "commands:",
            *lines,
            "",
            "'vidsgg library COMMAND -h' lists its options; 'vidsgg search' asks a library.",
        ]
    )


def main(argv: Sequence[str]) -> int:
    """Call a command; its module is imported only then."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0
    name = argv[0]
    if name not in COMMANDS:
        raise ConfigError(f"unknown command 'library {name}'{closest(name, list(COMMANDS))}\n\n{_usage()}")
    return int(importlib.import_module(f"vidsgg.cli.library.{name}").main(argv[1:]))
