"""Memory and time of the models on frames with 64 boxes, any of which may be a subject: ``python -m
benchmarks.crowded``.

Each case runs in a process of its own: one clip of 2 frames with 64 boxes, random features as wide
as those of ``c4-small``, models of their default widths. Time is the processor's, on one thread;
memory is the process's peak less what it held before, with model and clip.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from benchmarks.command import command
from benchmarks.peak import peak_mib
from vidsgg.cli.command_line import parse
from vidsgg.datasets.relation_sets import relation_schema
from vidsgg.methods.registry import find_method
from vidsgg.ops.candidates import with_candidates
from vidsgg.ops.masks import union_masks
from vidsgg.options import option
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.clip import Clip
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup
from vidsgg.structures.widths import FeatureWidths

NODE, UNION = 512, 256  # channels of c4-small
_CLASSES = tuple(f"c{i}" for i in range(20))
_PREDICATES = tuple(f"p{i}" for i in range(20))


@dataclass(frozen=True)
class CrowdedOptions:
    models: str = option("sttran,tempura,dsgdetr", "models, with commas between them")
    limits: str = option("512,2048", "values of -max_pairs, with commas between them; 0: all 4,032")
    boxes: int = option(64, "boxes of a frame", low=2)
    frames: int = option(2, "frames of the clip", low=2)


def crowded_clip(boxes: int, frames: int, limit: int) -> Clip:
    """A clip with a label for every fourth pair in both directions, with features for the pairs that
    the limit leaves."""
    rng = np.random.default_rng(0)
    groups = (PredicateGroup("relation", _PREDICATES, kind="multi"),)
    schema = replace(relation_schema("crowd", "a crowd", (BACKGROUND, *_CLASSES), _CLASSES, groups), max_pairs=limit)
    nodes = boxes * frames
    corner, side = rng.uniform(0, 500, (nodes, 2)), rng.uniform(10, 120, (nodes, 2))
    frame = np.repeat(np.arange(frames), boxes)
    first = np.flatnonzero(np.arange(nodes) % boxes < boxes - 1)[::4]
    labels = rng.random((len(first), len(_PREDICATES))) < 0.1
    labels[:, 0] |= ~labels.any(1)
    annotation = VideoAnnotation(
        schema=schema, video_id="v", source_id="v", split="train", fps=None,
        frame_key=tuple(map(str, range(frames))), frame_number=np.arange(1, frames + 1), frame_unit=np.arange(frames),
        frame_slot=np.zeros(frames), frame_size=np.full((frames, 2), 640.0),
        node_box=np.concatenate([corner, corner + side], 1), node_class=rng.integers(1, len(_CLASSES) + 1, nodes),
        node_frame=frame, node_identity=np.tile(np.arange(boxes), frames), action_class=np.zeros(0),
        pair_subject=first, pair_object=first + 1, pair_frame=frame[first], labels={"relation": labels},
    )  # fmt: skip
    clip = with_candidates(Clip.from_annotation(annotation, "predcls"))
    pair_box = clip.node_box[clip.pair_subject], clip.node_box[clip.pair_object]
    return replace(
        clip,
        node_feature=torch.randn(clip.nodes, NODE),
        pair_union=torch.randn(clip.pairs, UNION, 7, 7),
        pair_mask=union_masks(*pair_box) - 0.5,
    )


def measure(name: str, limit: int, boxes: int, frames: int) -> tuple[int, float, float, float, float]:
    """Pairs of a frame; seconds and MiB of a forward pass; seconds and MiB of a training step."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    clip = crowded_clip(boxes, frames, limit)
    method = find_method(name)
    options = method.options(model=name)
    model = method.build(clip.schema, FeatureWidths(node=NODE, union=UNION), options)
    criterion = method.criterion(clip.schema, options)
    before = peak_mib()

    def forward() -> None:
        model.eval()
        with torch.inference_mode():
            model(clip)

    def step() -> None:
        model.train()
        criterion(model(clip), clip)["total"].backward()

    scored = _timed(forward)
    seen = peak_mib() - before
    learnt = _timed(step)
    return clip.pairs // frames, scored, seen, learnt, peak_mib() - before


def _timed(run: Callable[[], None]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def main(argv: Sequence[str] = ()) -> None:
    options = parse(CrowdedOptions, argv, prog="benchmarks.crowded", description=__doc__)
    print("| model | -max_pairs | pairs a frame | forward, s | MiB | training step, s | MiB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    context = multiprocessing.get_context("spawn")
    for name in options.models.split(","):
        for limit in map(int, options.limits.split(",")):
            with context.Pool(1) as pool:
                result: Any = pool.apply(measure, (name, limit, options.boxes, options.frames))
            pairs, scored, seen, learnt, held = result
            print(
                f"| {name} | {limit} | {pairs:,} | {scored:.1f} | {seen:,.0f} | {learnt:.1f} | {held:,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    command("benchmarks.crowded", main)
