"""Layout models beside the same network on pictures, the frequency baseline and ``geometry``, on the
synthetic data set, in PredCLS and in SGDET with detected boxes.

``python -m benchmarks.layout -data_path DATA -out OUT``. DATA: a set made by ``vidsgg data synth``
with its detector in ``detector.pth``, and features by ``vidsgg features`` in both modes. STTran on
pictures is trained for each mode; the other rows are trained once, in PredCLS, from the annotations
alone, and scored in SGDET on the boxes that the detector finds. Every row has the widths, optimiser,
schedule and epochs of ``benchmarks.methods`` (``geometry`` its own learning rate), several seeds; the best epoch on held-out training
videos is scored on the test videos. Finished runs are not repeated.

``python -m benchmarks.layout -rate 16`` measures training steps instead: 16 random videos of the
size that Action Genome's training videos have on average, and from them by arithmetic an epoch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command import command
from benchmarks.methods import MethodsOptions, Row, settings_of, table
from vidsgg.assembly.detectors import IN_DATA_FOLDER
from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.datasets.box_noise import DROPPED, JITTER, BoxNoise
from vidsgg.engine.checkpoint_files import FINAL
from vidsgg.errors import ConfigError
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.geometry import GeometryOptions
from vidsgg.methods.training_options import LAYOUT
from vidsgg.metrics.result import RecallResult
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.options import option
from vidsgg.recipes.command_options import EvaluateOptions
from vidsgg.recipes.evaluate import run_evaluation
from vidsgg.recipes.train import run_training
from vidsgg.structures.clip import Clip
from vidsgg.structures.widths import FeatureWidths

MODES = ("predcls", "sgdet")
BATCHES = {"batch_size": 4, "warmup_steps": 10}
NARROW = {"bce_loss": True, "embedding_dim": 48, "feedforward_dim": 512, "lr": 1e-3, **BATCHES}  # beside ``SHARED``
ROWS = {
    "frequency": Row("P(predicate given classes)", "frequency", {"features": LAYOUT}),
    "geometry": Row("geometry, fitted", "geometry", {"features": LAYOUT, "lr": GeometryOptions.lr, **BATCHES}),
    "layout": Row("STTran, layout", "sttran", {"features": LAYOUT, **NARROW}),
    "pixels": Row("STTran, pictures", "sttran", NARROW),
}
# Action Genome's training split in PredCLS, as ``benchmarks.loader`` makes it (docs/benchmarks.md)
VIDEOS, FRAMES, PAIRS = 7790, 198_827, 430_894
SIZES = {
    "as published": {},
    "narrow, as in the table": {"hidden_dim": 64, "embedding_dim": 48, "feedforward_dim": 512, "temporal_layer": 1},
}


@dataclass(frozen=True)
class LayoutOptions:
    data_path: str = option("", "the synthetic data set")
    out: str = option("", "folder for the runs")
    rows: str = option(",".join(ROWS), "rows of the table, with commas between them")
    modes: str = option(",".join(MODES), "tasks, with commas between them")
    detector: str | None = option(
        None, "what finds the boxes of the rows that read boxes alone; by default that of the data set", place="input"
    )
    seeds: str = option("0,1,2", "seeds, with commas between them")
    epochs: int = option(8, "passes over the training videos", low=1)
    threads: int = option(1, "threads of this process", low=1)
    rate: int = option(0, "measure training steps on so many random videos instead", low=0, high=1000)


def scored(options: LayoutOptions, name: str, seed: int) -> dict[str, RecallResult]:
    """The score on the test videos in every mode."""
    row, found = ROWS[name], {}
    alone = row.changes.get("features") == LAYOUT
    for mode in options.modes.split(","):
        trained_in = MODES[0] if alone else mode
        shared = MethodsOptions(options.data_path, options.out, mode=trained_in, epochs=options.epochs)
        run = settings_of(shared, row, name, seed)
        folder = Path(str(run.save_path))
        if not (folder / FINAL).is_file():
            unfinished = (folder / "checkpoint_last.tar").is_file()
            run_training(replace(run, resume_from=str(folder), save_path=None) if unfinished else run)
        asked = EvaluateOptions(checkpoint=str(folder), num_workers=1, charts=False)
        if mode != trained_in:
            detector = options.detector or str(Path(options.data_path) / IN_DATA_FOLDER[0])
            asked = replace(asked, mode=mode, detector=detector)  # type: ignore[arg-type]
        found[mode] = run_evaluation(asked).result
    return found


def compare(options: LayoutOptions) -> None:
    rows, modes = options.rows.split(","), options.modes.split(",")
    if unknown := [name for name in rows if name not in ROWS]:
        raise ConfigError(f"option -rows: unknown row {unknown[0]!r}; there are {', '.join(ROWS)}.")
    if unknown := [mode for mode in modes if mode not in MODES]:
        raise ConfigError(f"option -modes: unknown mode {unknown[0]!r}; there are {', '.join(MODES)}.")
    results: dict[str, dict[str, list[RecallResult]]] = {
        mode: {ROWS[name].title: [] for name in rows} for mode in modes
    }
    for seed in map(int, options.seeds.split(",")):
        for name in rows:
            if name == "frequency" and results[modes[0]][ROWS[name].title]:
                continue  # counts have no seed
            for mode, result in scored(options, name, seed).items():
                results[mode][ROWS[name].title].append(result)
        print(f"\nafter seed {seed}:", flush=True)
        for mode in modes:
            print(f"\n{table(results[mode], mode)}", flush=True)


def random_video(seed: int) -> Clip:
    """A clip of a person and things in every frame, as large as Action Genome's on average."""
    rng = np.random.default_rng(seed)
    frames = round(FRAMES / VIDEOS)
    things = rng.multinomial(round(PAIRS / VIDEOS) - frames, np.full(frames, 1 / frames)) + 1
    node_frame = torch.from_numpy(np.repeat(np.arange(frames), things + 1))
    first = np.cumsum(things + 1) - (things + 1)
    nodes, person = len(node_frame), torch.from_numpy(np.repeat(first, things))
    klass = torch.from_numpy(rng.integers(2, len(SCHEMA.vocabulary.objects), nodes))
    klass[torch.from_numpy(first)] = SCHEMA.vocabulary.objects.index("person")
    thing = torch.from_numpy(np.setdiff1d(np.arange(nodes), first))
    low = torch.from_numpy(rng.uniform(0, 200, (nodes, 2))).float()
    none = torch.zeros(frames, dtype=torch.int64)
    labels = {
        g.name: torch.from_numpy(rng.random((len(thing), len(g))) < 1.5 / len(g)) for g in SCHEMA.vocabulary.groups
    }
    return Clip(
        schema=SCHEMA, video_ids=(f"video {seed}",), frame_video=none, frame_unit=torch.arange(frames), frame_slot=none,
        frame_size=torch.tensor([[480.0, 270.0]]).expand(frames, 2), node_box=torch.cat([low, low + 60], 1), node_class=klass,
        node_score=torch.ones(nodes), node_frame=node_frame, node_identity=torch.full((nodes,), -1),
        action_class=torch.zeros(0, dtype=torch.int64), pair_subject=person, pair_object=thing, pair_frame=node_frame[thing],
        labels=labels,
    )  # fmt: skip


def measure(videos: int) -> None:
    """Core-seconds of a training step (augmentation, forward, loss, backward, clipping, AdamW), and of an
    epoch: processor time, so that other work on the machine counts little."""
    noise, criterion = BoxNoise(JITTER, DROPPED, 0), RelationCriterion(SCHEMA, bce=True)
    print(f"{torch.get_num_threads()} threads; {VIDEOS:,} videos of {FRAMES:,} frames and {PAIRS:,} pairs an epoch\n")
    print(
        "| STTran, layout | parameters | videos a step | core-seconds a step | core-minutes an epoch of Action Genome |"
    )
    print("| --- | ---: | ---: | ---: | ---: |")
    for title, sizes in SIZES.items():
        given: dict[str, Any] = {**sizes}
        model = STTran(SCHEMA, FeatureWidths(), STTranConfig(**given)).train()
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, foreach=True)
        for batch in (1, 8):
            seconds = []
            for step in range(1 + max(2, videos // batch)):
                began = time.process_time()
                clip = Clip.cat([noise.applied(random_video(step * batch + i), 1) for i in range(batch)])
                criterion(model(clip), clip)["total"].backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
                optimizer.zero_grad()
                seconds.append(time.process_time() - began)
            median = float(np.median(seconds[1:]))
            count = sum(p.numel() for p in model.parameters())
            minutes = median * VIDEOS / batch / 60
            print(f"| {title} | {count / 1e6:.1f} M | {batch} | {median:.3f} | {minutes:.1f} |", flush=True)


def main(argv: Sequence[str]) -> None:
    options = parse(LayoutOptions, argv, prog="benchmarks.layout", description=__doc__)
    torch.set_num_threads(options.threads)
    if options.rate:
        measure(options.rate)
    else:
        compare(options)


if __name__ == "__main__":
    command("benchmarks.layout", main)
