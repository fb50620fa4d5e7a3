"""``vidsgg evaluate`` and ``evaluate.py``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse, without_local_rank
from vidsgg.cli.train import peek
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import METHODS
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.inputs import check_checkpoints
from vidsgg.recipes.method_options import with_methods
from vidsgg.status import say, say_loading


def main(argv: Sequence[str], prog: str = "vidsgg evaluate") -> int:
    if (model := peek(argv, "model")) is not None:
        METHODS.admit(model)  # so that its options are known
    options = parse(
        with_methods(EvaluateOptions, "evaluation"),
        without_local_rank(argv),
        prog=prog,
        description=(
            "Score a trained model: recall and mean recall under every constraint, head, body and tail, calibration."
        ),
    )
    if not options.checkpoint:
        raise ConfigError(
            f"option -checkpoint is required: a checkpoint file, or the folder of a run such as output/...\nSee '{prog}"
            " -h'."
        )
    check_checkpoints([options.checkpoint], options.data_path, options.detector, options.videos_path)
    say_loading()
    from vidsgg.recipes.evaluate import run_evaluation  # torch

    evaluation = run_evaluation(options)
    if evaluation.files:
        first, *others = evaluation.files
        print(evaluation.text, flush=True)
        say(f"\nwritten to {', '.join([str(first), *(file.name for file in others)])}")
    return 0
