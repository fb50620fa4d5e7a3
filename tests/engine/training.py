"""Small training runs whose every part can be chosen, for tests of the engine."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
from clips import ENTITY, WIDTHS
from torch import nn
from toys import ToyVideos

from vidsgg.engine.checkpoint import Checkpoint, Provenance, newest_checkpoint
from vidsgg.engine.distributed import ALONE, Team
from vidsgg.engine.early_stopping import EarlyStopping
from vidsgg.engine.evaluate import evaluate_model
from vidsgg.engine.fit import FitResult, FitSettings, fit
from vidsgg.engine.loading import ClipLoader
from vidsgg.engine.optimizer import ReferenceAdamW
from vidsgg.engine.precision import Precision
from vidsgg.engine.report import DEFAULT_MONITOR, Monitor
from vidsgg.engine.run_folder import RunFolder, UnwrittenRun
from vidsgg.engine.schedule import Schedule
from vidsgg.engine.state import TrainingState
from vidsgg.engine.update import Update
from vidsgg.io.tensors import load_tensors
from vidsgg.losses.criterion import Criterion
from vidsgg.losses.relations import RelationCriterion
from vidsgg.metrics.protocol import protocol_for
from vidsgg.models.configs import STTranConfig
from vidsgg.models.sttran import STTran
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


def tiny_model(schema: Schema = ENTITY, dropout: float = 0.1, layers: int = 1) -> STTran:
    torch.manual_seed(0)
    config = STTranConfig(
        hidden_dim=8, embedding_dim=4, heads=2, feedforward_dim=16, dropout=dropout, temporal_layer=layers
    )
    return STTran(schema, WIDTHS if schema is ENTITY else FeatureWidths(), config)


class Case:
    """A run on toy videos: made with the same values, it is the same run. ``run`` goes on from what
    is in its folder."""

    def __init__(
        self,
        path: Path,
        *,
        epochs: int = 4,
        schedule: str = "cosine",
        lr: float = 1e-2,
        optimizer: Callable[..., torch.optim.Optimizer] = ReferenceAdamW,
        dropout: float = 0.1,
        workers: int = 0,
        batch_size: int = 2,
        accumulate: int = 1,
        clip_grad: float = 5.0,
        warmup: int = 1,
        level: str = "O0",
        half: torch.dtype | None = None,
        patience: int | None = None,
        monitor: str = DEFAULT_MONITOR,
        save_minutes: float = 15.0,
        eval_freq: int = 2,
        profile: bool = False,
        videos: int = 6,
        kind: str = "entity",
        dataset: ToyVideos | None = None,
        team: Team = ALONE,
        model: nn.Module | None = None,
        criterion: Criterion | None = None,
    ) -> None:
        self.path, self.team = path, team
        dataset = dataset or ToyVideos(videos, kind)
        model, protocol = model or tiny_model(dataset.schema, dropout), protocol_for(dataset.schema, "predcls")
        self.loader = ClipLoader(dataset, "predcls", batch_size, shuffle=True, seed=1, workers=workers, team=team)
        precision = Precision(model, level, half or torch.bfloat16)
        learning = optimizer(precision.updated(model.parameters()), lr=lr)
        self.state = TrainingState(
            model,
            Update(learning, precision, clip_grad=clip_grad, videos=batch_size * accumulate * team.size),
            Schedule(schedule, epochs * -(-len(self.loader) // accumulate), warmup),
            EarlyStopping(patience, monitor=monitor) if patience else None,
        )
        self.settings = FitSettings(
            epochs=epochs,
            save_freq=2,
            eval_freq=eval_freq,
            seed=1,
            monitor=Monitor.of(monitor, protocol),
            accumulate=accumulate,
            save_minutes=save_minutes,
            profile=profile,
        )
        self.provenance = Provenance({"model": "sttran"}, dataset.schema)
        self.criterion = criterion or RelationCriterion(dataset.schema)
        held_out = ClipLoader(ToyVideos(2, kind), "predcls", team=team)
        self.validate: Callable[[], Any] = lambda: evaluate_model(model, held_out, protocol, criterion=self.criterion)

    def run(self, **named: Any) -> FitResult:
        newest = newest_checkpoint(self.path).path
        if newest:
            self.state.go_to(Checkpoint.load(newest))
        self.state.update.learn_with(self.team, self.state.model)
        with closing(self.loader), self._folder(self.state.step if newest else None) as run:
            return fit(
                self.state, self.criterion, self.loader, self.validate, run, self.settings, self.provenance, **named
            )

    def _folder(self, goes_on_after: int | None) -> RunFolder:
        if self.team.leads:
            return RunFolder(self.path, {"model": "sttran"}, goes_on_after=goes_on_after)
        return UnwrittenRun(self.path, "vidsgg")


def flat(content: Any, name: str = "") -> dict[str, Any]:
    """A checkpoint's numbers by path, to compare two of them."""
    if isinstance(content, dict):
        return {path: value for key, part in content.items() for path, value in flat(part, f"{name}/{key}").items()}
    if isinstance(content, list):
        return {path: value for i, part in enumerate(content) for path, value in flat(part, f"{name}/{i}").items()}
    return {name: content}


def assert_same_bits(one: Path, other: Path, *, but: Sequence[str] = ("started_in",)) -> None:
    """Two checkpoints hold the same: weights, optimiser, schedule, counters. but: what may differ, by
    default the folder in which they were started."""
    a, b = (flat({**load_tensors(path), **dict.fromkeys(but)}) for path in (one, other))
    assert a.keys() == b.keys()
    different = [
        name
        for name, value in a.items()
        if not (torch.equal(value, b[name]) if torch.is_tensor(value) else value == b[name])
    ]
    assert not different


def in_process(work: Callable[..., Any], *values: Any) -> int:
    """Call a function of a test module in a process of its own; returns the exit code, -9 after a
    SIGKILL."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        # else every process takes seconds to import; the first step of an optimiser loads the last one
        context.set_forkserver_preload(["vidsgg.recipes.train", "torch.utils.tensorboard", "torch._dynamo"])
    process = context.Process(target=work, args=values)
    process.start()
    process.join()
    assert process.exitcode is not None
    return process.exitcode
