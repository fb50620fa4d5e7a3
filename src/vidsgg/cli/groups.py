"""Commands that hold further commands, such as ``vidsgg data check``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence

from vidsgg.cli.completing import completing, offer_commands
from vidsgg.errors import ConfigError, short
from vidsgg.options import closest


def run_of_group(group: str, commands: Mapping[str, str], argv: Sequence[str], more: str = "") -> int:
    """Call a command of a group; its module ``vidsgg.cli.GROUP.COMMAND`` is imported only then.

    commands: what each does, by name. more: a further sentence of the usage. Raises ConfigError for
    a command that the group does not have.
    """
    if not argv and completing():
        offer_commands(commands, 2)
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_usage(group, commands, more))
        return 0
    name = argv[0]
    if name not in commands:
        hint = closest(name, list(commands)) or "."
        raise ConfigError(f"unknown command '{group} {short(name)[1:-1]}'{hint} 'vidsgg {group} -h' lists all.")
    return int(importlib.import_module(f"vidsgg.cli.{group}.{name}").main(argv[1:]))


def _usage(group: str, commands: Mapping[str, str], more: str) -> str:
    width = max(map(len, commands))
    lines = [f"  {name:<{width}}  {text}" for name, text in commands.items()]
    last = " ".join(filter(None, [f"'vidsgg {group} COMMAND -h' lists its options.", more]))
    return "\n".join([f"usage: vidsgg {group} COMMAND [options]", "", "commands:", *lines, "", last])
