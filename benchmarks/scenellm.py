"""SceneLLM: what its language model costs, and what each of its parts brings.

``python -m benchmarks.scenellm speed [-videos 6]``: processor seconds per video (other programs on
the machine hardly change them) and peak memory of a training step and an evaluation forward at full
width on random features, against STTran, CPU, one thread. The language model has the shape of the
default one and random weights, which do not change the speed. Every row runs in a process of its
own, so that peak memory is its own. The share of the language model is the difference to
the same step without one.

``python -m benchmarks.scenellm ablations -data_path DATA -out OUT``: the paper's ablations with the
small SceneLLM of ``benchmarks.methods``,
whose table they can stand beside: the same set, features, optimiser, epochs and choice of the best
one. Runs that are finished are not done again, so that a benchmark that was stopped goes on.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from benchmarks.command import command
from benchmarks.methods import ROWS, MethodsOptions, outcome, settings, table
from benchmarks.peak import peak_mib
from benchmarks.sttran import WIDTHS, random_clip
from vidsgg.cli.command_line import parse
from vidsgg.datasets.action_genome import SCHEMA
from vidsgg.engine.course import Course
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.update import clip_gradients
from vidsgg.losses.relations import RelationCriterion
from vidsgg.methods.scenellm import SceneLLMOptions
from vidsgg.methods.scenellm.course import SceneLLMCourse
from vidsgg.methods.training_options import TrainOptions
from vidsgg.metrics.result import RecallResult
from vidsgg.models.configs import STTranConfig
from vidsgg.models.scenellm.scenellm import SceneLLM, Stage
from vidsgg.models.sttran import STTran
from vidsgg.options import option

# HuggingFaceTB/SmolLM2-135M
DEFAULT_SHAPE = "random:llama:hidden=576,layers=30,heads=9,kv_heads=3,intermediate=1536,vocabulary=49152"
MODELS = {
    "STTran": {},
    "SceneLLM, language model frozen (2a)": {"stage": Stage.RELATIONS},
    "SceneLLM, adapters learn (2b)": {"stage": Stage.LANGUAGE},
    "SceneLLM without language model": {"use_llm": False, "stage": Stage.LANGUAGE},
}
ABLATIONS: dict[str, dict[str, Any]] = {
    "whole": {},
    "no language model": {"use_llm": False},
    "no quantisation": {"quantise": False},
    "no transport (frames are words)": {"ot_mode": "none"},
    "temporal convolution": {"ot_mode": "tconv"},
    "clustering": {"ot_mode": "cluster"},
}


@dataclass(frozen=True)
class SpeedOptions:
    videos: int = option(6, "videos that are measured, after one that warms up", low=1)
    row: str | None = option(None, "one row alone, as JSON")
    train: bool = option(True, "with -row: a training step, else an evaluation forward")


@dataclass(frozen=True)
class AblationOptions:
    data_path: str = option("", "the synthetic data set")
    out: str = option("", "folder for the runs")
    seeds: str = option("0,1,2", "seeds, with commas between them")
    epochs: int = option(8, "epochs in which relations are learnt, half of them in stage 2a", low=2)


def build(name: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    if name == "STTran":
        model: nn.Module = STTran(SCHEMA, WIDTHS, STTranConfig())
        return model, ReferenceAdamW(Course().groups(model, 1e-5))
    changes = dict(MODELS[name])
    stage = changes.pop("stage")
    options = SceneLLMOptions(llm_name=DEFAULT_SHAPE, **changes)
    scene = SceneLLM(SCHEMA, WIDTHS, options.network_config())
    optimizer = ReferenceAdamW(SceneLLMCourse.of(scene, options).groups(scene, 1e-5))
    scene.learn(stage)
    return scene, optimizer


def measure(name: str, videos: int, train: bool) -> dict[str, float]:
    """Processor seconds per video (median) and peak memory in MiB, in this process."""
    torch.set_num_threads(1)
    model, optimizer = build(name)
    criterion = RelationCriterion(SCHEMA)
    model.train(train)
    seconds = []
    for seed in range(videos + 1):
        clip = random_clip(seed)
        began = time.process_time()
        with torch.set_grad_enabled(train):
            loss = criterion(model(clip), clip)["total"]
        if train:
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_gradients(model.parameters(), 5.0)
            optimizer.step()
        seconds.append(time.process_time() - began)
    return {
        "seconds": statistics.median(seconds[1:]),
        "peak": peak_mib(),
    }


def speed(options: SpeedOptions) -> None:
    if options.row is not None:
        print(json.dumps(measure(options.row, options.videos, options.train)))
        return
    print(
        "| | training step, s/video | peak MiB | evaluation forward, s/video | peak MiB |\n| --- | ---: | ---: | ---: |"
        " ---: |"
    )
    rows = {}
    for name in MODELS:
        rows[name] = [_row(name, options.videos, train) for train in (True, False)]
        cells = " | ".join(f"{row['seconds']:.3f} | {row['peak']:.0f}" for row in rows[name])
        print(f"| {name} | {cells} |", flush=True)
    *_, whole, without = rows.values()
    shares = [1 - b["seconds"] / a["seconds"] for a, b in zip(whole, without, strict=True)]
    print(
        f"\nshare of the language model: {100 * shares[0]:.0f} % of a training step (2b), {100 * shares[1]:.0f} % of an"
        " evaluation forward"
    )


def _row(name: str, videos: int, train: bool) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.scenellm",
        "speed",
        "-row",
        name,
        "-videos",
        str(videos),
        "-train",
        str(train),
    ]
    return dict(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def ablation_run(options: AblationOptions, name: str, seed: int) -> TrainOptions:
    """The row of ``benchmarks.methods`` with a part changed. Every variant has as many epochs in
    which relations are learnt."""
    methods = MethodsOptions(data_path=options.data_path, out=options.out, epochs=options.epochs)
    whole, changes = settings(methods, "scenellm", seed), ABLATIONS[name]
    assert isinstance(whole, SceneLLMOptions)
    return replace(
        whole,
        save_path=str(Path(options.out) / f"{name.split(' (')[0].replace(' ', '_')}_{seed}"),
        freeze_llm_epochs=options.epochs // 2,
        epochs=options.epochs + (whole.vq_epochs if changes.get("quantise", True) else 0),
        **changes,
    )


def ablations(options: AblationOptions) -> None:
    torch.set_num_threads(1)
    counted = settings(MethodsOptions(data_path=options.data_path, out=options.out), "frequency", 0)
    rows: dict[str, list[RecallResult]] = {
        ROWS["frequency"].title: [outcome(counted)[0]],
        **{name: [] for name in ABLATIONS},
    }
    # seed by seed, so that a half-done benchmark compares like with like
    for seed in map(int, options.seeds.split(",")):
        for name in ABLATIONS:
            rows[name].append(outcome(ablation_run(options, name, seed))[0])
        print(f"\nafter seed {seed}:\n{table(rows, 'predcls')}", flush=True)


def main(argv: Sequence[str]) -> None:
    what, rest = (argv[0], argv[1:]) if argv else ("", ())
    if what == "speed":
        speed(parse(SpeedOptions, rest, prog="benchmarks.scenellm speed", description="Time and memory."))
    elif what == "ablations":
        ablations(
            parse(AblationOptions, rest, prog="benchmarks.scenellm ablations", description="What each part brings.")
        )
    else:
        print(__doc__)


if __name__ == "__main__":
    command("benchmarks.scenellm", main)
