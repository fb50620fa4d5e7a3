"""A model that gathers a memory over its epochs: going on, several processes, mixed precision,
learning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from clips import ENTITY, WIDTHS
from engine.teams import in_team
from engine.training import Case, assert_same_bits, flat

from vidsgg.engine.course import GatheringCourse
from vidsgg.engine.distributed import Team
from vidsgg.io.tensors import load_tensors
from vidsgg.losses.tempura import TempuraCriterion
from vidsgg.models.configs import TempuraConfig, TempuraLossConfig
from vidsgg.models.tempura import TEMPURA

FINAL, LAST = "checkpoint_final.tar", "checkpoint_last.tar"


def make(path: Path, *, seed: int = 0, noise: bool = True, **changes: Any) -> tuple[Case, GatheringCourse]:
    torch.manual_seed(seed)
    sizes = {"hidden_dim": 8, "embedding_dim": 4, "heads": 2, "feedforward_dim": 16, "temporal_layer": 1}
    model = TEMPURA(ENTITY, WIDTHS, TempuraConfig(**sizes, num_mixtures=2, dropout=0.3 if noise else 0.0))
    if not noise:
        model.noise = torch.zeros_like
    criterion = TempuraCriterion(ENTITY, TempuraLossConfig())
    return Case(path, model=model, criterion=criterion, **{"epochs": 4, "videos": 8, **changes}), GatheringCourse(model)


class Interrupt(Exception):
    pass


def train(path: Path, stop_at: int | None = None, **changes: Any) -> None:
    """Go on with the run in the folder; ``stop_at``: the step whose loss is never computed."""
    case, course = make(path, **changes)
    criterion = case.criterion

    def deadly(*inputs: Any) -> dict[str, torch.Tensor]:
        if case.state.step == stop_at:
            raise Interrupt
        return criterion(*inputs)

    case.criterion = deadly
    case.run(course=course)


@pytest.mark.parametrize(
    "changes", [{"batch_size": 1, "accumulate": 2}, {"level": "O2"}], ids=["accumulation", "bfloat16 weights"]
)
def test_stopped_in_the_middle_it_ends_with_the_same_memory(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Steps 0 to 3 are the first epoch; 4 is stopped before its first step is done, 6 in its
    middle."""
    changes = {"save_minutes": 0.0, **changes}
    train(tmp_path / "whole", **changes)
    for step in (4, 6, 11):
        with pytest.raises(Interrupt):
            train(tmp_path / "stopped", stop_at=step, **changes)
    train(tmp_path / "stopped", **changes)
    assert_same_bits(tmp_path / "whole" / FINAL, tmp_path / "stopped" / FINAL)
    banks = {name: value for name, value in flat(load_tensors(tmp_path / "whole" / FINAL)).items() if "/banks." in name}
    assert banks["/model_state_dict/banks.contacting.renewals"] == 3  # before epochs 2, 3 and 4
    assert banks["/model_state_dict/banks.contacting.steps"] == 4
    assert banks["/model_state_dict/banks.contacting.prototypes"].any()


def test_the_checkpoint_of_an_epoch_holds_the_memory_it_was_scored_with(tmp_path: Path) -> None:
    """Prototypes are those of the epoch before; what this epoch has gathered waits beside them."""
    case, course = make(tmp_path, epochs=2, eval_freq=1)
    model, scored = case.state.model, []
    validate = case.validate

    def noting() -> Any:
        scored.append(model.banks["spatial"].prototypes.clone())
        return validate()

    case.validate = noting
    case.run(course=course)
    first, second = scored
    assert not first.any() and second.any()
    assert torch.equal(load_tensors(tmp_path / FINAL)["model_state_dict"]["banks.spatial.prototypes"], second)


def work(team: Team, path: str) -> None:
    case, course = make(Path(path), batch_size=1, noise=False, team=team, epochs=3)
    case.run(course=course)


def test_two_processes_gather_as_one_does(tmp_path: Path) -> None:
    """Same batches of two videos, same memory within rounding; and both processes hold the same
    one."""
    assert in_team(work, str(tmp_path / "two")) == ["", ""]
    case, course = make(tmp_path / "one", batch_size=2, noise=False, epochs=3)
    case.run(course=course)
    one, two = (flat(load_tensors(tmp_path / name / FINAL)["model_state_dict"]) for name in ("one", "two"))
    for name, value in one.items():
        if "/banks." in name:
            torch.testing.assert_close(two[name], value, rtol=1e-3, atol=1e-4, msg=name)
    assert "had come to differ" not in (tmp_path / "two" / "logfile.txt").read_text(encoding="utf-8")
    assert one["/banks.spatial.prototypes"].any() and os.path.exists(tmp_path / "two" / LAST)


@pytest.mark.parametrize("changes", [{}, {"level": "O1", "half": torch.bfloat16}], ids=["float32", "autocast"])
def test_learning_lowers_the_loss(tmp_path: Path, changes: dict[str, Any]) -> None:
    case, course = make(tmp_path, epochs=6, noise=False, **changes)
    case.run(course=course)
    losses = case.state.losses
    assert losses[-1] < 0.9 * losses[0]
