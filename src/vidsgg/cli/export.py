"""``vidsgg export``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.options import parse
from vidsgg.io.exporters.formats import FORMATS
from vidsgg.recipes.export import ExportOptions, run_export

DESCRIPTION = "Write graphs in the formats of others.\n\n" + "\n".join(f"{form.name:12} {form.summary}" for form in FORMATS.values())


def main(argv: Sequence[str]) -> int:
    for path in run_export(parse(ExportOptions, argv, prog="vidsgg export", description=DESCRIPTION, positional=["graphs"])):
        print(path)
    return 0
