"""TEMPURA at full width on random features, against STTran in the same run: seconds per video, peak
memory, and what its memory costs.

``python -m benchmarks.tempura [--quick] [--device cuda]``. The videos of ``benchmarks.sttran``
(20-40 frames with 1-5 pairs each), one a step, with a memory in use. "second pass": prototypes from
a forward in eval mode after that of training, as in the reference (-memory_pass True); otherwise
they come from the training forward. Seconds are those of STTran and a model on the same videos,
taken in turn; peak memory is that of a process of its own. On a CPU one thread works, and its own
time counts. An epoch of Action Genome is about 7,000 steps.

The last lines say how far the prototypes of both ways are apart after one epoch over the same
videos from the same weights.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.peak import peak_mib
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.losses.tempura import TempuraCriterion
from vidsgg.models.configs import STTranConfig, TempuraConfig, TempuraLossConfig
from vidsgg.models.sttran import STTran
from vidsgg.models.tempura import TEMPURA
from vidsgg.structures.clip import Clip

MODELS: dict[str, Callable[[str], nn.Module]] = {
    "STTran": lambda mode: STTran(SCHEMA, WIDTHS, STTranConfig(), mode),
    "TEMPURA": lambda mode: TEMPURA(SCHEMA, WIDTHS, _published(mode), mode),
    "TEMPURA, second pass": lambda mode: TEMPURA(SCHEMA, WIDTHS, _published(mode, memory_pass=True), mode),
}
ROWS = (("predcls", "train"), ("sgcls", "train"), ("predcls", "eval"))


def _published(mode: str, **changes: Any) -> TempuraConfig:
    return replace(
        TempuraConfig(num_mixtures=6 if mode == "predcls" else 4, mem_feat_lambda=0.3 if mode == "sgcls" else 0.5),
        **changes,
    )


def video(seed: int, mode: str) -> Clip:
    """Outside PredCLS as it is learnt from: classes are hidden."""
    clip = random_clip(seed)
    if mode == "predcls":
        return clip
    looks = torch.rand(clip.nodes, len(SCHEMA.vocabulary.objects) - 1, generator=torch.Generator().manual_seed(seed))
    looks[torch.arange(clip.nodes), clip.node_class - 1] += 3
    return replace(
        clip,
        node_class=torch.full_like(clip.node_class, -1),
        node_target=clip.node_class,
        node_distribution=F.pad((2 * looks).softmax(1), (1, 0)),
        classes_given=False,
    )


class Learner:
    """A model with what a training step needs."""

    def __init__(self, name: str, mode: str, device: str) -> None:
        torch.manual_seed(0)
        self.mode, self.device = mode, device
        self.model = MODELS[name](mode).to(device)
        self.optimizer = ReferenceAdamW(self.model.parameters(), lr=1e-5)
        losses = TempuraLossConfig(obj_con_loss=None if mode == "predcls" else "euc_con")
        self.criterion = (
            TempuraCriterion(SCHEMA, losses) if isinstance(self.model, TEMPURA) else RelationCriterion(SCHEMA)
        )

    def step(self, seed: int, what: str) -> float:
        """Seconds of a training step, or of a forward."""
        clip = video(seed, self.mode).to(self.device)
        self.model.train(what == "train")
        began = _clock(self.device)
        with torch.set_grad_enabled(what == "train"):
            logits = self.model(clip)
            if what == "train":
                loss: Tensor = self.criterion(logits, clip)["total"]
                self.optimizer.zero_grad(set_to_none=True)
                loss.backward()
                clip_gradients(self.model.parameters(), 5.0)
                self.optimizer.step()
                if isinstance(self.model, TEMPURA):
                    self.model.gather(lambda sums: None)
        return _clock(self.device) - began


def prepared(name: str, mode: str, device: str) -> Learner:
    """After two steps, which warm up and fill the memory."""
    learner = Learner(name, mode, device)
    for seed in (0, 1):
        learner.step(seed, "train")
    if isinstance(learner.model, TEMPURA):
        learner.model.renew_memory()
    return learner


def in_turn(name: str, mode: str, what: str, videos: int, device: str) -> dict[str, Any]:
    """Seconds of STTran and of a model on the same videos, one after the other (medians), and the
    median of their ratios."""
    torch.set_num_threads(1)
    base, learner = prepared("STTran", mode, device), prepared(name, mode, device)
    seconds = [(base.step(seed, what), learner.step(seed, what)) for seed in range(2, videos + 2)]
    return {
        "STTran": statistics.median(plain for plain, _ in seconds),
        "seconds": statistics.median(own for _, own in seconds),
        "ratio": statistics.median(own / plain for plain, own in seconds),
    }


def peak(name: str, mode: str, what: str, videos: int, device: str) -> dict[str, Any]:
    """Largest memory in MiB of a process that has this model alone; on a GPU that of the GPU."""
    torch.set_num_threads(1)
    learner = prepared(name, mode, device)
    for seed in range(2, min(videos, 3) + 2):
        learner.step(seed, what)
    used = peak_mib() if device == "cpu" else torch.cuda.max_memory_allocated() / 2**20
    return {"peak": used, "parameters": sum(p.numel() for p in learner.model.parameters())}


def compare(videos: int, device: str) -> dict[str, Any]:
    """Prototypes of both ways after an epoch: their cosine (the mean over predicates) and their
    distance, relative to their length."""
    torch.set_num_threads(1)
    found = []
    for name in ("TEMPURA", "TEMPURA, second pass"):
        learner = Learner(name, "predcls", device)
        for seed in range(videos):
            learner.step(seed, "train")
        assert isinstance(learner.model, TEMPURA)
        learner.model.renew_memory()
        found.append(torch.cat([rows for key, rows in learner.model.named_buffers() if key.endswith(".prototypes")]))
    ours, theirs = found
    distance = (ours - theirs).norm(dim=1) / theirs.norm(dim=1)
    return {"cosine": F.cosine_similarity(ours, theirs).mean().item(), "distance": distance.mean().item()}


def _clock(device: str) -> float:
    """Seconds that the processor worked, so that others on the machine hardly matter; of the clock
    where a GPU works."""
    if device == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.tempura")
    parser.add_argument("--quick", action="store_true", help="5 videos instead of 20")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--part", nargs="+", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    videos = 5 if given.quick else 20
    if given.part:
        part, *rest = given.part
        print(json.dumps({"in_turn": in_turn, "peak": peak, "compare": compare}[part](*rest, videos, given.device)))
        return

    def alone(*part: str) -> dict[str, Any]:
        command = [
            sys.executable,
            "-m",
            "benchmarks.tempura",
            "--part",
            *part,
            "--device",
            given.device,
            *["--quick"] * given.quick,
        ]
        return dict(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout))

    print("| | model | parameters | s/video | STTran's s/video | ratio | peak MiB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: |")
    for mode, what in ROWS:
        title = f"{mode}, {'training step' if what == 'train' else 'evaluation forward'}"
        for name in MODELS if what == "train" else list(MODELS)[:2]:
            size = alone("peak", name, mode, what)
            time_of = alone("in_turn", name, mode, what) if name != "STTran" else None
            told = f"{time_of['seconds']:.2f} | {time_of['STTran']:.2f} | {time_of['ratio']:.2f}" if time_of else "| |"
            used = f"{size['peak']:.0f} |" if what == "train" else "|"  # else it is that of the training steps before
            print(f"| {title} | {name} | {size['parameters'] / 1e6:.0f} M | {told} | {used}", flush=True)
    apart = alone("compare")
    print(
        f"\nprototypes with and without a second pass: cosine {apart['cosine']:.4f}, {apart['distance']:.1%} of their"
        " length apart"
    )


if __name__ == "__main__":
    main()
