"""One training epoch of STTran (PredCLS) at full width on ResNet-101 C4: with stored features, with
the detector on the fly, and in the pattern of the original code.

``python -m benchmarks.epoch [--videos 3]``. Synthetic videos, untrained weights of the published
architecture (speed does not depend on them), batch 1, CPU, 2 threads. All rows take the same
optimiser steps over the same videos.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.plain_pipeline import PlainDetector, plain_losses
from benchmarks.plain_sttran import PlainSTTran
from vidsgg.datasets.base import Subset, VideoDataset
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate
from vidsgg.detectors.extraction import ClipExtractor
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.features.key import StoreKey
from vidsgg.features.store import FeatureStore, default_folder
from vidsgg.features.stored_clip import RecordSource
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

WIDTHS = FeatureWidths(node=2048, union=1024)


def build(dataset: VideoDataset) -> STTran:
    torch.manual_seed(0)
    return STTran(dataset.schema, WIDTHS, STTranConfig(dropout=0.0)).train()


def epoch_of_ours(dataset: VideoDataset, loader: ClipLoader) -> Callable[[], list[float]]:
    model = build(dataset)
    optimizer, criterion = ReferenceAdamW(model.parameters(), lr=1e-5), RelationCriterion(dataset.schema)

    def epoch() -> list[float]:
        losses = []
        for batch in loader.batches():
            loss = criterion(model(batch.clip), batch.clip)["total"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_gradients(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        return losses

    return epoch


def epoch_of_plain(dataset: VideoDataset, detector: FasterRCNN) -> Callable[[], list[float]]:
    model = PlainSTTran(build(dataset)).train()
    look = PlainDetector(detector)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, foreach=False, fused=False)

    def epoch() -> list[float]:
        losses = []
        for index in range(len(dataset)):
            annotation = dataset.annotation(index)
            clip = look(dataset.images(index), annotation)
            loss = plain_losses(model(clip), annotation)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0, foreach=False)
            optimizer.step()
            losses.append(loss.item())
        return losses

    return epoch


def store_of(folder: Path, dataset: VideoDataset, detector: FasterRCNN) -> FeatureStore:
    key = StoreKey.of(detector, dataset.schema, "predcls")
    extract = ClipExtractor(detector, "predcls", learn=True)
    with FeatureStore.to_write(default_folder(folder, key, "float16"), key, "float16", WIDTHS) as store:
        for index in range(len(dataset)):
            annotation = dataset.annotation(index)
            clip = extract(dataset.images(index), Clip.from_annotation(annotation))
            store.write(clip, RecordSource.of(dataset, index, annotation), learn=True)
    return store


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    videos = int(arguments[arguments.index("--videos") + 1]) if "--videos" in arguments else 3
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder), SyntheticConfig(videos=max(5, 2 * videos)))
        dataset = Subset(open_whole_split(Path(folder), "train", "predcls"), range(videos))
        frames, pairs = (
            sum(getattr(dataset.annotation(i), what) for i in range(videos)) for what in ("frames", "pairs")
        )
        detector = FasterRCNN(DETECTORS["c4-resnet101"], dataset.schema.vocabulary.objects).requires_grad_(False).eval()
        began = time.perf_counter()
        store = store_of(Path(folder), dataset, detector)
        writing = time.perf_counter() - began
        fly = ClipLoader(dataset, "predcls", extractor=ClipExtractor(detector, "predcls", learn=True))
        rows = {
            "features from the store (float16)": epoch_of_ours(
                dataset, ClipLoader(dataset, "predcls", store=store, learn=True)
            ),
            "detector on the fly": epoch_of_ours(dataset, fly),
            "pattern of the original code": epoch_of_plain(dataset, detector),
        }
        print(f"{videos} videos, {frames} frames, {pairs} pairs; writing the store took {writing:.1f} s\n")
        print("| one epoch | seconds | against the store | losses |")
        print("| --- | ---: | ---: | --- |")
        fastest = 0.0
        for name, epoch in rows.items():
            began = time.perf_counter()
            losses = epoch()
            seconds = time.perf_counter() - began
            # short enough for the first steps to count; the losses shown are those of all rows'
            # first epoch
            if not fastest:
                began = time.perf_counter()
                epoch()
                seconds = time.perf_counter() - began
            fastest = fastest or seconds
            print(
                f"| {name} | {seconds:.1f} | {seconds / fastest:.1f} | {', '.join(f'{loss:.4f}' for loss in losses)} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
