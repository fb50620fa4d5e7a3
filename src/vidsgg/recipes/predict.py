"""Graphs of annotated videos by a trained model, and a page to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from vidsgg.datasets.base import Subset
from vidsgg.inference.graphs import to_graph
from vidsgg.io.graphs import write_graph
from vidsgg.ops.decoding import decode
from vidsgg.recipes.build import build_loader, resolve_data_path
from vidsgg.recipes.evaluate import load_model, open_split, read_run
from vidsgg.recipes.options import PredictOptions
from vidsgg.viewer.page import write_page


@dataclass(frozen=True)
class Predicted:
    """The files written for one video."""

    video_id: str
    graph: Path
    page: Path


def run_prediction(options: PredictOptions) -> Predicted:
    """Predict one video of a data set and write its graph (JSON) and its page (HTML)."""
    file, content, trained_options = read_run(Path(options.checkpoint))
    root = resolve_data_path(options.data_path or trained_options.data_path)
    dataset = open_split(root, trained_options.mode, options.split, datasize="large", skip_bad=False)
    index = dataset.find(options.video)
    trained = load_model(file, content, trained_options, dataset.schema, options.device)
    one = Subset(dataset, [index])
    loader = build_loader(one, trained_options.mode, trained.extractor, trained.device, batch_size=1, workers=0, skip_bad=False)
    (batch,) = loader.batches()
    with torch.inference_mode():
        (prediction,) = decode(batch.clip, trained.model(batch.clip), exclusive=trained_options.exclusive_decoding)
    annotation = batch.annotations[0]
    folder = Path(options.out) if options.out else file.parent
    stem = annotation.video_id.removesuffix(".mp4")
    graph, page = folder / f"{stem}.graph.json", folder / f"{stem}.html"
    write_graph(graph, to_graph(annotation, prediction))
    images = one.images(0) if one.schema.has_frames else None
    write_page(page, annotation=annotation, prediction=prediction, images=images)
    return Predicted(annotation.video_id, graph, page)
