"""Graphs of annotated videos by a trained model, and a page to look at them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from vidsgg.assembly.data import open_split
from vidsgg.assembly.drawn import graph_notes
from vidsgg.assembly.saved_run import data_of, read_run, videos_of
from vidsgg.assembly.trained_model import TrainedModel
from vidsgg.assembly.video_defaults import THRESHOLD
from vidsgg.assembly.video_predictor import origin_of, unsure_above
from vidsgg.datasets.base import Subset
from vidsgg.datasets.pictures import picture_notes
from vidsgg.errors import ConfigError, DataError
from vidsgg.inference.graphs import annotated_graph, over_time, to_graph
from vidsgg.io.footage import PICTURES
from vidsgg.io.graphs import SUFFIX, path_to, read_graph, write_graph
from vidsgg.io.locations import Location
from vidsgg.io.names import file_name
from vidsgg.io.places import on_disk
from vidsgg.ops.decoding import decode
from vidsgg.recipes.command_options import PredictOptions
from vidsgg.recipes.graph_places import REMEDY
from vidsgg.recipes.view import show
from vidsgg.viewer.graphs import surest
from vidsgg.viewer.matching import best_moment


@dataclass(frozen=True)
class Predicted:
    """The files written for one video."""

    video_id: str
    graph: Path
    page: Path
    notes: tuple[str, ...]  # about its pictures


def run_prediction(options: PredictOptions, notes: Sequence[str] = (), *, at_best: bool = False) -> Predicted:
    """Predict one video of a data set and write its graph (JSON) and its page (HTML).

    notes: what the page is to say besides. at_best: open it where the prediction agrees most with
    the annotation. A graph of the same video that is there is replaced. Raises ConfigError if the file is that of
    another one, before any work.
    """
    run = read_run(Path(options.checkpoint), model=options.model)
    root = data_of(run, options.data_path)
    dataset = open_split(
        root,
        run.options.mode,
        options.split,
        datasize="large",
        skip_bad=False,
        max_pairs=run.options.max_pairs,
        videos_path=videos_of(run, options.videos_path, options.data_path),
    )
    index = dataset.find(options.video)
    one, video_id = Subset(dataset, [index]), dataset.video_ids[index]
    folder = on_disk("option -out", options.out) if options.out else run.home
    stem = file_name(video_id, dataset.video_ids)
    graph, page = folder / f"{stem}{SUFFIX}", folder / f"{stem}.html"
    if not options.overwrite:
        _check_own(graph, dataset.schema.name, video_id)
    trained = TrainedModel(
        run,
        options.device,
        options.detector,
        labels=options.labels,
        backend=options.backend,
        precision=options.precision,
    ).on([one], root=root)
    loader = trained.source.loader(one, learn=False, batch_size=1, workers=0, skip_bad=False)
    (batch,) = loader.batches()
    with torch.inference_mode():
        (prediction,) = decode(batch.clip, trained.model(batch.clip), exclusive=trained.options.exclusive_decoding)
    numbers = one.video_frames(0)
    annotation = replace(batch.annotations[0], frame_number=np.array(numbers))
    unsure = unsure_above(run, options.uncertainty_threshold)
    threshold = THRESHOLD if options.threshold is None else options.threshold
    settings = {"threshold": threshold} | ({} if unsure is None else {"uncertainty_threshold": unsure})
    files, told = one.picture_files(0), picture_notes([one])
    pictures = _pictures([file for file in files if one.picture_size(file) is not None])
    if pictures is None and files:  # a model of boxes or of stored features needs none
        told = [f"none of its pictures is there, so {page} shows none"]
    if len(set(numbers)) < len(numbers):  # ffmpeg repeats pictures in the gaps of a video
        pictures, told = None, [*told, f"several frames are one picture of the video, so {page} shows no pictures"]
    source = None if pictures is None else path_to(pictures, graph)
    of_graph = (*graph_notes(run), *((f"{run.options.remark}.",) if run.options.remark else ()))
    made_by = replace(origin_of(run, trained, settings=settings), source=source, notes=of_graph)
    predicted = replace(over_time(to_graph(annotation, prediction, threshold, unsure)), made_by=made_by)
    write_graph(graph, predicted)
    shown, truth = surest(predicted), annotated_graph(annotation)
    show(page, shown, truth, pictures, notes=notes, opens=best_moment(shown, truth) if at_best else None)
    return Predicted(annotation.video_id, graph, page, (*told, *graph_notes(run)))


def _check_own(file: Path, dataset: str, video_id: str) -> None:
    """Raises ConfigError if a graph is there that is not one of this video."""
    if not file.exists():
        return
    try:
        there = read_graph(file)
    except DataError as error:
        raise ConfigError(f"{error} Remove it, use another -o, or make it again with -overwrite True.") from error
    if (there.dataset, there.video_id) != (dataset, video_id):
        raise ConfigError(f"{file} is the graph of another video, {there.video_id!r} ({there.dataset}); {REMEDY}")


def _pictures(files: Sequence[Location]) -> Location | None:
    """The folder of the dumped frames if all are pictures, else the video, which has all of
    them."""
    video = next((file for file in files if file.suffix.lower() not in PICTURES), None)
    return video or (files[0].parent if files else None)
