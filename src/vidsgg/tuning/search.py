"""Trials of a study, one after the other in this process, with any number of other processes at the
same study.

A trial whose process is gone is tried again: while a trial runs, its process counts in the study
("the beat"). A process that finds nothing left to do watches the trials of others for a while;
those whose count stands still are given up and put back into the queue. No clock, no process number
and no lock is compared, so it works between machines and with every kind of storage.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from optuna.exceptions import UpdateFinishedTrialError
from optuna.study import Study
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from vidsgg.engine.watch import TrainingError
from vidsgg.errors import ConfigError, VidsggError
from vidsgg.tuning.samplers import REPEATS, SURPLUS, distributions, first_attempt, is_own, place
from vidsgg.tuning.space import Space

BEAT_SECONDS, BEATS_OF_SILENCE = 10.0, 4
FAILURES_IN_A_ROW = 3
# User attributes: why a trial failed or was ended, the epoch of its score, and how often its
# process has counted.
MESSAGE, EPOCH, BEAT = "message", "epoch", "beat"

# (epoch, score, whether it is the last epoch) of an evaluation; raises Pruned when the trial is to
# end.
ReportScore = Callable[[int, float, bool], None]
# (number, values, report) -> (score, higher is better; epoch that reached it). Where a trial is
# tried again, the number is that of its first attempt.
Objective = Callable[[int, dict[str, Any], ReportScore], tuple[float, int]]


class Pruned(Exception):
    """A trial that is ended early, because others were better after as many epochs."""


def run_search(
    study: Study,
    space: Space,
    objective: Objective,
    limit: int,
    finished: Callable[[FrozenTrial], None],
    watching: Callable[[list[int]], None],
) -> None:
    """Run trials until the study has ``limit`` of them and none is left to repeat. finished:
    called with every trial of this process. watching: called with the numbers of running trials of
    other processes,
    before finding out for up to a minute whether those processes are alive.

    A VidsggError in a trial makes it a failed one. That training diverges is a result like any
    other; but three other failures in a row are
    no accident: then ConfigError is raised, and all three are put back into the queue, to be tried
    again when what is wrong is put right.
    """
    failed: list[FrozenTrial] = []
    while True:
        trial = _next(study, space, limit)
        if trial is None:
            if _repeat_abandoned(study, watching):
                continue
            return
        error = _run(study, trial, objective)
        done = study.trials[trial.number]
        finished(done)
        failed = [*failed, done] if error and not isinstance(error, TrainingError) else []
        if len(failed) == FAILURES_IN_A_ROW:
            for one in failed:
                _repeat(study, one)
            raise ConfigError(
                f"{FAILURES_IN_A_ROW} trials in a row have failed, and are tried again when the search is resumed. The"
                f" last message: {error}"
            ) from error


def _next(study: Study, space: Space, limit: int) -> Trial | None:
    """A trial to run, or None if there is nothing to do."""
    trials = study.get_trials(deepcopy=False)
    if sum(map(is_own, trials)) >= limit and not any(t.state == TrialState.WAITING for t in trials):
        return None
    trial = study.ask(distributions(space))
    own = REPEATS not in trial.user_attrs
    if own and place(study, trial.number) >= limit:  # another process began the last one a moment ago
        trial.set_user_attr(SURPLUS, True)
        study.tell(trial, state=TrialState.FAIL)
        return None
    return trial


def _run(study: Study, trial: Trial, objective: Objective) -> VidsggError | None:
    """Run a trial and record in the study how it ended; returns the error of a failed one."""
    before = study.trials[trial.number]
    known = set(before.intermediate_values)  # what an earlier attempt has reported

    def report(epoch: int, score: float, last: bool) -> None:
        if epoch not in known:
            trial.report(score, epoch)
        if not last and trial.should_prune():
            raise Pruned(f"others were better after epoch {epoch}")

    state, score, failure = TrialState.COMPLETE, None, None
    attributes: dict[str, Any] = {}
    try:
        with _Beat(trial):
            score, attributes[EPOCH] = objective(first_attempt(before), dict(trial.params), report)
    except Pruned as reason:
        state, attributes[MESSAGE] = TrialState.PRUNED, str(reason)
    except VidsggError as error:
        state, failure, attributes[MESSAGE] = TrialState.FAIL, error, str(error)
    except UpdateFinishedTrialError:  # see below; report found out
        return None
    except BaseException:  # an interrupt, or a mistake of ours
        _give_up(study, trial.number)
        raise
    # This process may have been silent for so long that another one gave the trial up and repeats
    # it: then its end is of no interest.
    with suppress(UpdateFinishedTrialError):
        for name, value in attributes.items():
            trial.set_user_attr(name, value)
        study.tell(trial, score, state, skip_if_finished=True)
    return failure


def _repeat_abandoned(study: Study, watching: Callable[[list[int]], None]) -> int:
    """Put trials whose process is gone back into the queue, and return how many. Waits until every
    running one is known to live or not."""
    silent = _beats(study)
    if silent:
        watching([first_attempt(trial) for trial in study.trials if trial.number in silent])
    end = time.monotonic() + BEATS_OF_SILENCE * BEAT_SECONDS
    while silent and time.monotonic() < end:
        time.sleep(BEAT_SECONDS / 10)
        now = _beats(study)
        silent = {number: beat for number, beat in silent.items() if now.get(number, object()) == beat}
    return sum(_give_up(study, number) for number in silent)


def _beats(study: Study) -> dict[int, int | None]:
    """What the processes of the running trials have counted to."""
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    return {trial.number: trial.user_attrs.get(BEAT) for trial in running}


def _give_up(study: Study, number: int) -> bool:
    """End a running trial and queue its repetition; False if it ended otherwise in the meantime."""
    try:
        trial = study.tell(number, state=TrialState.FAIL)
    except (ValueError, UpdateFinishedTrialError):
        return False
    _repeat(study, trial)
    return True


def _repeat(study: Study, trial: FrozenTrial) -> None:
    """Queue another attempt, which knows what this one has reported: it may go on where this one
    was."""
    again = create_trial(
        state=TrialState.WAITING,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={REPEATS: first_attempt(trial)},
        intermediate_values=trial.intermediate_values,
    )
    study.add_trial(again)


class _Beat:
    """While entered, another thread counts in the trial's attributes."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._count, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _count(self) -> None:
        beat = 0
        while True:
            # a storage that is away for a moment; if it stays away, telling the result fails loudly
            with suppress(Exception):
                self._trial.set_user_attr(BEAT, beat)
            beat += 1
            if self._over.wait(BEAT_SECONDS):
                return


def shown_trials(study: Study) -> list[FrozenTrial]:
    """The trials that count: without those that were begun for nothing or are repeated by
    others."""
    trials = [trial for trial in study.trials if SURPLUS not in trial.user_attrs]
    # the last repetition stands for all
    repeated: Mapping[int, int] = {first_attempt(trial): trial.number for trial in trials}
    return [trial for trial in trials if repeated[first_attempt(trial)] == trial.number]
