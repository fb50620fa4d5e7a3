"""What -resume_from does: going on, taking weights over, refusing, and finding the last run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import NARROW
from datasets.ag_files import small_set
from datasets.easg_files import write_easg
from engine.training import assert_same_bits

from vidsgg import train_model
from vidsgg.cli import train
from vidsgg.cli.main import run
from vidsgg.datasets.easg import EASG
from vidsgg.errors import ConfigError, DataError
from vidsgg.io.tensors import load_tensors

TINY = [*NARROW, "-eval_freq", "1"]
OTHER = [
    "-epochs",
    "4",
    "-lr",
    "1e-3",
    "-batch_size",
    "2",
    "-save_freq",
    "1",
    "-scheduler",
    "cosine",
    "-dropout",
    "0.3",
]
FINAL, LAST, BEST = "checkpoint_final.tar", "checkpoint_last.tar", "checkpoint_best.tar"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set without pictures, which needs no detector."""
    return write_easg(tmp_path_factory.mktemp("data"), clips=7)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four epochs with options that are not the defaults."""
    path = tmp_path_factory.mktemp("whole") / "run"
    assert run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY, *OTHER]) == 0
    return path


def cut(whole: Path, path: Path, epoch: int) -> Path:
    """The run as it was after an epoch: killed while it did the next."""
    path.mkdir(parents=True)
    for name in (
        "config.yaml",
        "metrics.csv",
        "logfile.txt",
        *(f"checkpoint_epoch_{e}.tar" for e in range(1, epoch + 1)),
    ):
        shutil.copy(whole / name, path)
    shutil.copy(path / f"checkpoint_epoch_{epoch}.tar", path / LAST)
    best = load_tensors(path / LAST)["training_state"]["best_epoch"]
    shutil.copy(path / f"checkpoint_epoch_{best}.tar", path / BEST)
    return path


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = (load_tensors(path / FINAL)["model_state_dict"] for path in (one, other))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def resumed(*argv: object) -> int:
    return run(train.main, ["-resume_from", *map(str, argv)])


def fails(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    capsys.readouterr()
    assert resumed(*argv) == 2
    return capsys.readouterr().err


def test_a_run_goes_on_by_its_name_alone(whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = cut(whole, tmp_path / "run", 2)
    assert resumed(path) == 0
    assert_same_bits(whole / FINAL, path / FINAL)
    log = (path / "logfile.txt").read_text(encoding="utf-8")
    assert f"goes on from {path / LAST}: after step " in log
    assert log.count("Epoch 2/4 - Loss") == 1
    assert "starts from the weights" not in log
    assert (path / "config.yaml").read_text(encoding="utf-8") == (whole / "config.yaml").read_text(encoding="utf-8")
    capsys.readouterr()
    assert resumed(path) == 0
    assert f"{path} is finished, after epoch 4; give more -epochs to continue." in "".join(capsys.readouterr())
    assert (path / "logfile.txt").read_text(encoding="utf-8") == log


def test_a_checkpoint_that_its_run_has_passed_goes_on_elsewhere(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted((file.name, file.stat().st_mtime_ns) for file in whole.iterdir())
    assert resumed(whole / "checkpoint_epoch_2.tar") == 0
    (path,) = tmp_path.glob("output/easg/sttran_predcls_*")
    assert_same_bits(whole / FINAL, path / FINAL)
    assert sorted((file.name, file.stat().st_mtime_ns) for file in whole.iterdir()) == before
    error = fails(capsys, whole / "checkpoint_epoch_2.tar", "-save_path", whole)
    assert "is already at checkpoint_last.tar, after checkpoint_epoch_2.tar, and" in error


def test_a_lone_file_goes_on_in_a_folder_of_its_own(whole: Path, tmp_path: Path) -> None:
    shutil.copy(whole / "checkpoint_epoch_3.tar", tmp_path / "checkpoint_epoch_50.tar")
    assert resumed(tmp_path / "checkpoint_epoch_50.tar", "-save_path", tmp_path / "run") == 0
    assert_same_weights(whole, tmp_path / "run")
    log = (tmp_path / "run" / "logfile.txt").read_text(encoding="utf-8")
    best = load_tensors(whole / "checkpoint_epoch_3.tar")["training_state"]["best_epoch"]
    assert f"warning: the best checkpoint so far, of epoch {best}, is no longer there" in log


def test_the_best_so_far_comes_along(whole: Path, tmp_path: Path) -> None:
    path = cut(whole, tmp_path / "run", 3)
    content = load_tensors(path / LAST)
    content["training_state"]["best_score"] = 2.0  # never to be beaten
    torch.save(content, path / LAST)
    assert resumed(path, "-save_path", tmp_path / "elsewhere") == 0
    assert (tmp_path / "elsewhere" / BEST).read_bytes() == (path / BEST).read_bytes()


def test_last_is_the_newest_run_of_the_same_kind(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ("-data_path", data, "-mode", "predcls", "-model", "sttran")
    assert "there is no checkpoint to go on from in output/*/*, for sttran in mode predcls" in fails(
        capsys, "last", *arguments
    )
    runs = tmp_path / "output" / "easg"
    older, newer, other = cut(whole, runs / "b", 1), cut(whole, runs / "a", 2), cut(whole, runs / "c", 3)
    for age, path in enumerate((older, newer, other)):
        for file in path.glob("*.tar"):
            os.utime(file, (10**9 + age, 10**9 + age))
    config = yaml.safe_load((other / "config.yaml").read_text(encoding="utf-8"))
    (other / "config.yaml").write_text(yaml.safe_dump({**config, "mode": "sgcls"}), encoding="utf-8")
    (runs / "d").mkdir()
    (runs / "d" / "config.yaml").write_text("- not a run\n", encoding="utf-8")
    (newer / LAST).write_bytes((newer / LAST).read_bytes()[:5000])
    assert resumed("last", *arguments) == 0
    out = "".join(capsys.readouterr())
    assert f"warning: passed over a newer checkpoint: {newer.relative_to(tmp_path) / LAST} is damaged" in out
    assert "after step 6, batch 0 of epoch 3" in out
    assert_same_bits(whole / FINAL, newer / FINAL)
    assert not (older / FINAL).exists()
    assert resumed("last", *arguments, "-save_path", older) == 0
    assert_same_bits(whole / FINAL, older / FINAL)


def test_what_decides_the_numbers_may_not_differ(
    whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cut(whole, tmp_path / "run", 2)
    for name, value, had in (
        ("lr", "0.5", "0.001"),
        ("batch_size", "1", "2"),
        ("hidden_dim", "16", "8"),
        ("datasize", "small", "large"),
    ):
        error = fails(capsys, path, f"-{name}", value)
        assert f"option -{name}: {value} was asked for, but {path / LAST} is of a run with {had}" in error
        assert f"Leave out -{name} to resume" in error
    assert resumed(path, "-lr", "1e-3", "-batch_size", "2", "-model", "sttran") == 0  # the same may be said again


def test_a_batch_size_that_was_found_is_said_recorded_and_kept(
    whole: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidsgg.engine.batch_size.FEWEST_STEPS", 2)  # of five videos two are taken
    auto = ["auto" if word == "2" else word for word in OTHER]
    path = tmp_path / "run"
    assert run(train.main, ["-data_path", str(data), "-save_path", str(path), *TINY, *auto]) == 0
    assert "batch size: 2 videos, the most that are taken" in capsys.readouterr().err
    assert_same_bits(whole / FINAL, path / FINAL)
    assert yaml.safe_load((path / "config.yaml").read_text())["batch_size"] == 2
    monkeypatch.setattr("vidsgg.engine.batch_size.FEWEST_STEPS", 1)
    killed = cut(path, tmp_path / "killed", 2)
    assert resumed(killed, "-batch_size", "auto") == 0
    assert_same_bits(whole / FINAL, killed / FINAL)


def test_a_batch_size_is_found_by_the_largest_video_that_can_be_read(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read, asked = EASG.features, list[int]()

    def first_is_broken(self: EASG, index: int) -> Any:
        asked.append(index)
        if len(asked) == 1:
            raise DataError("clip 1: broken")
        return read(self, index)

    monkeypatch.setattr(EASG, "features", first_is_broken)
    words = ["-data_path", str(data), "-save_path", str(tmp_path / "run"), *TINY, "-epochs", "0", "-batch_size", "auto"]
    assert run(train.main, [*words, "-skip_bad", "True"]) == 0
    assert "batch size: 1 video, the most that are taken" in capsys.readouterr().err
    assert asked[0] != asked[1]


def test_where_and_how_it_runs_may_differ(whole: Path, data: Path, tmp_path: Path) -> None:
    path, moved = cut(whole, tmp_path / "run", 2), shutil.copytree(data, tmp_path / "moved")
    free = [
        "-num_workers",
        "1",
        "-save_freq",
        "3",
        "-grad_checkpointing",
        "True",
        "-deterministic",
        "True",
        "-data_path",
        str(moved),
    ]
    assert resumed(path, *free) == 0
    assert_same_weights(whole, path)
    log = (path / "logfile.txt").read_text(encoding="utf-8")
    assert "changed: -data_path " in log
    assert "-num_workers 1 (was 0), -save_freq 3 (was 1)" in log


def test_another_number_of_threads_is_told(whole: Path, tmp_path: Path) -> None:
    path, now = cut(whole, tmp_path / "run", 2), torch.get_num_threads()
    content = load_tensors(path / LAST)
    assert content["threads"] == now
    assert f"threads: {now};" in (whole / "logfile.txt").read_text(encoding="utf-8")
    torch.save({**content, "threads": now + 3}, path / LAST)
    assert resumed(path) == 0
    log = (path / "logfile.txt").read_text(encoding="utf-8")
    assert (
        f"warning: goes on with {now} threads instead of {now + 3}: on a CPU not the same bits;"
        f" OMP_NUM_THREADS={now + 3} in" in log
    )
    old = cut(whole, tmp_path / "old", 2)
    # as version 0.1.0 wrote it
    torch.save({name: value for name, value in content.items() if name != "threads"}, old / LAST)
    assert resumed(old) == 0
    assert "goes on with" not in (old / "logfile.txt").read_text(encoding="utf-8")


def test_more_epochs_are_another_schedule_and_said(whole: Path, tmp_path: Path) -> None:
    path = shutil.copytree(whole, tmp_path / "run")
    assert resumed(path, "-epochs", "6") == 0
    content = load_tensors(path / FINAL)
    assert content["epoch"] == 6
    assert len(content["training_state"]["losses"]) == 6
    log = (path / "logfile.txt").read_text(encoding="utf-8")
    assert (
        "warning: with -epochs 6 instead of 4 the cosine schedule is one over 18 steps: the next learning rate is"
        " 2.77e-4, not 0e0" in log
    )
    assert "Epoch 6/6 - Loss" in log


def test_videos_that_have_changed_are_refused_and_other_ones_start_anew(
    whole: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, root = cut(whole, tmp_path / "run", 2), write_easg(tmp_path / "data", seed=1)
    content = load_tensors(path / LAST)
    content["videos"]["train"] = "7 others"
    torch.save(content, path / "checkpoint_changed.tar")
    error = fails(capsys, path / "checkpoint_changed.tar", "-save_path", tmp_path / "x")
    assert f"the videos in {data} are no longer those" in error
    assert resumed(path, "-data_path", root, "-save_path", tmp_path / "new", "-epochs", "1", *TINY) == 0
    log = (tmp_path / "new" / "logfile.txt").read_text(encoding="utf-8")
    assert f"starts from the weights of {path / BEST} (sttran, predcls, epoch " in log
    assert not (tmp_path / "new" / "checkpoint_epoch_4.tar").exists()


def test_another_detector_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, path = small_set(tmp_path / "data"), tmp_path / "run"
    small = [*TINY, "-features", "off", "-epochs", "1", "-data_path", str(root), "-save_path", str(path)]
    assert run(train.main, small) == 0
    content = load_tensors(path / LAST)
    content["detector"]["weights"] = "others"
    torch.save(content, path / LAST)
    (path / FINAL).unlink()
    (path / BEST).unlink()
    assert "was trained with another detector than 'c4-small' is now" in fails(capsys, path)


def test_train_model_takes_options_by_name_and_returns_the_score(data: Path, tmp_path: Path) -> None:
    options = {"data_path": str(data), "hidden_dim": 8, "temporal_layer": 1, "num_workers": 0, "device": "cpu"}
    score = train_model(lr=1e-3, batch_size=2, epochs=1, save_path=tmp_path / "run", **options)
    assert score == load_tensors(tmp_path / "run" / BEST)["training_state"]["best_score"]
    assert 0 <= score <= 1
    loss = train_model(epochs=1, monitor="val_loss", save_path=tmp_path / "loss", **options)
    lines = (tmp_path / "loss" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert [float(line.split(",")[3]) for line in lines if ",val/loss/total," in line] == [
        pytest.approx(loss, rel=1e-5)
    ]
    with pytest.raises(ConfigError, match=r"unknown option 'batchsize'; did you mean 'batch_size'"):
        train_model(batchsize=2)
    with pytest.raises(ConfigError, match="did you mean 'predcls'"):
        train_model(mode="predcl")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-monitor", "val_recal@20"], "did you mean 'val_recall@20'"),
        (["-model", "frequency", "-use_amp"], "option -use_amp belongs to sttran"),
        (["-opt_level", "O3"], "choose from O0, O1, O2"),
        (["-patience", "0"], "-patience: 0 is too small"),
        (["-batch_size", "many"], "option -batch_size: expected a whole number or auto, got 'many'"),
        (["-model", "frequency", "-batch_size", "auto"], "model frequency is not trained by gradient descent"),
    ],
)
def test_wrong_options(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert run(train.main, ["-data_path", str(data), "-save_path", str(tmp_path / "run"), *argv]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_guessed_pairs_have_no_validation_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = small_set(tmp_path / "data")
    assert (
        run(
            train.main,
            ["-data_path", str(root), "-mode", "sgcls", "-monitor", "val_loss", "-save_path", str(tmp_path / "run")],
        )
        == 2
    )
    assert "there is no validation loss in mode 'sgcls'" in capsys.readouterr().err


def test_an_option_without_effect_is_told(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidsgg.engine.precision.half_type", lambda device: torch.bfloat16)
    arguments = ["-data_path", str(data), *TINY, "-epochs", "1"]
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "a"), "-opt_level", "O2"]) == 0
    assert "warning: -opt_level O2 does nothing without -use_amp True" in "".join(capsys.readouterr())
    amp = [
        "-use_amp",
        "True",
        "-opt_level",
        "O2",
        "-grad_checkpointing",
        "True",
        "-accumulate_grad_batches",
        "2",
        "-patience",
        "3",
    ]
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "b"), *amp]) == 0
    out = "".join(capsys.readouterr())
    assert "mixed precision: O2, bfloat16" in out
    assert "gradient checkpointing: 2 layers are computed again" in out


def test_a_model_that_counts_has_nothing_to_go_on_from(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["-data_path", str(data), "-model", "frequency", "-device", "cpu", "-num_workers", "0"]
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "a")]) == 0
    capsys.readouterr()
    assert run(train.main, [*arguments, "-save_path", str(tmp_path / "b"), "-resume_from", str(tmp_path / "a")]) == 2
    assert "option -resume_from: model frequency counts its training videos in one pass" in capsys.readouterr().err
    assert not (tmp_path / "b").exists()
