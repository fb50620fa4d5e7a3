"""Studies whose files were damaged, or written by somebody else: one message, and nothing that only
breaks later."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import fields_of
from vidsgg.tuning.results import best_of, read_results
from vidsgg.tuning.search import EPOCH, run_search
from vidsgg.tuning.space import parse_search
from vidsgg.tuning.study import open_study

SPACE = parse_search("lr=1e-4,1e-3 batch_size=1,2", fields_of(STTranOptions))


def use(place: str) -> tuple[float, int] | None:
    """Open a study and go on with it; what its best trial is."""
    study = open_study("s", place, SPACE, sampler="grid", pruner="none", seed=0, options={"epochs": 3})

    def objective(number: int, values: dict[str, Any], report: Any) -> tuple[float, int]:
        report(1, values["lr"], False)
        return values["lr"] * values["batch_size"], 2

    run_search(study, SPACE, objective, 4, lambda trial: None, lambda numbers: None)
    best = best_of(read_results(study))
    return None if best is None or best.score is None or best.epoch is None else (best.score, best.epoch)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The lines of a finished search."""
    file = tmp_path_factory.mktemp("study") / "s.log"
    assert use(f"journal:{file}") == (2e-3, 2)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("study") / "s.db"
    assert use(str(file)) == (2e-3, 2)
    return file


def written(file: Path, lines: list[Any]) -> str:
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return f"journal:{file}"


ABSENT = object()
VALUES = [ABSENT, None, "x", -1, 10**12, [], {"a": {"b": []}}, 1.5, float("nan"), 10**400, "0001-01-01T00:00:00+00:00"]


def test_any_entry_of_any_line_may_be_anything(journal: list[dict[str, Any]], tmp_path: Path) -> None:
    refused = 0
    for number, line in enumerate(journal):
        for key in line:
            for value in VALUES:
                changed = {name: value if name == key else part for name, part in line.items()}
                if value is ABSENT:
                    del changed[key]
                place = written(tmp_path / "s.log", [*journal[:number], changed, *journal[number + 1 :]])
                try:
                    open_study("s", place, SPACE, sampler="grid", pruner="none", seed=0, options={"epochs": 3})
                except ConfigError as error:
                    assert len(str(error)) < 1000
                    refused += 1
    assert refused > 3 * len(journal)


@pytest.mark.parametrize(
    ("number", "changes", "message"),
    [
        (0, {"op_code": 11}, "line 1, is damaged: op_code is 11; expected"),
        (0, {"study_name": None}, "line 1, is damaged: study_name is None"),
        (3, {"distribution": "{}"}, "line 4, is damaged: .* is no distribution of"),
        (3, {"param_value_internal": 99}, "line 4, is damaged: .* is no distribution of 99"),
    ],
)
def test_the_line_is_named(
    number: int, changes: dict[str, Any], message: str, journal: list[dict[str, Any]], tmp_path: Path
) -> None:
    lines = [{**line, **changes} if i == number else line for i, line in enumerate(journal)]
    with pytest.raises(ConfigError, match=message):
        use(written(tmp_path / "s.log", lines))


def test_a_line_that_is_not_json_is_named(journal: list[dict[str, Any]], tmp_path: Path) -> None:
    place = written(tmp_path / "s.log", journal)
    text = (tmp_path / "s.log").read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "s.log").write_text("".join([*text[:2], "{x\n", *text[2:]]), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"line 3, is damaged: .*Restore the file"):
        use(place)


def test_a_line_that_was_not_finished_is_dropped(journal: list[dict[str, Any]], tmp_path: Path) -> None:
    """As a killed writer or a full disk leaves it: Optuna would glue the next line to it."""
    for kept in (1, 40):
        last = json.dumps(journal[-1])
        place = written(tmp_path / "s.log", journal[:-1])
        with (tmp_path / "s.log").open("a", encoding="utf-8") as file:
            file.write(last[:kept])
        open_study("s", place, SPACE, sampler="grid", pruner="none", seed=0, options={"epochs": 3})
        lines = [json.loads(line) for line in (tmp_path / "s.log").read_text(encoding="utf-8").splitlines()]
        assert lines[: len(journal) - 1] == journal[:-1]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("update study_user_attributes set value_json = '{\"search\": 3}'", "is damaged: search is 3; expected"),
        ("update study_user_attributes set value_json = '['", "is damaged"),
        ("update study_directions set direction = 'MINIMIZE'", "was not made by 'vidsgg tune'"),
        ("update trial_user_attributes set value_json = '\"x\"' where key = 'epoch'", "trial 0, epoch is 'x'"),
        ("insert into trial_user_attributes values (99, 1, 'repeats', '-3')", "trial 0, repeats is -3"),
        ("delete from trial_values", "is damaged: trial 0, which is complete, has 0 scores"),
        ("update trial_params set distribution_json = 'x'", "is damaged"),
        ("update trial_params set param_name = 'other' where param_name = 'lr'", "option 'other', which is not"),
        ("update trial_values set value_type = 'INF_POS', value = null", "not all finite"),
    ],
)
def test_a_database_with_other_values_is_refused(
    statement: str, message: str, database_file: Path, tmp_path: Path
) -> None:
    place = shutil.copy(database_file, tmp_path / "s.db")
    with sqlite3.connect(place) as database:
        database.execute(statement)
    database.close()
    with pytest.raises(ConfigError, match=message):
        use(str(place))


def test_what_was_left_whole_is_gone_on_with(journal: list[dict[str, Any]], tmp_path: Path) -> None:
    """Lines that are lacking at the end are trials that have not ended."""
    assert EPOCH == "epoch" and TrialState.COMPLETE == 1
    ends = [i for i, line in enumerate(journal) if line["op_code"] == 6 and line["state"] == TrialState.COMPLETE]
    assert use(written(tmp_path / "s.log", journal[: ends[1] + 1])) == (2e-3, 2)
