"""What several processes are worth: training steps in two processes of one thread against one
process with two threads.

``python -m benchmarks.distributed [--quick]``. STTran at full width on random features, as in
``benchmarks.sttran``. A step is forward, backward, the sum of gradients over gloo, clipping and
AdamW, on as many videos in both. They are measured in turn, round after round, as machines are
noisy. Efficiency is the time of one process over the time of two: on one machine both have the same
two cores.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from dataclasses import astuple, dataclass, field
from typing import Any

import torch
from torch import Tensor

from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.assembly.data import choose_device
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.distributed import Team, join_team
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision
from vidsgg.engine.update import Update
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip

CORES = 2
WARM = 1  # steps that are not counted


@dataclass(frozen=True)
class TimedTeam(Team):
    """Notes how long the sums of its steps took, with the waiting for each other."""

    seconds: list[float] = field(default_factory=list)

    def sum_(self, values: Tensor) -> None:
        began = time.perf_counter()
        super().sum_(values)
        self.seconds.append(time.perf_counter() - began)


def measure(videos: int, steps: int, device: str = "cpu") -> dict[str, Any]:
    """Seconds of every step on so many videos in all processes, and of its sum, in this process.
    device: "cpu", or "cuda" for a GPU of its own for every process."""
    with join_team() as joined:
        team = TimedTeam(*astuple(joined))
        torch.set_num_threads(CORES // team.size)
        torch.manual_seed(0)
        place = choose_device(device, team)
        model = STTran(SCHEMA, WIDTHS, STTranConfig()).train().to(place)
        update = Update(ReferenceAdamW(model.parameters(), lr=1e-5), Precision(model), clip_grad=5.0, videos=videos)
        update.learn_with(team, model)
        criterion, whole = RelationCriterion(SCHEMA), list[float]()
        for step in range(WARM + steps):
            seeds = team.share(range(step * videos, (step + 1) * videos))
            clip = Clip.cat([random_clip(seed) for seed in seeds]).to(place)
            team.first_of_machine_first(lambda: None)  # everybody is ready
            began = time.perf_counter()
            update.add(criterion(model(clip), clip), clip.videos)
            update.step(1.0)
            whole.append(time.perf_counter() - began)
    return {"steps": whole[WARM:], "sums": team.seconds[WARM:], "writes": team.leads}


def started(processes: int, videos: int, steps: int, device: str = "cpu") -> dict[str, list[float]]:
    """``measure`` in processes of its own, as their first one saw it."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"] if processes > 1 else []
    command = [sys.executable, *launcher, "-m", "benchmarks.distributed", "--measure", str(videos), str(steps), device]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(found for line in lines if (found := json.loads(line))["writes"])


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--measure"]:
        videos, steps, device = arguments[1:]
        print(json.dumps(measure(int(videos), int(steps), device)), flush=True)
        return
    quick = "--quick" in arguments
    print(
        f"| videos in a step | one process, {CORES} threads, s | {CORES} processes, s | of that, sum of gradients, s |"
        " efficiency |"
    )
    print("| ---: | ---: | ---: | ---: | ---: |")
    for videos in (2,) if quick else (2, 8, 32):
        steps = 2 if quick else 4 if videos < 32 else 2
        rounds = [(started(1, videos, steps), started(CORES, videos, steps)) for _ in range(1 if quick else 3)]
        one, many, sums = (
            statistics.median(second for found in rounds for second in found[which][name])
            for which, name in ((0, "steps"), (1, "steps"), (1, "sums"))
        )
        print(f"| {videos} | {one:.2f} | {many:.2f} | {sums:.2f} | {100 * one / many:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
