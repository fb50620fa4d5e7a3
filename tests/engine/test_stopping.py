"""Early stopping, and the value by which it and the choice of the best epoch go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from clips import ACTION, ENTITY
from engine.training import Case

import vidsgg
from vidsgg.engine.course import Course
from vidsgg.engine.early_stopping import EarlyStopping
from vidsgg.engine.report import Monitor
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.metrics.protocol import protocol_for

PREDCLS = protocol_for(ENTITY, "predcls")


def test_patience_counts_evaluations_without_progress() -> None:
    stopping = EarlyStopping(patience=2, min_delta=0.01)
    scores = [0.10, 0.20, 0.205, 0.22, 0.22, 0.10]
    assert [stopping.observe(score) for score in scores] == [False, False, False, False, False, True]
    assert stopping.best == 0.22


def test_losses_are_to_fall() -> None:
    stopping = EarlyStopping(patience=2, monitor="val_loss")
    assert [stopping.observe(loss) for loss in (2.0, 1.5, 1.6, 1.4999)] == [False, False, False, True]


def test_the_guides_own_lines() -> None:
    early_stopping = vidsgg.EarlyStopping(patience=10, min_delta=0.001, monitor="val_recall@20")
    assert early_stopping == EarlyStopping()
    with pytest.raises(AttributeError, match="no attribute 'EarlyStoping'"):
        _ = vidsgg.EarlyStoping


def test_its_state_goes_on_with_another_patience() -> None:
    first, second = EarlyStopping(patience=2), EarlyStopping(patience=3)
    for score in (0.5, 0.1, 0.1):
        first.observe(score)
    second.load_state_dict(first.state_dict())
    assert (first.exhausted, second.exhausted) == (True, False)
    assert second.observe(0.1)


@pytest.mark.parametrize(
    ("name", "key", "rising"),
    [
        ("val_recall@20", "with/recall@20", True),
        ("val_mR@50", "with/mR@50", True),
        ("val_no/mR_frame@10", "no/mR_frame@10", True),
        ("val_loss", "loss/total", False),
    ],
)
def test_monitors_have_names(name: str, key: str, rising: bool) -> None:
    assert Monitor.of(name, PREDCLS) == Monitor(name, key, rising)


@pytest.mark.parametrize("name", ["val_recal@20", "recall@20", "val_recall@30", "val_no/mR_frame@100"])
def test_unknown_monitors_name_the_closest(name: str) -> None:
    protocol = protocol_for(ACTION, "predcls")
    with pytest.raises(ConfigError, match=r"option -monitor: unknown value .*There are val_loss, val_recall@K"):
        Monitor.of(name, protocol)
    if name == "val_recal@20":
        with pytest.raises(ConfigError, match="did you mean 'val_recall@20'"):
            Monitor.of(name, protocol)


def test_a_run_stops_when_its_score_no_longer_rises(tmp_path: Path) -> None:
    stuck: dict[str, Any] = {"epochs": 30, "eval_freq": 1, "lr": 0.0, "kind": "action"}
    case = Case(tmp_path / "run", patience=2, **stuck)
    result = case.run()
    assert (case.state.epoch, result.best_epoch) == (4, 1)  # one evaluation to be beaten, two that do not
    log = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    assert "early stopping: 2 evaluations without progress in val_recall@20" in log
    assert load_tensors(tmp_path / "run" / "checkpoint_final.tar")["epoch"] == 3
    again = Case(tmp_path / "run", patience=2, **stuck)
    again.run()
    assert again.state.epoch == 4  # stopped is stopped
    more = Case(tmp_path / "run", patience=4, **stuck)
    more.run()
    assert more.state.epoch == 6


class TwoStages(Course):
    last_stage = 4


def test_the_scores_of_the_last_stage_alone_choose_the_best_epoch_and_end_the_run(tmp_path: Path) -> None:
    """An earlier stage may score higher; waiting begins with the last stage."""
    losses = iter((0.1, 0.2, 0.3, 2.0, 1.0, 1.5, 1.6))
    case = Case(tmp_path, epochs=9, eval_freq=1, monitor="val_loss", patience=2, schedule="plateau")
    result, _ = case.validate()
    case.validate = lambda: (result, {"total": next(losses)})
    rates = []
    ended = case.run(
        course=TwoStages(), after_evaluation=lambda epoch, score: rates.append(case.state.schedule.factor(99))
    )
    assert (ended.best_epoch, ended.best_score, case.state.epoch) == (5, 1.0, 8)
    assert load_tensors(tmp_path / "checkpoint_best.tar")["epoch"] == 5
    assert rates == [1, 1, 0.5, 1, 1, 1, 0.5]


def test_the_lowest_loss_may_choose_the_best_epoch(tmp_path: Path) -> None:
    case = Case(tmp_path, epochs=4, eval_freq=1, monitor="val_loss")
    told = []
    result = case.run(after_evaluation=lambda epoch, score: told.append((epoch, score)))
    losses = [-score for _, score in told]
    assert [epoch for epoch, _ in told] == [1, 2, 3, 4]
    assert result.best_score == min(losses)
    assert result.best_epoch == 1 + losses.index(min(losses))
    assert load_tensors(tmp_path / "checkpoint_best.tar")["epoch"] == result.best_epoch


def test_what_the_hook_raises_ends_the_run(tmp_path: Path) -> None:
    class Pruned(Exception):
        pass

    def prune(epoch: int, score: float) -> None:
        assert (tmp_path / "checkpoint_best.tar").exists()
        raise Pruned("worse than the others")

    with pytest.raises(Pruned):
        Case(tmp_path).run(after_evaluation=prune)
    assert (tmp_path / "logfile.txt").read_text(encoding="utf-8").endswith("stopped by Pruned: worse than the others\n")
