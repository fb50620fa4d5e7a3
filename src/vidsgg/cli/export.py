"""``vidsgg export``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from vidsgg.cli.options import parse
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.recipes.export import ExportOptions, run_export

DESCRIPTION = "Write graphs in the formats of others.\n\n" + "\n".join(f"{form.name:12} {form.summary}" for form in FORMATS.values())


def main(argv: Sequence[str]) -> int:
    exported = run_export(parse(ExportOptions, argv, prog="vidsgg export", description=DESCRIPTION, positional=["graphs"]))
    for path in exported.files:
        print(path)
    for note in exported.notes:
        print(note, file=sys.stderr)
    return 0
