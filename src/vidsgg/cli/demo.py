"""``vidsgg demo``: the whole pipeline on synthetic data."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from vidsgg.cli.command_line import parse
from vidsgg.recipes.command_options import DemoOptions
from vidsgg.status import say_loading

DESCRIPTION = """Run the whole pipeline on synthetic data: draw films, train a detector and a model on most of them, test both on
the others, and write a page of a test film to open.

vidsgg demo           under ten minutes on two CPU cores
vidsgg demo -quick    about two minutes
vidsgg demo -large    about half an hour; its model finds more"""


def main(argv: Sequence[str]) -> int:
    options = parse(DemoOptions, argv, prog="vidsgg demo", description=DESCRIPTION)
    say_loading()
    from vidsgg.recipes.demo import run_demo  # torch

    print(run_demo(options, started_as()).text)
    return 0


def started_as() -> str:
    """What to type to start vidsgg from the folder where the user is: ``vidsgg`` if the shell would
    find this one."""
    typed = Path(sys.argv[0])
    if typed.stem != "vidsgg":
        return f"{shlex.quote(sys.executable)} -m vidsgg"
    found = shutil.which("vidsgg")
    return "vidsgg" if found and typed.exists() and Path(found).samefile(typed) else shlex.quote(str(typed))
