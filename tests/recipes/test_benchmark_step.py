"""What ``benchmarks.step`` counts and how it shares out time, on small tensors."""

from __future__ import annotations

from itertools import count

import torch
from torch import nn

from benchmarks.step import Timing, moved, parts

STEP = 0.25  # seconds between two looks at the clock


def test_seconds_and_arithmetic_are_counted_by_part_in_both_directions() -> None:
    ticks = count()
    timing = Timing(lambda: STEP * next(ticks))
    layer, given = nn.Linear(5, 7), torch.ones(3, 5, requires_grad=True)
    with timing:
        nn.functional.layer_norm(layer(given), (7,)).square().sum().backward()
    products = 3  # one forward, two backward
    assert timing.operations == {"products": products * 2 * 3 * 5 * 7}
    assert timing.seconds["products"] == products * STEP
    assert timing.seconds["normalisations"] == 2 * STEP
    assert timing.seconds["the rest"] > 0


def test_shares_are_of_the_two_limits() -> None:
    found = {
        "seconds": {"products": 2.0, "the rest": 1.0},
        "operations": {"products": 200e9},
        "batches": {"1": {"after": 9.0}, "4": {"after": 4.0}},
        "parameters": 1_000_000_000,
    }
    assert moved("O0", 1_000_000_000) == 40
    assert moved("O2", 1_000_000_000) == 30
    assert parts("O0", found, sgemm=400.0, copy=20.0).splitlines() == [
        "| float32 | products | 2.000 | 100 GFLOP/s | 25 % |",
        "| float32 | the rest | 1.000 | - | - |",
        "| float32 | norm, clipping and update | 4.000 | 10.0 GB/s | 50 % |",
    ]
