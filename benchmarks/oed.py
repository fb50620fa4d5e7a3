"""Where OED's time goes: the parts of the published SGDET model on one frame, without gradients.

``python -m benchmarks.oed``. Processor time of this process, so that other programs do not count.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.models.configs import OedConfig
from vidsgg.models.oed.oed import Oed
from vidsgg.models.oed.transformer import sine_map
from vidsgg.options import option


@dataclass(frozen=True)
class OedBenchmarkOptions:
    width: int = option(800, "pixels of the resized picture", low=32, high=10_000)
    height: int = option(600, "pixels of the resized picture", low=32, high=10_000)
    repeats: int = option(3, "times that every part runs", low=1, high=1000)


def seconds(part: Callable[[], Any], repeats: int) -> float:
    """Processor time of one run, after one that is not counted."""
    part()
    began = time.process_time()
    for _ in range(repeats):
        part()
    return (time.process_time() - began) / repeats


@torch.no_grad()
def shares(options: OedBenchmarkOptions) -> dict[str, float]:
    """Seconds of every part for a frame that two others refine, whose own features are known."""
    torch.manual_seed(0)
    config = OedConfig()
    model = Oed(SCHEMA, config, "sgdet", temporal=True).eval()
    network = model.network
    assert network.query_embed is not None
    picture = torch.rand(1, 3, options.height, options.width)
    features = model.backbone(picture)
    padding = torch.zeros(1, *features.shape[-2:], dtype=torch.bool)
    position, hidden = sine_map(padding, config.hidden_dim), padding.flatten(1)
    cells = network.input_proj(features).flatten(2).transpose(1, 2)
    memory = network.encoder(cells, position, hidden)
    query = network.query_embed.weight[None]
    seen = (memory, memory + position, hidden)
    both = torch.rand(1 + config.num_ref_frames, config.num_queries, config.hidden_dim)
    parts: dict[str, Callable[[], Any]] = {
        "backbone": lambda: model.backbone(picture),
        "encoder": lambda: network.encoder(cells, position, hidden),
        "instance decoder": lambda: network.instance_decoder(torch.zeros_like(query), query, *seen),
        "relation decoder": lambda: network.relation_decoder(torch.zeros_like(query), query, *seen),
        "refinement": lambda: network.temporal(both, both),
    }
    return {name: seconds(part, options.repeats) for name, part in parts.items()}


def main(argv: Sequence[str]) -> None:
    options = parse(OedBenchmarkOptions, argv, prog="benchmarks.oed", description=__doc__)
    torch.set_num_threads(1)
    found = shares(options)
    total = sum(found.values())
    for name, took in found.items():
        print(f"{name}: {took:.3f} s, {100 * took / total:.0f} %")


if __name__ == "__main__":
    main(sys.argv[1:])
