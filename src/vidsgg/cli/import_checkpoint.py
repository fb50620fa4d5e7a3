"""``vidsgg import-checkpoint``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.errors import CheckpointError
from vidsgg.recipes.command_options import ImportCheckpointOptions
from vidsgg.recipes.method_options import with_methods
from vidsgg.status import say_loading

DESCRIPTION = (
    "Turn a file that a method's authors published, of the Action Genome detector or of a relation model, into one of"
    " ours."
)


def main(argv: Sequence[str]) -> int:
    options = parse(
        with_methods(ImportCheckpointOptions, "importing"),
        argv,
        prog="vidsgg import-checkpoint",
        description=DESCRIPTION,
        positional=("file",),
    )
    if not options.file.exists():
        raise CheckpointError(f"there is no file {options.file}.")
    say_loading()
    from vidsgg.recipes.import_checkpoint import run_import  # torch

    print("\n".join(run_import(options).lines))
    return 0
