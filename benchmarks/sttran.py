"""STTran at full width on random features: seconds per video and peak memory of a training step and
an evaluation forward.

``python -m benchmarks.sttran [--quick]``. 20 videos of 20-40 frames with 1-5 pairs a frame, CPU, 2
threads. Every row runs in a process of its own, so that peak memory is its own. "plain" is a
straightforward implementation of the same network in the style of the original (padded frames and
windows, everything computed, unfused optimiser), checked to give the same numbers.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.peak import peak_mib
from benchmarks.plain_sttran import PlainSTTran
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.ops.bfloat16 import has_bfloat16
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

WIDTHS = FeatureWidths(node=2048, union=1024)
VIDEOS = 20


def random_clip(seed: int) -> Clip:
    """A video of 20-40 frames with a person and 1-5 objects each, features as a ResNet-101 C4 gives
    them in shape."""
    rng = np.random.default_rng(seed)
    pairs_of = rng.integers(1, 6, rng.integers(20, 41))
    frames, pairs = len(pairs_of), int(pairs_of.sum())
    pair_frame = np.repeat(np.arange(frames), pairs_of)
    node_frame = np.repeat(np.arange(frames), pairs_of + 1)
    person = np.cumsum(pairs_of + 1) - (pairs_of + 1)
    objects = np.setdiff1d(np.arange(frames + pairs), person)
    low = rng.uniform(0, 200, (frames + pairs, 2))
    generator = torch.Generator().manual_seed(seed)
    labels = {}
    for group in SCHEMA.vocabulary.groups:
        hot = torch.zeros(pairs, len(group), dtype=torch.bool)
        hot[torch.arange(pairs), torch.randint(len(group), (pairs,), generator=generator)] = True
        labels[group.name] = hot
    node_class = torch.randint(2, len(SCHEMA.vocabulary.objects), (frames + pairs,), generator=generator)
    node_class[torch.from_numpy(person)] = 1
    return Clip(
        schema=SCHEMA,
        video_ids=(f"random{seed}",),
        frame_video=torch.zeros(frames, dtype=torch.int64),
        frame_unit=torch.arange(frames),
        frame_slot=torch.zeros(frames, dtype=torch.int64),
        frame_size=torch.tensor([[480.0, 270.0]]).repeat(frames, 1),
        node_box=torch.from_numpy(np.concatenate([low, low + rng.uniform(10, 70, low.shape)], 1)).float(),
        node_class=node_class,
        node_score=torch.ones(frames + pairs),
        node_frame=torch.from_numpy(node_frame),
        node_identity=torch.full((frames + pairs,), -1),
        action_class=torch.zeros(0, dtype=torch.int64),
        pair_subject=torch.from_numpy(person[pair_frame]),
        pair_object=torch.from_numpy(objects),
        pair_frame=torch.from_numpy(pair_frame),
        node_feature=torch.randn(frames + pairs, WIDTHS.node, generator=generator).relu(),
        pair_union=torch.randn(pairs, WIDTHS.union, 7, 7, generator=generator).relu(),
        pair_mask=torch.rand(pairs, 2, 27, 27, generator=generator) - 0.5,
        labels=labels,
    )


def build(kind: str) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = STTran(SCHEMA, WIDTHS, STTranConfig())
    if kind == "ours":
        return model, ReferenceAdamW(model.parameters(), lr=1e-5)
    plain = PlainSTTran(model)
    return plain, torch.optim.AdamW(plain.parameters(), lr=1e-5, foreach=False, fused=False)


def measure(kind: str, what: str, batch: int, autocast: bool, videos: int) -> dict[str, Any]:
    """Seconds per video (median over batches) and peak memory in MiB, in this process."""
    torch.set_num_threads(2)
    model, optimizer = build(kind)
    criterion = RelationCriterion(SCHEMA)
    model.train(what == "train")
    seconds: list[float] = []
    for start in range(0, videos + batch, batch):  # the first batch warms up and is not counted
        clip = Clip.cat([random_clip(start + i) for i in range(batch)])
        began = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast), torch.set_grad_enabled(what == "train"):
            logits = model(clip)
            loss: Tensor = criterion(logits, clip)["total"]
        if what == "train":
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_gradients(model.parameters(), 5.0)
            optimizer.step()
        if start:
            seconds.append((time.perf_counter() - began) / batch)
    peak = peak_mib()
    return {"seconds": statistics.median(seconds), "peak": peak}


def check_equal() -> float:
    """Largest difference between the logits of both implementations on one video."""
    ours, _ = build("ours")
    plain = PlainSTTran(ours).eval()
    clip = random_clip(1)
    with torch.inference_mode():
        a, b = ours.eval()(clip), plain(clip)
    return max((a.groups[name] - b.groups[name]).abs().max().item() for name in a.groups)


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--row"]:
        kind, what, batch, autocast, videos = arguments[1:]
        print(json.dumps(measure(kind, what, int(batch), autocast == "bf16", int(videos))))
        return
    videos = 8 if "--quick" in arguments else VIDEOS
    precisions = ("fp32", "bf16") if has_bfloat16(torch.device("cpu")) else ("fp32",)
    print(f"largest difference between plain and ours: {check_equal():.1e}\n")
    if len(precisions) == 1:
        print("This processor has no bfloat16, so there are no rows in bfloat16.\n")
    print("| | batch | precision | plain s/video | ours s/video | ratio | plain peak MiB | ours peak MiB |")
    print("| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for what in ("train", "eval"):
        plain = row("plain", what, 1, "fp32", videos)
        for batch in (1, 4):
            for precision in precisions:
                ours = row("ours", what, batch, precision, videos)
                name = "training step" if what == "train" else "evaluation forward"
                print(
                    f"| {name} | {batch} | {precision} | {plain['seconds']:.3f} | {ours['seconds']:.3f} |"
                    f" {plain['seconds'] / ours['seconds']:.1f} | {plain['peak']:.0f} | {ours['peak']:.0f} |",
                    flush=True,
                )


def row(kind: str, what: str, batch: int, precision: str, videos: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.sttran", "--row", kind, what, str(batch), precision, str(videos)]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


if __name__ == "__main__":
    main()
