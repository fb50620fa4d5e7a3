"""What a study has found: its trials as plain rows, and which options mattered."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from vidsgg.tuning.samplers import first_attempt
from vidsgg.tuning.search import EPOCH, MESSAGE, shown_trials

FEWEST = 8  # complete trials; importance of fewer says little


@dataclass(frozen=True)
class TrialRow:
    """number: of its first attempt. state: complete, pruned, failed, running or waiting. score: the
    best of its evaluations so far, higher is better, after ``epoch`` epochs. seconds: how long its
    last attempt took. values: of the options that are searched. message: why it was pruned or
    failed.
    """

    number: int
    state: str
    score: float | None
    epoch: int | None
    seconds: float | None
    values: Mapping[str, Any]
    message: str = ""


def read_results(study: Study) -> list[TrialRow]:
    """The trials that count, as they stand now: complete ones first, the best before the others,
    then pruned ones, then the rest."""
    order = ["complete", "pruned", "running", "waiting", "failed"]
    rows = [trial_row(trial) for trial in shown_trials(study)]
    return sorted(rows, key=lambda row: (order.index(row.state), -(row.score or 0.0), row.number))


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The best complete trial of ``read_results``; of equal ones the first."""
    return rows[0] if rows and rows[0].state == "complete" else None


def trial_row(trial: FrozenTrial) -> TrialRow:
    """A trial as a plain row."""
    seen = trial.intermediate_values
    epoch = max(seen, key=lambda e: (seen[e], -e)) if seen else None
    score = None if epoch is None else seen[epoch]
    if trial.state == TrialState.COMPLETE:
        epoch, score = trial.user_attrs.get(EPOCH, epoch), trial.value
    state = "failed" if trial.state == TrialState.FAIL else trial.state.name.lower()
    seconds = trial.duration.total_seconds() if trial.duration else None
    return TrialRow(
        first_attempt(trial), state, score, epoch, seconds, trial.params, str(trial.user_attrs.get(MESSAGE, ""))
    )


def importances(study: Study) -> dict[str, float]:
    """Share of each searched option in the difference between good and other trials, the largest
    first (PED-ANOVA, Watanabe et al. 2023).

    Empty where nothing can be said: with too few complete trials, or when all have the same score.
    """
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) < FEWEST or len({trial.value for trial in complete}) == 1:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # of Optuna 4
        return optuna.importance.get_param_importances(study, evaluator=optuna.importance.PedAnovaImportanceEvaluator())
