"""What the training loop costs over a bare one, and what gradient checkpointing saves.

``python -m benchmarks.engine [--quick]``. The bare loop is forward, loss, backward, clipping and
AdamW over the same clips, which lie ready in memory for both; the engine's adds seeds, averages,
checks, logs and what is needed to go on after a kill. Every step of the one follows on the same
step of the other, measured in processor time, so that a busy machine treats them alike. Writing
checkpoints has a line of its own: how often it happens is the user's choice.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.peak import peak_mib
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.checkpoint import Checkpoint, Provenance
from vidsgg.engine.checkpoint_files import LAST
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.fit import FitSettings, fit
from vidsgg.engine.loading import Batch
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision
from vidsgg.engine.recompute import recompute_layers
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.run_folder import RunFolder
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.state import TrainingState
from vidsgg.engine.update import Update, clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.registry import find_method
from vidsgg.metrics.protocol import protocol_for
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

TINY_WIDTHS = FeatureWidths(node=16)
TINY = STTranConfig(hidden_dim=16, embedding_dim=8, feedforward_dim=32, temporal_layer=1)
PROTOCOL = protocol_for(SCHEMA, "predcls")
Clock = Callable[[], float]


def tiny_clip(seed: int) -> Clip:
    """A random clip with narrow features of the nodes alone."""
    clip = random_clip(seed)
    assert clip.node_feature is not None
    return replace(
        clip, node_feature=clip.node_feature[:, : TINY_WIDTHS.node].contiguous(), pair_union=None, pair_mask=None
    )


class Bare:
    """The loop without the engine. clock: what seconds are counted by."""

    def __init__(self, model: STTran, clock: Clock = time.process_time) -> None:
        self.model, self.clock = model.train(), clock
        self.optimizer = ReferenceAdamW(model.parameters(), lr=1e-5)
        self.criterion = RelationCriterion(SCHEMA)

    def step(self, clip: Clip) -> float:
        """Seconds of one step."""
        began = self.clock()
        loss = self.criterion(self.model(clip), clip)["total"]
        loss.backward()
        clip_gradients(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return self.clock() - began


@dataclass
class ReadyClips:
    """Clips in memory where the engine expects a ClipLoader; before each goes to the engine, the
    bare loop learns from it."""

    clips: Sequence[Clip]
    bare: Bare
    team: Team = ALONE
    extractor: None = None  # features are there
    seconds: list[tuple[float, float]] = field(default_factory=list)  # of each step: bare, engine

    def __len__(self) -> int:
        return len(self.clips)

    def steps(self, epoch: int) -> int:
        return len(self.clips)

    def places(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        for number, clip in enumerate(self.clips):
            alone = self.bare.step(clip)
            began = self.bare.clock()
            yield Batch(clip, (), number)
            self.seconds.append((alone, self.bare.clock() - began))


class Folder(RunFolder):
    """Notes how long it takes to write a checkpoint."""

    seconds = 0.0

    def save(self, names: Sequence[str], checkpoint: Checkpoint) -> None:
        began = time.perf_counter()
        super().save(names, checkpoint)
        self.seconds = time.perf_counter() - began


def overhead(
    build: Callable[[], STTran], clips: Sequence[Clip], epochs: int, clock: Clock = time.process_time
) -> tuple[float, float, float]:
    """(seconds per step of the bare loop, of the engine, seconds per checkpoint): medians over
    steps but the first, which warms up. Clips lie where the model is built."""
    model, ready = build(), ReadyClips(clips, Bare(build(), clock))
    settings = FitSettings(
        epochs, save_freq=epochs + 1, eval_freq=epochs + 1, seed=0, monitor=Monitor.of(DEFAULT_MONITOR, PROTOCOL)
    )
    update = Update(ReferenceAdamW(model.parameters(), lr=1e-5), Precision(model), clip_grad=5.0)
    state = TrainingState(model, update, Schedule("step", epochs * len(clips), 0))

    def no_evaluation() -> Any:
        raise StopIteration  # when all is measured

    made = Provenance({}, SCHEMA)
    with tempfile.TemporaryDirectory() as path, Folder(Path(path) / "run", {}, echo=False) as run:
        with suppress(StopIteration):
            fit(state, RelationCriterion(SCHEMA), ready, no_evaluation, run, settings, made)
        run.save([LAST], state.checkpoint(made))
    bare, ours = zip(*ready.seconds[1:], strict=True)
    return statistics.median(bare), statistics.median(ours), run.seconds


def peak(videos: int, recompute: bool) -> dict[str, float]:
    """Peak memory in MiB and seconds of one step at full width, in this process."""
    torch.manual_seed(0)
    model = STTran(SCHEMA, WIDTHS, STTranConfig())
    if recompute:
        recompute_layers(model, find_method("sttran").capabilities.recomputable)
    loop, clip = Bare(model), Clip.cat([random_clip(i) for i in range(videos)])
    seconds = min(loop.step(clip) for _ in range(3))
    return {"peak": peak_mib(), "seconds": seconds}


def main(argv: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["--peak"]:
        print(json.dumps(peak(int(arguments[1]), arguments[2] == "yes")))
        return
    quick = "--quick" in arguments
    print("| videos in a step | gradient checkpointing | peak MiB | s a step |\n| ---: | --- | ---: | ---: |")
    # First, while this process is small: its children inherit its peak.
    for videos in (4,) if quick else (4, 16):
        for recompute in ("no", "yes"):
            command = [sys.executable, "-m", "benchmarks.engine", "--peak", str(videos), recompute]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"| {videos} | {recompute} | {found['peak']:.0f} | {found['seconds']:.2f} |", flush=True)
    print("\n| model | clips | bare loop, ms a step | engine, ms a step | overhead | a checkpoint, s |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    torch.manual_seed(0)
    rows: list[tuple[str, Callable[[], STTran], list[Clip], int]] = [
        ("tiny", lambda: STTran(SCHEMA, TINY_WIDTHS, TINY), [tiny_clip(i) for i in range(40)], 2 if quick else 10),
        (
            "full width",
            lambda: STTran(SCHEMA, WIDTHS, STTranConfig()),
            [random_clip(i) for i in range(4 if quick else 10)],
            2 if quick else 4,
        ),
    ]
    for name, build, clips, epochs in rows:
        bare, ours, saving = overhead(build, clips, epochs)
        print(
            f"| {name} | {len(clips)} | {1e3 * bare:.2f} | {1e3 * ours:.2f} | {100 * (ours / bare - 1):.1f} % |"
            f" {saving:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
