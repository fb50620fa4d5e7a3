"""What OED costs: the parts of the published SGDET model on one frame, and its training steps beside those of methods
that read stored features.

``python -m benchmarks.oed``. One thread. Parts run without gradients, in processor time of this process, so that
other programs do not count. Every training step runs in a process of its own, so that peak memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from benchmarks.command import command
from benchmarks.peak import peak_mib
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.losses.criterion import Criterion
from vidsgg.losses.oed import OedCriterion
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import DsgDetrConfig, OedConfig, STTranConfig
from vidsgg.models.dsgdetr import DsgDetr
from vidsgg.models.oed.oed import Oed
from vidsgg.models.oed.transformer import sine_map
from vidsgg.models.sttran import STTran
from vidsgg.options import option
from vidsgg.structures.clip import Clip

STEPS = ("STTran", "DSG-DETR", "OED, stage 1", "OED, stage 2")
PICTURE = (270, 480)  # height and width of Action Genome's most common pictures
MAX_FRAMES = 20  # that every random clip has


@dataclass(frozen=True)
class OedBenchmarkOptions:
    width: int = option(800, "pixels of the resized picture of the parts", low=32, high=10_000)
    height: int = option(600, "pixels of the resized picture of the parts", low=32, high=10_000)
    repeats: int = option(3, "times that every part runs", low=1, high=1000)
    frames: int = option(2, "frames of a step of stage 1; the published models learnt from 8", low=1, high=MAX_FRAMES)
    steps: int = option(1, "training steps that are measured, after one that is not; 0: none", low=0, high=1000)
    row: str | None = option(None, "measure the steps of this model only, and print them as JSON", choices=STEPS)


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


def learner(name: str, frames: int) -> tuple[torch.nn.Module, Criterion]:
    """A model of published size, as it learns."""
    torch.manual_seed(0)
    if name == "STTran":
        return STTran(SCHEMA, WIDTHS, STTranConfig()).train(), RelationCriterion(SCHEMA)
    if name == "DSG-DETR":
        return DsgDetr(SCHEMA, WIDTHS, DsgDetrConfig(), "predcls").train(), RelationCriterion(SCHEMA)
    oed = Oed(SCHEMA, OedConfig(), "sgdet", temporal=True, frames_per_video=frames)
    if name == "OED, stage 2":
        oed.begin_temporal_stage()
    oed.learn(keep_stem=True)
    return oed.train(), OedCriterion(SCHEMA, given=False)


def pictured(clip: Clip) -> Clip:
    """The clip as OED reads it."""
    generator = torch.Generator().manual_seed(0)
    pictures = [torch.randint(256, (*PICTURE, 3), generator=generator, dtype=torch.uint8) for _ in range(clip.frames)]
    return replace(clip, pictures=tuple(pictures), node_target=clip.node_class)


def measure(name: str, options: OedBenchmarkOptions) -> dict[str, float]:
    """Processor time of a training step in seconds, the frames that it learns from, and peak memory
    in MiB."""
    clip = random_clip(1)
    clip = pictured(clip) if name.startswith("OED") else clip
    model, criterion = learner(name, options.frames)
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = ReferenceAdamW(weights, lr=1e-5)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        criterion(model(clip), clip)["total"].backward()
        clip_gradients(weights, 5.0)
        optimizer.step()

    took = seconds(step, options.steps)
    frames = {"OED, stage 1": options.frames, "OED, stage 2": 1}.get(name, clip.frames)
    peak = peak_mib()
    return {"seconds": took, "frames": frames, "peak": peak}


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown; ratios are those of STTran's seconds a frame."""
    lines = ["| training step | frames | s a step | s a frame | of STTran's | peak MiB |"]
    lines.append("| --- |" + " ---: |" * 5)
    base = found["STTran"]["seconds"] / found["STTran"]["frames"]
    for name, row in found.items():
        each = row["seconds"] / row["frames"]
        lines.append(
            f"| {name} | {row['frames']:.0f} | {row['seconds']:.2f} | {each:.3f} | {each / base:.0f}x |"
            f" {row['peak']:.0f} |"
        )
    return "\n".join(lines)


def main(argv: Sequence[str]) -> None:
    options = parse(OedBenchmarkOptions, argv, prog="benchmarks.oed", description=__doc__)
    torch.set_num_threads(1)
    if options.row is not None:
        print(json.dumps(measure(options.row, options)))
        return
    if options.steps:
        rows = {}
        for name in STEPS:  # first, while this process is small: its children inherit its peak
            command = [sys.executable, "-m", "benchmarks.oed", *argv, "-row", name]
            rows[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(table(rows), end="\n\n")
    found = shares(options)
    total = sum(found.values())
    for name, took in found.items():
        print(f"{name}: {took:.3f} s, {100 * took / total:.0f} %")


if __name__ == "__main__":
    command("benchmarks.oed", main)
