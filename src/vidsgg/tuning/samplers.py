"""Which point of the search space a trial gets: a function of the seed, the trial's place among the
others and what those have shown.

Optuna's samplers draw from one generator per process: a search that goes on after a stop would draw
its first points again, and several processes with the same seed would draw the same ones.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from vidsgg.tuning.space import Choice, Range, Space, grid

# user attributes: the trial that this one repeats; whether it was begun for nothing
REPEATS, SURPLUS = "repeats", "surplus"


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """The space in Optuna's words."""
    return {name: _distribution(dimension) for name, dimension in space.items()}


def make_sampler(kind: str, space: Space, seed: int) -> BaseSampler:
    """kind: "grid", "random" or "bayes" (tree-structured Parzen estimator, Bergstra et al.
    2011)."""
    if kind == "grid":
        return GridSampler(grid(space))
    return SeededSampler(_parzen if kind == "bayes" else optuna.samplers.RandomSampler, seed)


def first_attempt(trial: FrozenTrial) -> int:
    """The number of the trial itself, or of the one that it repeats."""
    return int(trial.user_attrs.get(REPEATS, trial.number))


def place(study: Study, number: int) -> int:
    """How many trials before trial ``number`` were to try a point of their own. Numbers are unique,
    so it is the same in every process."""
    return sum(is_own(trial) for trial in study.get_trials(deepcopy=False) if trial.number < number)


def is_own(trial: FrozenTrial) -> bool:
    """Whether a trial is neither a repetition of another one nor begun for nothing."""
    return REPEATS not in trial.user_attrs and SURPLUS not in trial.user_attrs


class GridSampler(BaseSampler):
    """The points of a grid, one after the other."""

    def __init__(self, points: list[dict[str, Any]]) -> None:
        self.points = points

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return {}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return {}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self.points[place(study, first_attempt(trial)) % len(self.points)][param_name]


class SeededSampler(BaseSampler):
    """Another sampler, made anew for every trial with a seed of its place's own. make: seed ->
    sampler."""

    def __init__(self, make: Callable[[int], BaseSampler], seed: int) -> None:
        self._make, self._seed = make, seed
        self._sampler = make(seed)

    def before_trial(self, study: Study, trial: FrozenTrial) -> None:
        self._sampler = self._make(random.Random(f"{self._seed}/{place(study, first_attempt(trial))}").getrandbits(32))
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return self._sampler.infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)


def _parzen(seed: int) -> BaseSampler:
    with warnings.catch_warnings():  # Optuna 4 calls experimental what Optuna 5 does by default
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _distribution(dimension: Choice | Range) -> BaseDistribution:
    if isinstance(dimension, Choice):
        return CategoricalDistribution(dimension.values)
    if dimension.whole:
        return IntDistribution(int(dimension.low), int(dimension.high), dimension.log, int(dimension.step or 1))
    return FloatDistribution(dimension.low, dimension.high, dimension.log, dimension.step)
