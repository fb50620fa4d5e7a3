"""How fast detectors are, in pictures a second, beside onnxruntime's bare loop.

``python -m benchmarks.detectors [-seconds 4] [-onnx FILE ...] [-names NAME,...] [-of NAME,...]
[-backends torch:fp32,...] [-threads 1,2]``: every detector looks at the same pictures of 640 x 360
(random values, random weights where none are at hand: what they see decides nothing but
suppression), first with one thread, then with two; each row is the median of three rounds. Of an
ONNX file there is also the bare loop: the same network on an input that is ready, without scaling,
decoding and suppression. All rows of a call run one after the other in one process, so that they
can be compared.

The second table has a row for each detector of ``-of`` with each of ``-backends``. Processor
seconds, with the first number of ``-threads``, change little where other work keeps the machine
busy. The first use exports, compiles, compares with torch and looks at a picture; a compiler's own
processes are not counted. Features are those of four boxes, compared with torch's in float32
(relative difference, Euclidean norm).
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
from vidsgg.detectors.backends.choice import TORCH, Inference
from vidsgg.detectors.backends.parts import choose_backend
from vidsgg.detectors.base import BoxDetector, RegionDetector
from vidsgg.detectors.faster_rcnn import FasterRCNN
from vidsgg.detectors.names import C4, FPN, NAMES, ZOO
from vidsgg.detectors.onnx_detector import OnnxDetector
from vidsgg.detectors.torchvision_fpn import TorchvisionFPN
from vidsgg.detectors.torchvision_zoo import TorchvisionBoxes
from vidsgg.io.images import Image

CLASSES = SCHEMA.vocabulary.objects
SIZE = (360, 640)
ROUNDS = 3
CPU = torch.device("cpu")


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("-onnx", nargs="*", default=[], metavar="FILE")
    parser.add_argument("-names", default=",".join(NAMES[ZOO]), help="of torchvision's, with commas between them")
    parser.add_argument("-threads", default="1,2", help="of the second table; 1 alone on a machine that has other work")
    parser.add_argument("-of", default="c4-small,c4-resnet101", help="detectors whose backends are compared")
    parser.add_argument("-backends", default="torch:fp32,torch:bf16,compile:fp32,onnx:fp32,openvino:fp32,openvino:bf16")
    options = parser.parse_args(argv)
    rs = np.random.RandomState(0)
    coarse = rs.randint(0, 256, (8, SIZE[0] // 20, SIZE[1] // 20, 3)).astype(np.uint8)
    pictures = list(coarse.repeat(20, 1).repeat(20, 2))
    if options.onnx or options.names:
        print("| detector | one thread | two threads |\n|---|---:|---:|", flush=True)
    for file in map(Path, options.onnx):
        _row(f"{file.name}, bare loop", lambda threads, file=file: _bare(file), pictures, options.seconds)
        _row(file.name, lambda threads, file=file: _one_by_one(OnnxDetector(file, CLASSES)), pictures, options.seconds)
    for name in filter(None, options.names.split(",")):
        _row(name, lambda threads, name=name: _one_by_one(TorchvisionBoxes(name, CLASSES)), pictures, options.seconds)
    choices = [Inference(*words.split(":")) for words in options.backends.split(",")]
    threads = [int(word) for word in options.threads.split(",")]
    if options.of:
        head = ["detector", "computed by", "first use", *(f"pictures a second, threads: {count}" for count in threads)]
        head += ["processor seconds", "torch's divided by them", "features off"]
        print(f"\n| {' | '.join(head)} |\n|---|---|{'---:|' * (len(head) - 2)}", flush=True)
    for name in filter(None, options.of.split(",")):
        _backends(name, choices, threads, pictures, options.seconds)


def _row(name: str, make: Callable[[int], Callable[[Image], object]], pictures: list[Image], seconds: float) -> None:
    rates = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        look = make(threads)
        look(pictures[0])
        rates.append(median(_rate(look, pictures, seconds) for _ in range(ROUNDS)))
    print(f"| {name} | {rates[0]:.2f} | {rates[1]:.2f} |", flush=True)


def _backends(
    name: str, choices: Sequence[Inference], threads: Sequence[int], pictures: list[Image], seconds: float
) -> None:
    """A row for each choice. Whatever is exported or compiled is so before the clock of the rates runs."""
    detector = _untrained(name)
    choose_backend(detector, TORCH, CPU)
    plain, torchs = _features(detector, pictures[0]), None
    for choice in choices:
        rates, spent, first = [], [], []
        for count in threads:
            torch.set_num_threads(count)
            before = time.process_time()
            choose_backend(detector, choice, CPU)
            off = _off(_features(detector, pictures[0]), plain)
            detector.find([pictures[0]])
            first.append(time.process_time() - before)
            rounds = [_spent(detector, pictures, seconds) for _ in range(ROUNDS)]
            rates.append(median(rate for rate, _ in rounds))
            spent.append(median(processor for _, processor in rounds))
        torchs = spent[0] if choice == TORCH else torchs
        faster = "" if torchs is None else f"{torchs / spent[0]:.2f}"
        cells = [name, str(choice), f"{first[0]:.1f}", *(f"{rate:.2f}" for rate in rates), f"{spent[0]:.3f}", faster]
        cells.append("" if off is None else f"{100 * off:.2g} %")
        print(f"| {' | '.join(cells)} |", flush=True)


def _spent(detector: BoxDetector, pictures: list[Image], seconds: float) -> tuple[float, float]:
    """Pictures a second, and seconds of the processor for a picture."""
    begin, before, count = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds or not count:
        detector.find([pictures[count % len(pictures)]])
        count += 1
    return count / (time.perf_counter() - begin), (time.process_time() - before) / count


def _untrained(name: str) -> BoxDetector:
    if name in NAMES[C4]:
        return FasterRCNN.untrained(name, CLASSES, 0, {}).requires_grad_(False).eval()
    if name in NAMES[FPN]:
        return TorchvisionFPN.untrained(name, CLASSES, 0, {}).requires_grad_(False).eval()
    return TorchvisionBoxes(name, CLASSES)


@torch.no_grad()
def _features(detector: BoxDetector, picture: Image) -> torch.Tensor | None:
    """Of four boxes of a picture."""
    if not isinstance(detector, RegionDetector):
        return None
    maps = detector.encode([picture], detector.canvas([picture]))
    box = torch.tensor([[0.0, 0, 640, 360], [50, 40, 200, 300], [300, 20, 420, 330], [500, 100, 560, 180]])
    return detector.embed(detector.pool(maps, torch.zeros(len(box), dtype=torch.long), box))


def _off(given: torch.Tensor | None, plain: torch.Tensor | None) -> float | None:
    return None if given is None or plain is None else float((given - plain).norm() / plain.norm())


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
