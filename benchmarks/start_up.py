"""What commands cost before they work: CPU seconds beside those of ``import torch``, in one run.

    python -m benchmarks.start_up [-times 3]

Each is the best of so many processes, taken in turn.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile

COMMAND = "import sys; from vidsgg.cli.main import main; sys.exit(main(sys.argv[1:]))"
DETECTOR = """
import numpy as np, torch
import vidsgg.recipes.predict_video
from vidsgg.assembly.detectors import build_detector
from vidsgg.datasets.action_genome import SCHEMA
build_detector("c4-small", SCHEMA, torch.device("cpu"))[0].find([np.zeros((240, 320, 3), np.uint8)])
"""
ROWS = {
    "import torch": ["import torch"],
    "import torchvision": ["import torchvision"],
    "vidsgg --help": [COMMAND, "--help"],
    "vidsgg models": [COMMAND, "models"],
    "vidsgg train -h": [COMMAND, "train", "-h"],
    "a misspelt option (train -lrr 1)": [COMMAND, "train", "-lrr", "1"],
    "a missing video (predict nowhere.mp4)": [COMMAND, "predict", "nowhere.mp4"],
    "a missing checkpoint (evaluate -checkpoint nowhere)": [COMMAND, "evaluate", "-checkpoint", "nowhere"],
    "a first picture through c4-small": [DETECTOR],
}


def spent(words: list[str], folder: str) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", *words],
        cwd=folder,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-times", type=int, default=3)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory() as folder:
        best = dict.fromkeys(ROWS, float("inf"))
        for _ in range(times):
            for name, words in ROWS.items():
                best[name] = min(best[name], spent(words, folder))
    print("| | CPU s | against import torch |\n|---|---:|---:|")
    for name, seconds in best.items():
        print(f"| {name} | {seconds:.2f} | {seconds / best['import torch']:.2f} |")


if __name__ == "__main__":
    main()
