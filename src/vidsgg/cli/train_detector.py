"""``vidsgg train-detector``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.command_options import TrainDetectorOptions
from vidsgg.recipes.inputs import check_data
from vidsgg.status import say_loading

DESCRIPTION = """Train a detector on the annotated frames of a data set, and score it by COCO's average precision.

'-pretrained FILE -epochs 0' scores a detector that is there."""


def main(argv: Sequence[str]) -> int:
    options = parse(TrainDetectorOptions, argv, prog="vidsgg train-detector", description=DESCRIPTION)
    check_data(options.data_path, options.videos_path)
    say_loading()
    from vidsgg.recipes.train_detector import run_detector_training  # torch

    run_detector_training(options)
    return 0
