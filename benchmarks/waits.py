"""What a user waits for, in one table.

    python -m benchmarks.waits [-scale 1] [-videos 4]

Processor time of one thread, so that other programs count little; two idle cores take half of it at
best. Rows of a whole Action Genome are arithmetic, said in the
last column: measured rates times its published 7,790 training videos, 198,827 training frames and
1,750 test videos of 26 frames. Weights are random: speed does not depend on them. The random
videos have 30 frames and 90 pairs (Action Genome: 26 and 55), so an epoch is overestimated.

scale: the share of Action Genome's annotations that is generated to open a data set. videos: steps
and forward passes that are timed.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

import numpy as np
import torch

from benchmarks import loader, metrics, start_up, step
from benchmarks.graphs import long_graph
from benchmarks.sttran import build, random_clip
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.faster_rcnn import DETECTORS, FasterRCNN
from vidsgg.io.graphs import write_graph

TRAIN_VIDEOS, TRAIN_FRAMES, TEST_VIDEOS, TEST_FRAMES = 7_790, 198_827, 1_750, 1_750 * 26
FRAMES_A_SECOND = 2  # predict's own
PICTURES = 6
PAGE_FRAMES = 3_000


class Wait(NamedTuple):
    what: str
    seconds: float
    how: str

    def line(self) -> str:
        return f"| {self.what} | {told(self.seconds)} | {self.how} |"


def told(seconds: float) -> str:
    """Three digits, in the unit that people would use."""
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def seconds_a_picture() -> tuple[float, float]:
    """Of ResNet-101 C4 with a short side of 600, on a picture of 640 x 360: what it sees, with the
    features of that (SGDET), and the features of four given boxes (PredCLS)."""
    detector = FasterRCNN(DETECTORS["c4-resnet101"], SCHEMA.vocabulary.objects).requires_grad_(False).eval()
    rng = np.random.default_rng(0)
    box = torch.tensor([[40.0, 40.0, 300.0, 340.0]]).repeat(4, 1)
    found, given = [], []
    with torch.inference_mode():
        for _ in range(PICTURES):
            picture = rng.integers(0, 256, (360, 640, 3), dtype=np.uint8)
            began = time.process_time()
            maps = detector.encode([picture], detector.canvas([picture]))
            encoded = time.process_time()
            detector.detect(maps)
            detected = time.process_time()
            detector.embed(detector.pool(maps, torch.zeros(4, dtype=torch.int64), box))
            found.append(detected - began)
            given.append(encoded - began + time.process_time() - detected)
    return median(found), median(given)


def seconds_of_a_forward(videos: int) -> float:
    """Of STTran at full width on a random video."""
    model, _ = build("ours")
    spent = []
    with torch.inference_mode():
        for seed in range(videos + 1):
            clip = random_clip(seed)
            began = time.process_time()
            model.eval()(clip)
            spent.append(time.process_time() - began)
    return median(spent[1:])


def recall_of_a_frame() -> float:
    """Processor seconds of every recall of PredCLS, a frame with four boxes."""
    rng = np.random.default_rng(0)
    videos = [metrics.random_video(SCHEMA, rng, f"video {i}", 4, 4, True) for i in range(60)]
    protocol = metrics.protocol_for(SCHEMA, "predcls")
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        metrics.ours(videos, protocol)
        best = min(best, time.process_time() - began)
    return best / (60 * metrics.FRAMES)


def waits(scale: float, videos: int) -> list[Wait]:
    """Every row, each measured now."""
    torch.set_num_threads(1)
    seeing, describing = seconds_a_picture()
    timed = step.measure("O0", step.StepOptions(steps=videos, batches="1,4"))["batches"]
    steps = {int(batch): found["seconds"] / int(batch) for batch, found in timed.items()}
    forward = seconds_of_a_forward(videos)
    recall = recall_of_a_frame()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        loader.write_pickles(root / "ag", scale)
        opened = {what: seconds for what, seconds, _ in loader.measure(root / "ag")}
        graph = root / "long.graph.json"
        write_graph(graph, long_graph(PAGE_FRAMES))
        help_seconds = start_up.spent([start_up.COMMAND, "--help"], folder)
        page = start_up.spent([start_up.COMMAND, "view", str(graph), "-o", str(root / "page")], folder)
        if not (root / "page").exists():
            raise SystemExit(f"vidsgg view wrote no {root / 'page'}")
    of_frame = forward / 30
    return [
        Wait("`vidsgg --help`", help_seconds, "the whole process"),
        Wait(
            "a second of video, full-width STTran behind ResNet-101",
            FRAMES_A_SECOND * (seeing + of_frame),
            f"{FRAMES_A_SECOND} frames: {seeing:.2f} s each for the detector, {of_frame:.3f} s for the relations",
        ),
        Wait(
            "features of Action Genome's training boxes, once",
            TRAIN_FRAMES * describing,
            f"{TRAIN_FRAMES:,} frames x {describing:.2f} s",
        ),
        *(
            Wait(
                f"an epoch of Action Genome from them, batch {batch}",
                TRAIN_VIDEOS * step,
                f"{TRAIN_VIDEOS:,} videos x {step:.3f} s",
            )
            for batch, step in steps.items()
        ),
        Wait(
            "an evaluation on its test videos",
            TEST_VIDEOS * forward + TEST_FRAMES * recall,
            f"{TEST_VIDEOS:,} videos x {forward:.3f} s; all recalls: {1000 * TEST_FRAMES * recall:.0f} ms in total",
        ),
        Wait(
            "opening Action Genome, the first time",
            opened["cold, train, predcls"],
            f"by the clock; {'all' if scale == 1 else f'{scale:g}'} of its annotations",
        ),
        Wait("opening it again", opened["warm, train, predcls"], "by the clock; from the cache"),
        Wait(f"a page of {PAGE_FRAMES:,} frames", page, "`vidsgg view`, processor time of the whole process"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-scale", type=float, default=1.0)
    parser.add_argument("-videos", type=int, default=4)
    given = parser.parse_args()
    print("| what | takes | how |\n|---|---:|---|")
    for wait in waits(given.scale, given.videos):
        print(wait.line())


if __name__ == "__main__":
    main()
