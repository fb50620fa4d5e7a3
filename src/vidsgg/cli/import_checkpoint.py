"""``vidsgg import-checkpoint``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.options import parse
from vidsgg.recipes.importing.options import ImportOptions

DESCRIPTION = "Turn a file that a method's authors published, of the Action Genome detector or of a relation model, into one of ours."


def main(argv: Sequence[str]) -> int:
    options = parse(ImportOptions, argv, prog="vidsgg import-checkpoint", description=DESCRIPTION, positional=("file",))
    from vidsgg.recipes.importing.run import run_import  # torch

    print("\n".join(run_import(options).lines))
    return 0
