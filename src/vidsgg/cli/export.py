"""``vidsgg export``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.cli.documents import write_out
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.recipes.export import ExportOptions, run_export
from vidsgg.status import say

DESCRIPTION = "Write graphs in the formats of others."


def main(argv: Sequence[str]) -> int:
    formats = "\n".join(f"{form.name:12} {form.summary}" for form in FORMATS.all().values())
    description = f"{DESCRIPTION}\n\n{formats}"
    exported = run_export(
        parse(ExportOptions, argv, prog="vidsgg export", description=description, positional=["graphs"])
    )
    if exported.content is not None:
        write_out(exported.content)
    for path in exported.files:
        print(path)
    for note in exported.notes:
        say(note)
    return 0
