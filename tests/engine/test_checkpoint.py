"""Checkpoints are whole or absent, and run nothing when read."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch

from vidsgg.engine.checkpoint import CheckpointError, find_checkpoint, load_checkpoint
from vidsgg.io.tensors import load_tensors, save_tensors

CONTENT = {"epoch": 3, "model_state_dict": {"w": torch.ones(2)}, "config": {"lr": 1e-4}}


def test_round_trip(tmp_path: Path) -> None:
    save_tensors(tmp_path / "c.tar", CONTENT)
    back = load_checkpoint(tmp_path / "c.tar")
    assert back["epoch"] == 3
    assert torch.equal(back["model_state_dict"]["w"], torch.ones(2))
    assert os.listdir(tmp_path) == ["c.tar"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tensors(tmp_path / "c.tar", CONTENT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_tensors(tmp_path / "c.tar", {**CONTENT, "epoch": 4})
    monkeypatch.undo()
    assert load_checkpoint(tmp_path / "c.tar")["epoch"] == 3
    assert os.listdir(tmp_path) == ["c.tar"]


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**CONTENT, "config": Hostile()}, tmp_path / "c.tar")
    with pytest.raises(CheckpointError, match="not loaded"):
        load_checkpoint(tmp_path / "c.tar")
    assert not (tmp_path / "pwned").exists()


@pytest.mark.parametrize("content", [b"", b"hello", pickle.dumps([1, 2])], ids=["empty", "text", "pickle"])
def test_files_of_another_kind_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.tar").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"c\.tar"):
        load_tensors(tmp_path / "c.tar")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    save_tensors(tmp_path / "c.tar", CONTENT)
    whole = (tmp_path / "c.tar").read_bytes()
    (tmp_path / "c.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path / "c.tar")


def test_missing_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        load_checkpoint(tmp_path / "none.tar")
    torch.save({"model": {}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="lacks some of"):
        load_checkpoint(tmp_path / "other.pth")


def test_a_run_folder_stands_for_its_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds none of"):
        find_checkpoint(tmp_path)
    save_tensors(tmp_path / "checkpoint_final.tar", CONTENT)
    assert find_checkpoint(tmp_path).name == "checkpoint_final.tar"
    save_tensors(tmp_path / "checkpoint_best.tar", CONTENT)
    assert find_checkpoint(tmp_path).name == "checkpoint_best.tar"
