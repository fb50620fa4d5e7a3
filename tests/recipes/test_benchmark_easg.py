"""The benchmark on EASG, on a small folder in its format."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets.easg_files import write_easg

from benchmarks.easg import CONFIG, EasgOptions, run, runs_of, table
from vidsgg.cli.command_line import read_options
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions


class Recall:
    """A result whose every number is ``share``."""

    def __init__(self, share: float) -> None:
        self.share = share

    def value(self, constraint: str, k: int, average: str) -> float:
        return self.share


def test_a_row_is_the_mean_and_the_spread_of_its_runs() -> None:
    lines = table(
        {("counted", "no"): [Recall(0.5)], ("trained", "yes"): [Recall(0.7), Recall(0.8), Recall(0.9)]}
    ).splitlines()  # type: ignore[list-item]
    assert lines[2] == "| counted | no | 50.00 | 50.00 | 50.00 |"
    assert lines[3] == "| trained | yes | " + " | ".join(["80.00 +- 10.00"] * 3) + " |"


def test_every_seed_is_a_run_with_the_options_of_the_file(tmp_path: Path) -> None:
    options = runs_of(EasgOptions(data_path="there", seeds="3,5"), tmp_path)["STTran, 2 seeds"]
    assert [(run.seed, run.data_path) for run in options] == [(3, "there"), (5, "there")]
    for name, value in read_options(CONFIG, STTranOptions).items():
        assert getattr(options[0], name) == value
    with pytest.raises(ConfigError, match="-seeds"):
        runs_of(EasgOptions(data_path="there", seeds="1,two"), tmp_path)


def test_it_runs_from_files_to_table(tmp_path: Path) -> None:
    data = write_easg(tmp_path / "data", clips=5)
    lines = run(EasgOptions(data_path=str(data), seeds="0,1"), tmp_path / "runs").splitlines()
    assert len(lines) == 6
    for line in lines[2:]:
        recall = [float(cell.split(" +- ")[0]) for cell in line.split("|")[3:-1]]
        assert len(recall) == 3 and all(0 < value <= 100 for value in recall)
    assert (tmp_path / "runs" / "sttran_1" / "exclusive" / "evaluation_test.json").is_file()
    assert (tmp_path / "runs" / "frequency" / "plain" / "evaluation_test.json").is_file()
