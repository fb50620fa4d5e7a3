"""The loop over trials: what is tried, in which order, what happens to failed, pruned and abandoned
trials."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from vidsgg.engine.watch import TrainingError
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import fields_of
from vidsgg.tuning import search
from vidsgg.tuning.results import best_of, importances, read_results
from vidsgg.tuning.samplers import distributions, make_sampler
from vidsgg.tuning.search import ReportScore, run_search
from vidsgg.tuning.space import Space, parse_search
from vidsgg.tuning.storage import open_storage
from vidsgg.tuning.study import open_study

SPACE = parse_search("lr=log:1e-5:1e-3 batch_size=1,2", fields_of(STTranOptions))
GRID = parse_search("lr=1e-4,1e-3 batch_size=1,2", fields_of(STTranOptions))
POINTS = [{"lr": lr, "batch_size": size} for lr in (1e-4, 1e-3) for size in (1, 2)]


@pytest.fixture(autouse=True)
def quick_beats(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(search, "BEAT_SECONDS", 0.05)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield


def study_in_memory(
    sampler: str = "random", space: Space = SPACE, pruner: optuna.pruners.BasePruner | None = None, seed: int = 0
) -> Study:
    return optuna.create_study(
        direction="maximize", sampler=make_sampler(sampler, space, seed), pruner=pruner or optuna.pruners.NopPruner()
    )


class Trials:
    """Objective and listener of a search: ``score`` tells a trial's end, ``tried`` what was tried,
    ``told`` how it ended."""

    def __init__(self, score: Callable[[int, dict[str, Any]], float] = lambda number, values: values["lr"]) -> None:
        self.score, self.tried, self.told, self.watched = score, list[dict[str, Any]](), list[str](), list[list[int]]()

    def run(self, study: Study, space: Space = SPACE, limit: int = 4) -> None:
        def objective(number: int, values: dict[str, Any], report: ReportScore) -> tuple[float, int]:
            self.tried.append(values)
            return self.score(number, values), 3

        def finished(trial: FrozenTrial) -> None:
            self.told.append(trial.state.name)

        run_search(study, space, objective, limit, finished, self.watched.append)


def test_a_grid_is_tried_whole_and_then_nothing_more() -> None:
    study, trials = study_in_memory("grid", GRID), Trials()
    trials.run(study, GRID)
    trials.run(study, GRID)
    assert trials.tried == POINTS
    assert trials.told == ["COMPLETE"] * 4
    assert best_of(read_results(study)).values == {"lr": 1e-3, "batch_size": 1}  # type: ignore[union-attr]


@pytest.mark.parametrize("sampler", ["random", "bayes"])
def test_a_search_in_two_parts_is_the_search_in_one(sampler: str) -> None:
    whole, parts = Trials(), Trials()
    whole.run(study_in_memory(sampler), limit=14)
    study = study_in_memory(sampler)
    parts.run(study, limit=5)
    study.sampler = make_sampler(sampler, SPACE, 0)  # as another process would have it
    parts.run(study, limit=14)
    assert parts.tried == whole.tried
    assert len({values["lr"] for values in whole.tried}) == 14
    assert all(1e-5 <= values["lr"] <= 1e-3 and values["batch_size"] in (1, 2) for values in whole.tried)
    other = Trials()
    other.run(study_in_memory(sampler, seed=1), limit=3)
    assert other.tried != whole.tried[:3]


def test_bayesian_search_looks_where_trials_were_good() -> None:
    near = {}
    for sampler in ("random", "bayes"):
        trials = Trials(lambda number, values: -abs(math.log10(values["lr"] / 1e-4)))
        trials.run(study_in_memory(sampler), limit=50)
        near[sampler] = sum(abs(math.log10(values["lr"] / 1e-4)) < 0.2 for values in trials.tried[20:])
    assert near["bayes"] > 2 * near["random"]


def test_trials_that_diverge_are_results_like_others() -> None:
    def score(number: int, values: dict[str, Any]) -> float:
        raise TrainingError("loss is nan. Try a smaller -lr.")

    study, trials = study_in_memory(), Trials(score)
    trials.run(study, limit=5)
    assert trials.told == ["FAIL"] * 5
    assert [row.message for row in read_results(study)] == ["loss is nan. Try a smaller -lr."] * 5
    assert best_of(read_results(study)) is None


def test_three_failures_in_a_row_stop_the_search_until_it_goes_on() -> None:
    broken = True

    def score(number: int, values: dict[str, Any]) -> float:
        if broken and number in (1, 3, 4, 5):
            raise ConfigError(f"disk full at {number}")
        return float(number)

    study, trials = study_in_memory(), Trials(score)
    with pytest.raises(ConfigError, match=r"3 trials in a row have failed.*disk full at 5"):
        trials.run(study, limit=8)
    assert trials.told == ["COMPLETE", "FAIL", "COMPLETE", "FAIL", "FAIL", "FAIL"]
    broken = False
    trials.run(study, limit=8)
    assert trials.tried[6:9] == trials.tried[3:6]  # those three again, with the same values
    rows = {row.number: row for row in read_results(study)}
    assert {number: row.state for number, row in rows.items()} == {
        **dict.fromkeys((0, 2, 3, 4, 5), "complete"),
        1: "failed",
    } | {row.number: "complete" for row in rows.values() if row.number > 5}
    assert len(rows) == 8


@pytest.mark.parametrize(
    ("epochs", "states"), [(1, ["complete"] * 4), (2, ["complete", "complete", "pruned", "pruned"])]
)
def test_bad_trials_are_pruned_but_not_after_their_last_epoch(epochs: int, states: list[str]) -> None:
    def objective(number: int, values: dict[str, Any], report: ReportScore) -> tuple[float, int]:
        for epoch in range(1, epochs + 1):
            report(epoch, -float(number), epoch == epochs)
        return -float(number), epochs

    study = study_in_memory(pruner=optuna.pruners.MedianPruner(n_startup_trials=2))
    run_search(study, SPACE, objective, 4, lambda trial: None, lambda numbers: None)
    rows = {row.number: row for row in read_results(study)}
    assert [rows[number].state for number in range(4)] == states
    assert (rows[2].score, rows[2].epoch, rows[2].message) == (
        -2.0,
        1,
        "" if epochs == 1 else "others were better after epoch 1",
    )


def test_an_interrupted_trial_is_tried_again_with_what_it_has_reported() -> None:
    study = study_in_memory()
    attempts: list[tuple[int, dict[str, Any]]] = []

    def objective(number: int, values: dict[str, Any], report: ReportScore) -> tuple[float, int]:
        attempts.append((number, values))
        report(1, 0.25, False)
        if len(attempts) == 2:
            raise KeyboardInterrupt
        report(2, 0.5, True)
        return 0.5, 2

    with pytest.raises(KeyboardInterrupt):
        run_search(study, SPACE, objective, 3, lambda trial: None, lambda numbers: None)
    run_search(study, SPACE, objective, 3, lambda trial: None, lambda numbers: None)
    assert attempts[2] == attempts[1]
    rows = read_results(study)
    assert sorted(row.number for row in rows) == [0, 1, 3]  # number 2 was the second attempt of trial 1
    assert all((row.state, row.epoch) == ("complete", 2) for row in rows)


def test_a_trial_whose_process_is_gone_is_tried_again() -> None:
    study, trials = study_in_memory("grid", GRID), Trials()
    lost = study.ask(distributions(GRID))  # a process that was killed here
    trials.run(study, GRID)
    assert trials.watched == [[lost.number]]
    assert trials.tried == [*POINTS[1:], POINTS[0]]
    assert [row.state for row in read_results(study)] == ["complete"] * 4


def test_a_trial_that_runs_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "BEAT_SECONDS", 0.5)  # a busy machine lets a living thread be silent for a while
    study, trials, release = study_in_memory("grid", GRID), Trials(), threading.Event()

    def slow(number: int, values: dict[str, Any]) -> float:
        assert release.wait(30)
        return 1.0

    other = Trials(slow)
    thread = threading.Thread(target=other.run, args=(study, GRID, 1))
    thread.start()
    while not other.tried:
        pass
    trials.run(study, GRID)
    assert trials.tried == POINTS[1:]
    assert [row.state for row in read_results(study) if row.values == POINTS[0]] == ["running"]
    release.set()
    thread.join()
    assert [row.state for row in read_results(study)] == ["complete"] * 4


def test_a_process_that_was_silent_for_long_does_not_spoil_the_repetition() -> None:
    study = study_in_memory()

    def score(number: int, values: dict[str, Any]) -> float:
        if len(trials.tried) == 1:
            search._give_up(study, number)  # what another process would do
            return 9.0
        return 1.0

    trials = Trials(score)
    trials.run(study, limit=2)
    assert trials.tried[0] in trials.tried[1:]
    assert sorted(row.score for row in read_results(study) if row.score is not None) == [1.0, 1.0]


def test_two_processes_that_begin_at_once_do_not_exceed_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other process begins its trial between our look at the study and our beginning."""
    study, trials, ask = study_in_memory("grid", GRID), Trials(), Study.ask

    def ask_after_another(self: Study, space: Any) -> optuna.trial.Trial:
        if len(trials.tried) == 3:
            self.tell(ask(self, space), 0.5)
        return ask(self, space)

    monkeypatch.setattr(Study, "ask", ask_after_another)
    trials.run(study, GRID)
    assert trials.tried == POINTS[:3]
    assert sorted((row.values["lr"], row.values["batch_size"]) for row in read_results(study)) == [
        (p["lr"], p["batch_size"]) for p in POINTS
    ]


def test_importance_is_told_by_what_sets_good_trials_apart() -> None:
    study, trials = study_in_memory(), Trials()
    trials.run(study, limit=7)
    assert importances(study) == {}
    trials.run(study, limit=40)
    found = importances(study)
    assert list(found) == ["lr", "batch_size"]
    assert found["lr"] > 0.8
    assert sum(found.values()) == pytest.approx(1)


@pytest.mark.parametrize("place", ["study.db", "journal:study.journal"])
def test_a_study_is_kept_and_refuses_another_search(place: str, tmp_path: Path) -> None:
    where = place.replace("study.", f"{tmp_path.as_posix()}/deep/study.")
    settings: dict[str, Any] = {
        "sampler": "random",
        "pruner": "none",
        "seed": 0,
        "options": {"epochs": 3, "mode": "predcls"},
    }
    trials = Trials()
    trials.run(open_study("s", where, SPACE, **settings), limit=2)
    trials.run(open_study("s", where, SPACE, **{**settings, "sampler": "bayes", "pruner": "median"}), limit=3)
    assert len(trials.tried) == 3
    with pytest.raises(ConfigError, match=r"epochs was 3, is 4\. Name another -study"):
        open_study("s", where, SPACE, **{**settings, "options": {"epochs": 4, "mode": "predcls"}})
    with pytest.raises(
        ConfigError, match=r"-search lr was log:1e-05:0\.001, is 0\.0001,0\.001, -sampler was samples, is grid"
    ):
        open_study("s", where, GRID, **{**settings, "sampler": "grid"})
    optuna.create_study(storage=open_storage(where), study_name="strange").add_trial(
        optuna.trial.create_trial(state=TrialState.COMPLETE, value=1.0)
    )
    with pytest.raises(ConfigError, match="was not made by 'vidsgg tune'"):
        open_study("strange", where, SPACE, **settings)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nonsense://host/name", "nonsense"),
        ("postgresql+nosuchdriver://user:secret@host/name", "nosuchdriver"),
        ("{folder}/text.db", "file is not a database"),
        ("{folder}/text.db/study.db", "text.db"),
        ("journal:{folder}/text.db/j", "text.db"),
    ],
)
def test_storages_that_cannot_be_used(place: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is a text and no database at all " * 20, encoding="utf-8")
    with pytest.raises(ConfigError, match="option -storage: cannot use") as caught:
        open_storage(place.format(folder=tmp_path.as_posix()))
    assert message in str(caught.value)
    assert "secret" not in str(caught.value)
