"""``vidsgg compare``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError
from vidsgg.recipes.command_options import CompareOptions
from vidsgg.recipes.inputs import check_checkpoints
from vidsgg.status import say, say_loading

DESCRIPTION = """Recall and mean recall of trained models side by side on the same videos, with 95 % intervals from a paired bootstrap over videos,
and their differences to the first. What 'vidsgg evaluate' has left is read, and what is missing is scored."""


def main(argv: Sequence[str]) -> int:
    options = parse(CompareOptions, argv, prog="vidsgg compare", description=DESCRIPTION, positional=["runs"])
    if len(options.runs) < 2:
        raise ConfigError("two or more runs are needed for a comparison.\nSee 'vidsgg compare -h'.")
    check_checkpoints(options.runs, options.data_path, videos_path=options.videos_path)
    say_loading()
    from vidsgg.recipes.compare import run_comparison  # torch

    comparison = run_comparison(options)
    print(comparison.text, flush=True)
    say(f"\nwritten to {', '.join(map(str, comparison.files))}")
    return 0
