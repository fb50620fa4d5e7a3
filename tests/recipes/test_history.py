"""Runs as their folders tell them, in every state a run can be in."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from datasets.easg_files import write_easg

from vidsgg.engine.report import Monitor
from vidsgg.errors import ConfigError
from vidsgg.methods.sttran import STTranOptions
from vidsgg.metrics.protocol import protocol_for
from vidsgg.recipes.command_options import TrainDetectorOptions
from vidsgg.recipes.history import choose_runs, find_runs, read_run_record, scalar_of
from vidsgg.recipes.train import run_training

START = "started: 2026-11-22 10:00:00 on there, vidsgg 0.1.0, torch 2.15.0\n"
DATA = "data: data/EASG (easg), 10 videos to train on, 1 to validate on (a fixed tenth of the training videos)\n"
EPOCHS = "Epoch 1/4 - Loss: 2.5000 - LR: 1e-4 - Time: 60s\nEpoch 2/4 - Loss: 2.0000 - LR: 1e-4 - Time: 75s\n"
ROWS = [
    (1, 10, "train/loss/total", 2.5), (1, 11, "train/grad_norm", 3.0), (2, 20, "train/loss/total", 2.0),
    (2, 20, "val/loss/total", 1.5), (2, 20, "val/with/recall@20", 0.25), (2, 20, "val/with/mR@20", 0.125), (3, 21, "train/lr", 1e-4),
]  # fmt: skip


def write_run(folder: Path, log: str = "", rows: Any = ROWS, **config: Any) -> Path:
    folder.mkdir(parents=True)
    values = {**STTranOptions(data_path="data/EASG").to_dict(), "epochs": 4, "lr": 3e-4, **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (folder / "logfile.txt").write_text(START + DATA + EPOCHS + log, encoding="utf-8")
    lines = ["epoch,step,name,value", *(",".join(map(str, row)) for row in rows)]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def test_everything_is_read(tmp_path: Path) -> None:
    run = read_run_record(
        write_run(tmp_path / "run", "best: Recall@20 25.00 after epoch 2, in run/checkpoint_best.tar\n")
    )
    assert (run.state, run.message) == ("finished", "")
    assert (run.dataset, run.model, run.mode) == ("easg", "sttran", "predcls")
    assert run.started == datetime(2026, 11, 22, 10)
    assert (run.epochs_done, run.epochs_planned, run.seconds) == (2, 4, 135)
    assert (run.best_score, run.best_epoch, run.best) == (0.25, 2, "Recall@20 25.00 (epoch 2)")
    assert run.changed == {"epochs": 4, "lr": 3e-4}
    assert run.curve("train/loss/total") == ((1, 2.5), (2, 2.0))
    assert run.curve("val/nothing") == ()


@pytest.mark.parametrize(
    ("log", "state", "message"),
    [
        ("best: Recall@20 25.00\n", "finished", ""),
        (
            "stopped by SIGTERM at step 20 of epoch 3: saved. Go on with: vidsgg train -resume_from run\n",
            "stopped",
            "SIGTERM at step 20 of epoch 3: saved. Go on with: vidsgg train -resume_from run",
        ),
        (
            "stopped by TrainingError: loss is nan at step 3.\nTry a smaller -lr.\n",
            "failed",
            "TrainingError: loss is nan at step 3. Try a smaller -lr.",
        ),
        ("stopped by Pruned: others were better after epoch 2\n", "pruned", "others were better after epoch 2"),
        ("", "killed", "it ended without a word: killed, or the machine went down"),
        (
            (
                "stopped by KeyboardInterrupt: \nresumed: 2026-11-23 09:30:00 on there, vidsgg 0.1.0, torch"
                " 2.15.0\nbest: Recall@20 25.00\n"
            ),
            "finished",
            "",
        ),
        (
            "best: Recall@20 25.00\nresumed: 2026-11-23 09:30:00 on there, vidsgg 0.1.0, torch 2.15.0\n",
            "killed",
            "it ended without a word",
        ),
    ],
)
def test_how_a_run_ended_is_told_by_what_it_said_since_it_last_started(
    tmp_path: Path, log: str, state: str, message: str
) -> None:
    run = read_run_record(write_run(tmp_path / "run", log))
    assert run.state == state
    assert run.message.startswith(message)
    assert run.started == datetime(
        2026, 11, 23 if "resumed" in log else 22, 9 if "resumed" in log else 10, 30 if "resumed" in log else 0
    )


def test_a_run_whose_folder_is_locked_is_running(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run")
    code = (
        "import sys; from pathlib import Path; from vidsgg.engine.run_lock import RunLock; lock ="
        " RunLock(Path(sys.argv[1])); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdin
        process.stdout.readline()
        for _ in range(2):  # looking takes nothing away
            run = read_run_record(folder)
            assert run.state == "running"
            assert run.message.startswith(f"process {process.pid} on ")
        process.stdin.write("\n")
        process.stdin.close()
    assert read_run_record(folder).state == "killed"


@pytest.mark.parametrize(
    "monitor", ["val_recall@20", "val_mR@50", "val_no/recall@10", "val_semi/mR_frame@20", "val_loss"]
)
def test_what_is_monitored_has_the_name_that_training_gives_it(monitor: str) -> None:
    from vidsgg.datasets.action_genome import SCHEMA

    assert scalar_of(monitor) == f"val/{Monitor.of(monitor, protocol_for(SCHEMA, 'predcls')).key}"


def test_a_loss_is_best_where_it_is_lowest(tmp_path: Path) -> None:
    rows = [(epoch, epoch, "val/loss/total", value) for epoch, value in ((1, 2.0), (2, 1.25), (3, 1.5))]
    assert read_run_record(write_run(tmp_path / "run", rows=rows, monitor="val_loss")).best == "loss 1.2500 (epoch 2)"


def test_detectors_have_runs_too(tmp_path: Path) -> None:
    folder = write_run(
        tmp_path / "run",
        "best: mAP50 30.00 on the held-out videos\n",
        [(2, 9, "val/mAP50", 0.3), (2, 9, "val/mAP", 0.1)],
    )
    config = {**TrainDetectorOptions().__dict__, "detector": "c4-small", "epochs": TrainDetectorOptions().epochs + 1}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    run = read_run_record(folder)
    assert (run.model, run.mode, run.best, run.changed) == (
        "c4-small",
        "detector",
        "mAP50 30.00 (epoch 2)",
        {"epochs": config["epochs"]},
    )


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.yaml", None, "config.yaml: cannot be read (No such file"),
        ("config.yaml", b"mode: predcls\nmodel: ", "config.yaml is not the whole configuration"),
        ("config.yaml", b"mode: [1, 2", "config.yaml is not valid YAML"),
        ("config.yaml", b"\xff\xfe\x00", "config.yaml: is text in UTF-16"),
        ("logfile.txt", None, "logfile.txt: cannot be read"),
        ("metrics.csv", b"\xff\xff,1", "metrics.csv: is not text in UTF-8"),
    ],
)
def test_a_damaged_run_is_listed_as_such(tmp_path: Path, file: str, content: bytes | None, reason: str) -> None:
    write_run(tmp_path / "a" / "good", "best: Recall@20 25.00\n")
    path = write_run(tmp_path / "a" / "bad") / file
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    runs = {run.path.name: run for run in find_runs(tmp_path)}
    assert {name: run.state for name, run in runs.items()} == {"good": "finished", "bad": "damaged"}
    assert runs["bad"].message.startswith(reason)
    with pytest.raises(ConfigError, match="bad cannot be compared"):
        choose_runs(("good", "bad"), tmp_path)


def test_torn_rows_and_options_of_other_versions_do_no_harm(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "run", future_option=3)
    with (folder / "metrics.csv").open("a") as file:
        file.write("2,20,val/with/re")
    run = read_run_record(folder)
    assert run.changed["future_option"] == 3
    assert run.best_score == 0.25


def test_runs_are_found_at_any_depth_in_the_order_of_their_starts(tmp_path: Path) -> None:
    write_run(tmp_path / "tune" / "study" / "trial_0001")
    for name, day in (("easg/late", 25), ("easg/early", 20)):
        log = write_run(tmp_path / name) / "logfile.txt"
        log.write_text(log.read_text().replace("2026-11-22", f"2026-11-{day}"))
    (tmp_path / "easg" / "notes").mkdir()
    assert [str(run.path.relative_to(tmp_path).as_posix()) for run in find_runs(tmp_path)] == [
        "easg/early",
        "tune/study/trial_0001",
        "easg/late",
    ]
    assert find_runs(tmp_path / "easg" / "notes") == []
    with pytest.raises(ConfigError, match="there is no folder"):
        find_runs(tmp_path / "nowhere")


def test_runs_are_chosen_by_folder_or_name(tmp_path: Path) -> None:
    write_run(tmp_path / "output" / "easg" / "one")
    write_run(tmp_path / "other" / "two")
    chosen = choose_runs(("one", str(tmp_path / "other" / "two")), tmp_path / "output")
    assert [run.path.name for run in chosen] == ["one", "two"]
    with pytest.raises(ConfigError, match=r"no run 'ones'.*did you mean 'one'"):
        choose_runs(("ones",), tmp_path / "output")


def test_the_run_that_training_writes_is_read(tmp_path: Path) -> None:
    """Log lines and names are ours on both sides: here they meet."""
    data = write_easg(tmp_path / "data", clips=6, graphs=2)
    options = STTranOptions(
        data_path=str(data), save_path=str(tmp_path / "run"), epochs=2, eval_freq=1, hidden_dim=8, embedding_dim=8, feedforward_dim=16,
        temporal_layer=1, device="cpu", logger="none",
    )  # fmt: skip
    began = datetime.now().replace(microsecond=0)
    outcome = run_training(options, echo=False)
    run = read_run_record(tmp_path / "run")
    assert (run.state, run.dataset, run.epochs_done) == ("finished", "easg", 2)
    assert run.started is not None and began <= run.started <= datetime.now()
    assert (run.best_epoch, run.best_score) == (outcome.best_epoch, pytest.approx(outcome.best_score, abs=1e-6))
    assert len(run.curve("train/loss/total")) == len(run.curve("val/with/mR@20")) == 2
    assert run.changed.keys() == {
        "epochs",
        "eval_freq",
        "hidden_dim",
        "embedding_dim",
        "feedforward_dim",
        "temporal_layer",
    }
