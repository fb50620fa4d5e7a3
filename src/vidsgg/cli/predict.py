"""``vidsgg predict``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from vidsgg.assembly.video_defaults import MODEL
from vidsgg.cli.command_line import parse
from vidsgg.cli.documents import STDOUT, write_out
from vidsgg.errors import ConfigError, DataError
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.inputs import check_checkpoints
from vidsgg.status import say, say_loading

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
            "name a video, as in 'vidsgg predict kitchen.mp4', or with -checkpoint a run such as output/..., which then"
            " predicts an annotated video of its data set.\nSee 'vidsgg predict -h'."
        )
    check_checkpoints([options.checkpoint], options.data_path, options.detector, options.videos_path)
    if options.format == "library" and not options.videos:
        raise ConfigError("option -format: a library is made of videos of your own; name these first.")
    if options.videos_path is not None and options.videos:
        raise ConfigError("option -videos_path: belongs to a video of a data set; of your own videos, leave it out.")
    from vidsgg.io.live import is_live  # FFmpeg

    if any(is_live(word) and not os.path.exists(word) for word in options.videos):
        return _live(replace(options, out=None) if options.out == STDOUT else options)
    if options.videos:
        return _own_videos(options)
    if options.out == STDOUT:
        raise ConfigError(
            "option -out: of an annotated video a graph and a page are written, which needs a folder, not standard output."
        )
    if options.boxes:
        raise ConfigError(
            "option -boxes: boxes of your own belong to videos of your own; name these first, as in 'vidsgg predict"
            " VIDEO ...'."
        )
    say_loading()
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
    say_loading()
    from vidsgg.recipes.predict_video import run_video_prediction  # torch

    if options.out == STDOUT:
        return _to_stdout(options)

    problems = []
    for done in run_video_prediction(options):
        if done.problem:
            problems.append(done.problem)
        else:
            print(done.text(), flush=True)
    if problems:
        raise DataError("\n".join(problems))
    return 0


def _to_stdout(options: PredictOptions) -> int:
    from vidsgg.io.graphs import graph_text, read_graph

    say_loading()
    from vidsgg.recipes.predict_video import run_video_prediction  # torch
    from vidsgg.recipes.videos import find_videos

    videos = find_videos(options.videos)
    if len(videos) > 1:
        raise ConfigError(
            f"option -out: standard output takes the graph of one video, and {len(videos)} are given; name a folder."
        )
    with TemporaryDirectory(prefix="vidsgg-") as folder:
        (done,) = run_video_prediction(replace(options, out=folder))
        if done.problem:
            raise DataError(done.problem)
        graph = read_graph(done.file)
    assert graph.made_by is not None
    # Nobody knows where the graph will lie, so a path relative to it would mean nothing.
    write_out(graph_text(replace(graph, made_by=replace(graph.made_by, source=str(videos[0].resolve())))))
    say(replace(done, file=Path(STDOUT)).text())
    return 0


def _live(options: PredictOptions) -> int:
    say_loading()
    from vidsgg.recipes.predict_live import run_live  # torch

    done = run_live(options, partial(print, flush=True), say)
    say(done.text())
    return 0
