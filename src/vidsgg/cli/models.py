"""``vidsgg models``: what there is and what it can do."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import methods
from vidsgg.recipes.recipe_files import recipe_files
from vidsgg.recipes.tables import columns


@dataclass(frozen=True)
class _NoOptions:
    """The command takes none."""


def main(argv: Sequence[str]) -> int:
    parse(_NoOptions, argv, prog="vidsgg models", description="List the models and what they can do.")
    subjects = {"entity": "subject boxes (Action Genome)", "action": "actions (EASG)"}
    rows = [("model", *(f"modes with {what}" for what in subjects.values()), "reads", "fitted by", "what it is")]
    for entry in methods().values():
        try:
            can = entry.capabilities
        except ConfigError as error:  # of an installed package: it costs itself only
            print(f"warning: {error}", file=sys.stderr)
            continue
        reads = "visual features, classes" if can.classes else "visual features"
        reads = reads if can.visual else "classes; a detector's outside predcls"
        rows.append(
            (
                entry.name,
                *(" ".join(can.modes.get(kind, ("none",))) for kind in subjects),
                reads,
                "counting" if can.counting else "gradient descent",
                f"{entry.summary} ({entry.source})",
            )
        )
    print("\n".join(columns(rows)))
    print(
        f"\nrecipes, the settings that authors published, for 'vidsgg train -config NAME': {', '.join(recipe_files())}"
    )
    return 0
