"""``vidsgg push``."""

from __future__ import annotations

from collections.abc import Sequence

from vidsgg.cli.command_line import parse
from vidsgg.recipes.push_options import PushOptions
from vidsgg.status import say, say_loading

DESCRIPTION = """Offer a trained model to others on the Hugging Face hub: weights, schema, detector, scores and a model card.

vidsgg push output/sttran_sgdet my-lab/sttran-sgdet -license apache-2.0
vidsgg push output/sttran_sgdet -license mit -dry-run -o shared        only writes the folder, to be looked at or copied

Others then use it by its address: vidsgg predict VIDEO -checkpoint hf://my-lab/sttran-sgdet"""


def main(argv: Sequence[str]) -> int:
    options = parse(
        PushOptions, argv, prog="vidsgg push", description=DESCRIPTION, positional=["checkpoint", "repository"]
    )
    say_loading()
    from vidsgg.recipes.push import run_push  # torch

    pushed = run_push(options)
    for note in pushed.notes:
        say(note)
    print(pushed.place)
    return 0
