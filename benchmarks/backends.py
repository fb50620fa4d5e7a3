"""What backends and bfloat16 change: in detections, in features and in the recall of trained models.

``python -m benchmarks.backends [-demo demo] [-choices torch:bf16,...]`` reads what ``vidsgg demo`` has
left in a folder: synthetic data, a trained c4-small, and STTran trained on its features in float32 by
torch. The test videos are looked at and scored again with each choice of -backend and -precision.
Detections are compared one by one: a box is found again where the other list has one of its class
in its frame that covers it by half or more (IoU). Features are those of the annotated boxes
(relative difference, Euclidean norm).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vidsgg.assembly.data import open_split
from vidsgg.assembly.detectors import BEST, build_detector
from vidsgg.datasets.base import VideoDataset
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.base import FRAMES_AT_ONCE, FoundBoxes, RegionDetector
from vidsgg.engine.fit_detector import score_detector
from vidsgg.engine.frames import FrameLoader
from vidsgg.ops.boxes import pairwise_iou
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.structures.schema import MODES


def measure(demo: Path, place: Path, choices: Sequence[Inference]) -> None:
    """Prints a Markdown table, row by row. place: for what evaluations write."""
    test = open_split(demo / "data", "sgdet", "test", datasize="large", skip_bad=False)
    runs = {mode: demo / f"sttran_{mode}" for mode in MODES if (demo / f"sttran_{mode}").is_dir()}
    head = ["computed by", "mAP50", "boxes", "found again", "mean IoU", "mean change of a score", "features off"]
    head += [f"{mode}: R@20 ({constraint})" for mode in runs for constraint in ("with", "no")]
    print(f"| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}", flush=True)
    plain: tuple[list[FoundBoxes], Tensor] | None = None
    for choice in (TORCH, *choices):
        file = str(demo / "detector" / BEST)
        detector, _ = build_detector(file, test.schema, torch.device("cpu"), inference=choice)
        score = score_detector(detector, FrameLoader(test, FRAMES_AT_ONCE), str(choice))
        found, features = looked_at(detector, test)
        plain = plain or (found, features)
        again, overlap, change = compared(plain[0], found)
        off = float((features - plain[1]).norm() / plain[1].norm())
        boxes = sum(len(one.box) for one in found)
        cells = [str(choice), f"{100 * score.map50:.2f}", f"{boxes}", f"{again}", f"{overlap:.4f}", f"{change:.4f}"]
        cells.append(f"{100 * off:.2g} %")
        for mode, run in runs.items():
            result = run_evaluation(
                EvaluateOptions(
                    checkpoint=str(run),
                    data_path=str(demo / "data"),
                    backend=choice.backend,
                    precision=choice.precision,
                    features="off",
                    device="cpu",
                    save_path=str(place / f"{choice} {mode}"),
                    charts=False,
                )
            ).result
            cells += [f"{100 * result.value(constraint, 20):.2f}" for constraint in ("with", "no")]
        print(f"| {' | '.join(cells)} |", flush=True)


@torch.no_grad()
def looked_at(detector: RegionDetector, dataset: VideoDataset) -> tuple[list[FoundBoxes], Tensor]:
    """What is found in every video, and the features of all annotated boxes."""
    found, features = [], []
    for index in range(len(dataset)):
        images, annotation = dataset.images(index), dataset.annotation(index)
        found.append(detector.find(images))
        maps = detector.encode(images, detector.canvas(images))
        frame, box = (torch.from_numpy(np.array(column)) for column in (annotation.node_frame, annotation.node_box))
        features.append(detector.embed(detector.pool(maps, frame, box)))
    return found, torch.cat(features)


def compared(before: Sequence[FoundBoxes], after: Sequence[FoundBoxes]) -> tuple[int, float, float]:
    """Of the boxes before how many are found again, how much those are covered and how much their
    scores differ, on average."""
    overlaps, changes = [], []
    for old, new in zip(before, after, strict=True):
        alike = (old.frame[:, None] == new.frame) & (old.klass[:, None] == new.klass)
        shared = torch.from_numpy(pairwise_iou(old.box.numpy(), new.box.numpy(), inclusive=False)) * alike
        overlap, place = shared.max(dim=1)
        again = overlap >= 0.5
        overlaps.append(overlap[again])
        changes.append((old.score - new.score[place]).abs()[again])
    overlap, change = torch.cat(overlaps), torch.cat(changes)
    return len(overlap), float(overlap.mean()), float(change.mean())


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-demo", type=Path, default=Path("demo"), help="folder of 'vidsgg demo'")
    parser.add_argument("-choices", default="torch:bf16,onnx:fp32,openvino:fp32,openvino:bf16")
    options = parser.parse_args(argv)
    choices = [Inference(*words.split(":")) for words in options.choices.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        measure(options.demo, Path(folder), choices)


if __name__ == "__main__":
    main()
