"""``vidsgg predict``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.options import parse
from vidsgg.errors import ConfigError
from vidsgg.recipes.options import PredictOptions

DESCRIPTION = "Predict the relations of one annotated video; write the graphs as JSON and a page to look at them."


def main(argv: Sequence[str]) -> int:
    options = parse(PredictOptions, argv, prog="vidsgg predict", description=DESCRIPTION)
    if not options.checkpoint:
        raise ConfigError(
            "option -checkpoint is required: a checkpoint file, or the folder of a run such as output/...\nSee 'vidsgg predict -h'."
        )
    from vidsgg.recipes.predict import run_prediction  # torch

    done = run_prediction(options)
    print(f"video: {done.video_id}\ngraph: {done.graph}\npage:  {done.page}")
    return 0
