"""How fast detectors are, in pictures a second, beside onnxruntime's bare loop.

``python -m benchmarks.detectors [-seconds 4] [-onnx FILE ...] [-names NAME,...]``: every detector
looks at the same pictures of 640 x 360 (random values, random weights where none are at hand: what
they see decides nothing but suppression), first with one thread, then with two; each row is the
median of three rounds. Of an ONNX file there is also the bare loop: the same network on an input
that is ready, without scaling, decoding and suppression. All rows of a call run one after the other
in one process, so that they can be compared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
import torch

from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.detectors.onnx_detector import OnnxDetector
from vidsgg.detectors.torchvision_zoo import ZOO, TorchvisionBoxes
from vidsgg.io.images import Image

CLASSES = SCHEMA.vocabulary.objects
SIZE = (360, 640)
ROUNDS = 3


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("-onnx", nargs="*", default=[], metavar="FILE")
    parser.add_argument("-names", default=",".join(ZOO), help="of torchvision's, with commas between them")
    options = parser.parse_args(argv)
    rs = np.random.RandomState(0)
    coarse = rs.randint(0, 256, (8, SIZE[0] // 20, SIZE[1] // 20, 3)).astype(np.uint8)
    pictures = list(coarse.repeat(20, 1).repeat(20, 2))
    print("| detector | one thread | two threads |\n|---|---:|---:|", flush=True)
    for file in map(Path, options.onnx):
        _row(f"{file.name}, bare loop", lambda threads, file=file: _bare(file), pictures, options.seconds)
        _row(file.name, lambda threads, file=file: _one_by_one(OnnxDetector(file, CLASSES)), pictures, options.seconds)
    for name in filter(None, options.names.split(",")):
        _row(name, lambda threads, name=name: _one_by_one(TorchvisionBoxes(name, CLASSES)), pictures, options.seconds)


def _row(name: str, make: Callable[[int], Callable[[Image], object]], pictures: list[Image], seconds: float) -> None:
    rates = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        look = make(threads)
        look(pictures[0])
        rates.append(median(_rate(look, pictures, seconds) for _ in range(ROUNDS)))
    print(f"| {name} | {rates[0]:.2f} | {rates[1]:.2f} |", flush=True)


def _rate(look: Callable[[Image], object], pictures: list[Image], seconds: float) -> float:
    """Pictures a second."""
    begin, count = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        look(pictures[count % len(pictures)])
        count += 1
    return count / (time.perf_counter() - begin)


def _one_by_one(detector: OnnxDetector | TorchvisionBoxes) -> Callable[[Image], object]:
    return lambda picture: detector.find([picture])


def _bare(file: Path) -> Callable[[Image], object]:
    detector = OnnxDetector(file, CLASSES)
    ready = detector.input([np.zeros((*SIZE, 3), np.uint8)])[0].numpy()
    session, name = detector.session, detector.session.get_inputs()[0].name
    return lambda picture: session.run(None, {name: ready})


if __name__ == "__main__":
    main()
