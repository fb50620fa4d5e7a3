"""``vidsgg predict``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from vidsgg.assembly.video_defaults import MODEL
from vidsgg.cli.command_line import parse
from vidsgg.errors import ConfigError, DataError
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.inputs import check_checkpoints

DESCRIPTION = """Predict the graphs of videos: objects, relations, and how long they last.

vidsgg predict VIDEO ...                           your own videos, with nothing else: relations guessed from boxes
vidsgg predict VIDEO ... -checkpoint CKPT -o OUT   your own videos, without any annotation; writes a graph (JSON) for each
vidsgg predict VIDEO ... -o LIB -format library    the same, into a library that 'vidsgg search' asks
vidsgg predict 0 -checkpoint CKPT                  a camera, an address (rtsp://, http://) or a pipe (-): a line of JSON per graph
vidsgg predict -checkpoint CKPT -video NAME        an annotated video of a data set; writes a graph and a page to look at it"""


def main(argv: Sequence[str]) -> int:
    options = parse(PredictOptions, argv, prog="vidsgg predict", description=DESCRIPTION, positional=["videos"])
    if not options.checkpoint and options.videos:
        options = replace(options, checkpoint=MODEL)
    if not options.checkpoint:
        raise ConfigError(
            "option -checkpoint is required: a checkpoint file, or the folder of a run such as output/...\nSee 'vidsgg"
            " predict -h'."
        )
    check_checkpoints([options.checkpoint], options.data_path, options.detector)
    if options.format == "library" and not options.videos:
        raise ConfigError("option -format: a library is made of videos of your own; name these first.")
    from vidsgg.io.live import is_live  # FFmpeg

    if any(is_live(word) and not os.path.exists(word) for word in options.videos):
        return _live(options)
    if options.videos:
        return _own_videos(options)
    if options.boxes:
        raise ConfigError(
            "option -boxes: boxes of your own belong to videos of your own; name these first, as in 'vidsgg predict"
            " VIDEO ...'."
        )
    from vidsgg.recipes.predict import run_prediction  # torch

    done = run_prediction(options)
    print(
        "\n".join(
            [
                f"video: {done.video_id}",
                f"graph: {done.graph}",
                f"page:  {done.page}",
                *(f"note:  {note}" for note in done.notes),
            ]
        )
    )
    return 0


def _own_videos(options: PredictOptions) -> int:
    from vidsgg.recipes.videos import find_videos

    find_videos(options.videos)
    from vidsgg.recipes.predict_video import run_video_prediction  # torch

    problems = []
    for done in run_video_prediction(options):
        if done.problem:
            problems.append(done.problem)
        else:
            print(done.text(), flush=True)
    if problems:
        raise DataError("\n".join(problems))
    return 0


def _live(options: PredictOptions) -> int:
    from vidsgg.recipes.predict_live import run_live  # torch

    done = run_live(options, partial(print, flush=True), partial(print, file=sys.stderr, flush=True))
    print(done.text(), file=sys.stderr)
    return 0
