"""vidsgg tune on a tiny data set: whole searches, stops and kills, several processes, and the
training guide's own snippet."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pytest
import torch
from datasets.easg_files import write_easg

import vidsgg
from vidsgg.cli import train, tune
from vidsgg.cli.main import run
from vidsgg.engine.checkpoint_files import BEST, FINAL, LAST
from vidsgg.engine.report import Monitor
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import fields_of
from vidsgg.recipes.command_options import TuneOptions
from vidsgg.recipes.history import find_runs, read_run_record
from vidsgg.recipes.tune import train_command
from vidsgg.recipes.tune_report import trials_table, write_table
from vidsgg.tuning import search
from vidsgg.tuning.results import TrialRow
from vidsgg.tuning.space import parse_search

TINY = (
    "-hidden_dim 8 -embedding_dim 8 -feedforward_dim 16 -temporal_layer 1 -warmup_steps 2 -device cpu -num_workers 0"
    " -logger none"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_easg(tmp_path_factory.mktemp("data"), clips=8, graphs=3)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(search, "BEAT_SECONDS", 0.05)


def words(data: Path, *more: str, epochs: int = 2) -> list[str]:
    return ["-data_path", str(data), *TINY.split(), "-epochs", str(epochs), "-eval_freq", "1", *more]


def table(study: str) -> list[dict[str, str]]:
    with Path("output", "tune", study, "trials.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_grid_from_the_command_to_the_table_and_back(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = words(data, "-search", "lr=1e-3,1e-2 dropout=0:0.5:0.5", "-sampler", "grid", "-study", "grid")
    assert run(tune.main, argv) == 0
    results, status = capsys.readouterr()
    printed = results + status
    rows = table("grid")
    assert [(row["lr"], row["dropout"]) for row in rows] == [
        ("0.001", "0.0"),
        ("0.001", "0.5"),
        ("0.01", "0.0"),
        ("0.01", "0.5"),
    ]
    best = max(rows, key=lambda row: float(row["val_recall@20"]))
    assert (
        f"best: trial {best['trial']}, Recall@20 {100 * float(best['val_recall@20']):.2f} after epoch {best['epoch']}"
        in printed
    )
    assert "Epoch 1/2 - Loss" not in printed  # that is in the trials' own logs
    folder = Path("output", "tune", "grid")
    assert {"study.db", "trials.csv", "history.png", "parallel.png", "trial_0000", "trial_0003"} <= {
        p.name for p in folder.iterdir()
    }
    assert [run.state for run in find_runs(folder)] == ["finished"] * 4

    command = shlex.split(results.strip().splitlines()[-1])
    assert command[:2] == ["vidsgg", "train"]
    assert run(train.main, [*command[2:], "-save_path", "again"]) == 0
    first, second = (
        load_tensors(path / BEST)["model_state_dict"]
        for path in (folder / f"trial_{int(best['trial']):04d}", Path("again"))
    )
    assert all(torch.equal(first[name], second[name]) for name in first)

    capsys.readouterr()
    assert run(tune.main, argv) == 0  # nothing is left to do
    assert "4 trials, of which there are 4" in "".join(capsys.readouterr())
    assert table("grid") == rows


def test_a_search_that_is_stopped_goes_on_where_it_was(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second trial dies in its second epoch: it goes on from its checkpoint, and everything
    ends as without the stop."""
    argv = words(
        data, "-search", "lr=log:1e-3:1e-1 batch_size=1,2", "-sampler", "random", "-trials", "3", "-pruner", "none"
    )
    assert run(tune.main, [*argv, "-study", "whole"]) == 0
    save = torch.save

    def dies(content: Any, file: Any) -> None:
        folder = Path(file.name).parent
        if folder.name == "trial_0001" and (folder / LAST).exists():
            raise KeyboardInterrupt
        save(content, file)

    monkeypatch.setattr(torch, "save", dies)
    assert run(tune.main, [*argv, "-study", "stopped"]) == 130
    monkeypatch.setattr(torch, "save", save)
    assert [run.state for run in find_runs(Path("output", "tune", "stopped"))] == ["finished", "failed"]
    assert run(tune.main, [*argv, "-study", "stopped"]) == 0
    log = Path("output", "tune", "stopped", "trial_0001", "logfile.txt").read_text(encoding="utf-8")
    assert "goes on from" in log
    names = ("lr", "batch_size", "val_recall@20", "epoch", "state")
    assert [[row[name] for name in names] for row in table("stopped")] == [
        [row[name] for name in names] for row in table("whole")
    ]
    # number 2 was the second attempt of trial 1
    for one, other in (("trial_0001", "trial_0001"), ("trial_0002", "trial_0003")):
        first, second = (
            load_tensors(Path("output", "tune", *parts, FINAL))["model_state_dict"]
            for parts in (("whole", one), ("stopped", other))
        )
        assert all(torch.equal(first[name], second[name]) for name in first)


def test_two_processes_at_one_study_of_which_one_is_killed(data: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from vidsgg.tuning import search; search.BEAT_SECONDS = 0.3;"
        "from vidsgg.cli.main import main; sys.exit(main(['tune', *sys.argv[1:]]))"
    )
    search_for = ["-search", "lr=1e-3,1e-2 batch_size=1,2", "-sampler", "grid", "-pruner", "none", "-study", "team"]
    command = [sys.executable, "-c", code, *words(data, *search_for, epochs=4)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    victim, survivor = (
        subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for _ in range(2)
    )
    assert victim.stdout and survivor.stdout
    wait_for(lambda line: line.startswith("trial "), victim)
    wait_for(lambda line: line.startswith("trial "), survivor)
    victim.kill()
    printed = survivor.stdout.read()
    victim.wait()
    assert survivor.wait() == 0, printed
    rows = table("team")
    assert sorted((float(row["lr"]), int(row["batch_size"])) for row in rows) == [
        (lr, size) for lr in (1e-3, 1e-2) for size in (1, 2)
    ]
    assert {row["state"] for row in rows} == {"complete"}
    assert len(find_runs(Path("output", "tune", "team"))) == 4


def wait_for(is_it: Callable[[str], bool], process: subprocess.Popen[str]) -> None:
    assert process.stdout
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if is_it(process.stdout.readline()):
            return
    raise AssertionError("the line did not come")


def test_options_that_some_values_make_impossible_fail_alone(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tune.main, words(data, "-search", "hidden_dim=8,9", "-sampler", "grid")) == 0
    assert "must be a multiple of 8" in "".join(capsys.readouterr())
    assert [row["state"] for row in table("sttran_predcls")] == ["complete", "failed"]
    assert "must be a multiple of 8" in table("sttran_predcls")[1]["message"]


def test_models_are_searched_with_the_options_that_all_have(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(
            tune.main, words(data, "-search", "model=sttran,frequency seed=1,2", "-sampler", "grid", "-study", "models")
        )
        == 0
    )
    found = {run.path.name: (run.model, run.options["seed"]) for run in find_runs(Path("output", "tune", "models"))}
    assert found == {
        "trial_0000": ("sttran", 1),
        "trial_0001": ("sttran", 2),
        "trial_0002": ("frequency", 1),
        "trial_0003": ("frequency", 2),
    }
    assert read_run_record(Path("output", "tune", "models", "trial_0000")).options["hidden_dim"] == 8


def test_losses_are_searched_downwards(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(
            tune.main,
            words(data, "-search", "lr=1e-5,1e-2", "-sampler", "grid", "-monitor", "val_loss", "-study", "loss"),
        )
        == 0
    )
    losses = [float(row["val_loss"]) for row in table("loss")]
    assert losses[1] < losses[0]
    assert f"best: trial 1, loss {losses[1]:.4f}" in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "option -search is required"),
        (["-search", "lr=1e-4,fast"], "option -search: 'lr=1e-4,fast': option -lr: expected a number, got 'fast'"),
        (["-search", "mode=predcls,sgcls"], "mode cannot be searched: trials on other data"),
        (
            ["-search", "model=sttran,frequency dropout=0,0.5"],
            "dropout cannot be searched: not an option of sttran and frequency",
        ),
        (["-search", "lr=1e-4:1e-3", "-sampler", "grid"], "a grid needs single values or a step"),
        (["-search", "lr=1e-4,1e-3", "-sampler", "grid", "-trials", "3"], "the grid has 2 points"),
        (["-search", "lr=1,2", "-sampler", "gird"], "did you mean 'grid'"),
        (["-search", "lr=1,2", "-trails", "3"], "did you mean 'trials'"),
        (["-search", "lr=1,2", "-trials", "0"], "option -trials: 0 is too small"),
        (["-search", "lr=1,2", "-study", "a/b"], "cannot be the name of a folder"),
        (["-search", "lr=1,2", "-storage", "nonsense://there"], "option -storage: cannot use nonsense://there"),
        (["-search", "lr=1,2", "-distributed", "True"], "Start the same 'vidsgg tune' once for every GPU"),
        (["-search", "lr=1,2", "-monitor", "val_recal@20"], "did you mean 'val_recall@20'"),
        (["-search", "lr=1,2", "-device", "cuda:99"], "option -device: cannot use 'cuda:99'"),
        (["-search", "lr=1,2", "-logger", "tensorbord"], "did you mean 'tensorboard'"),
        (["-search", "lr=1,2", "-save_path", "here"], "name the study with -study"),
        (["-search", "lr=1,2", "-data_path", "nowhere"], "data set folder nowhere does not exist"),
        (["-search", "lr=1,2", "-model", "frequency"], "option -hidden_dim belongs to sttran"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(
    data: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert run(tune.main, words(data, *argv)) == 2
    assert message in capsys.readouterr().err
    assert not Path("output").exists()


def test_another_search_under_the_same_name_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = words(data, "-search", "lr=1e-3,1e-2", "-sampler", "grid", "-trials", "1", epochs=1)
    assert run(tune.main, argv) == 0
    assert run(tune.main, [*argv, "-epochs", "2"]) == 2
    assert "epochs was 1, is 2. Name another -study" in capsys.readouterr().err
    assert run(tune.main, [*argv, "-storage", "another.db"]) == 2
    assert "holds trials of a study that is not in" in capsys.readouterr().err


def test_options_and_search_may_stand_in_a_file(data: Path) -> None:
    """Also in the file that a run has left: it names no folder, so every trial can have its own."""
    assert run(train.main, words(data, "-save_path", "run", "-lr", "1e-3", epochs=1)) == 0
    Path("search.yaml").write_text(
        Path("run", "config.yaml").read_text() + "search: batch_size=1,2\nsampler: grid\nstudy: file\n"
    )
    assert run(tune.main, ["-config", "search.yaml"]) == 0
    found = [
        (run.options["lr"], run.options["batch_size"], run.epochs_done)
        for run in find_runs(Path("output", "tune", "file"))
    ]
    assert found == [(1e-3, 1, 1), (1e-3, 2, 1)]


def test_without_optuna_it_says_how_to_install_it(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tune.importlib.util, "find_spec", lambda name: None)
    assert run(tune.main, words(data, "-search", "lr=1,2")) == 2
    assert "pip install 'vidsgg[tune]'" in capsys.readouterr().err


def test_no_option_of_training_has_the_name_of_one_of_the_search() -> None:
    from vidsgg.methods.registry import methods

    own = set(TuneOptions.__dataclass_fields__)
    assert not [entry.name for entry in methods().values() if own & set(entry.options.__dataclass_fields__)]


GUIDE = """
    import optuna

    def objective(trial):
        lr = trial.suggest_loguniform('lr', 1e-5, 1e-3)
        batch_size = trial.suggest_categorical('batch_size', [1, 2, 4])

        # Train model with suggested hyperparameters
        score = train_model(lr=lr, batch_size=batch_size)
        return score

    study = optuna.create_study()
    study.optimize(objective, n_trials=100)
"""


@pytest.mark.filterwarnings("ignore:suggest_loguniform has been deprecated:FutureWarning")
def test_a_command_that_repeats_a_trial_says_options_as_they_are_typed() -> None:
    options = STTranOptions(batch_size=None, lr=1e-3)
    command = train_command(options, {"batch_size", "lr", "epochs"})
    assert command == "vidsgg train -lr 0.001 -batch_size auto"


def test_tables_say_options_as_they_are_typed(tmp_path: Path) -> None:
    everything = fields_of(STTranOptions)
    space = parse_search("batch_size=auto,2 num_workers=none,1", everything)
    rows = [
        TrialRow(0, "complete", 0.5, 1, 1.0, {"batch_size": None, "num_workers": None}),
        TrialRow(1, "waiting", None, None, None, {}),
    ]
    monitor = Monitor("val_recall@20", "with/R@20", rising=True)
    first, second = trials_table(rows, space, monitor).splitlines()[-2:]
    assert first.split()[-2:] == ["auto", "none"] and second.split() == ["1", "waiting"]
    write_table(tmp_path / "trials.csv", rows, space, monitor)
    with (tmp_path / "trials.csv").open(newline="", encoding="utf-8") as file:
        written = [(row["batch_size"], row["num_workers"]) for row in csv.DictReader(file)]
    assert written == [("auto", "none"), ("", "")]


def test_the_training_guides_own_search(data: Path) -> None:
    """As printed, but for two trials of a small model. Where Optuna no longer has
    suggest_loguniform, docs/tuning.md names what replaces it."""
    text = textwrap.dedent(GUIDE).replace("n_trials=100", "n_trials=2")
    if not hasattr(optuna.Trial, "suggest_loguniform"):
        text = text.replace("suggest_loguniform('lr', 1e-5, 1e-3)", "suggest_float('lr', 1e-5, 1e-3, log=True)")
    settings = dict(zip([word.lstrip("-") for word in TINY.split()[::2]], TINY.split()[1::2], strict=True))
    names: dict[str, Any] = {"train_model": partial(vidsgg.train_model, data_path=str(data), epochs=1, **settings)}
    exec(compile(text, "training_guide", "exec"), names)
    trials = names["study"].trials
    assert [0 <= trial.value <= 1 for trial in trials] == [True, True]
    runs = find_runs(Path("output", "easg"))
    assert sorted(run.options["lr"] for run in runs) == sorted(trial.params["lr"] for trial in trials)
