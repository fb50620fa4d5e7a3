"""Learning rate schedules against their formulas."""

from __future__ import annotations

import math

import pytest
import torch

from vidsgg.engine.schedule import Schedule


@pytest.mark.parametrize("kind", ["step", "cosine", "plateau"])
def test_warm_up_is_linear(kind: str) -> None:
    schedule = Schedule(kind, steps=1000, warmup=10)
    assert [schedule.factor(step) for step in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])


def test_step_falls_at_60_and_85_percent() -> None:
    schedule = Schedule("step", steps=100, warmup=0)
    assert [schedule.factor(step) for step in (0, 59, 60, 84, 85, 99)] == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_follows_its_formula_to_zero() -> None:
    schedule = Schedule("cosine", steps=110, warmup=10)
    for step in (10, 35, 60, 109):
        assert schedule.factor(step) == pytest.approx(0.5 * (1 + math.cos(math.pi * (step - 10) / 100)))
    assert schedule.factor(110) == pytest.approx(0)


def test_plateau_halves_after_two_evaluations_without_progress() -> None:
    schedule = Schedule("plateau", steps=100, warmup=0)
    factors = []
    for score in (0.10, 0.20, 0.20005, 0.19, 0.21, 0.21, 0.21, 0.21):
        schedule.observe(score)
        factors.append(schedule.factor(50))
    assert factors == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]


def test_wave_is_the_cosine_annealing_of_torch_by_epoch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10)
    schedule = Schedule("wave", steps=3 * 25, warmup=0, ends=[3 * epoch for epoch in range(1, 26)])
    for epoch in range(25):
        rate = optimizer.param_groups[0]["lr"]
        assert [schedule.factor(3 * epoch + step) for step in range(3)] == pytest.approx([rate] * 3, abs=1e-6)
        optimizer.step()
        theirs.step()


def test_state_goes_on_where_it_was() -> None:
    first, second = Schedule("plateau", 100, 0), Schedule("plateau", 100, 0)
    for score in (0.3, 0.1, 0.1):
        first.observe(score)
    second.load_state_dict(first.state_dict())
    for schedule in (first, second):
        schedule.observe(0.1)
    assert first.factor(9) == second.factor(9) == 0.5
    assert first.state_dict() == second.state_dict()


def test_unknown_kinds_are_refused() -> None:
    with pytest.raises(ValueError, match="expected one of"):
        Schedule("linear", 10, 0)
