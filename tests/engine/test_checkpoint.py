"""Checkpoints are whole or absent, and run nothing when read."""

from __future__ import annotations

import errno
import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from clips import ENTITY

from vidsgg.engine.checkpoint import Checkpoint
from vidsgg.engine.checkpoint_files import find_checkpoint
from vidsgg.errors import CheckpointError
from vidsgg.io.atomic import same_file
from vidsgg.io.tensors import load_tensors, save_tensors

CONTENT = {"epoch": 3, "model_state_dict": {"w": torch.ones(2)}, "config": {"lr": 1e-4}, "schema": ENTITY.to_dict()}


def test_round_trip(tmp_path: Path) -> None:
    save_tensors(tmp_path / "c.tar", CONTENT)
    back = Checkpoint.load(tmp_path / "c.tar")
    assert (back.epoch, back.schema, back.position) == (3, ENTITY, (0, 0, 0))
    assert torch.equal(back.weights["w"], torch.ones(2))
    assert os.listdir(tmp_path) == ["c.tar"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_tensors(tmp_path / "c.tar", CONTENT)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_tensors(tmp_path / "c.tar", {**CONTENT, "epoch": 4})
    monkeypatch.undo()
    assert Checkpoint.load(tmp_path / "c.tar").epoch == 3
    assert os.listdir(tmp_path) == ["c.tar"]


class Hostile:
    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, ("pwned",)


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({**CONTENT, "config": Hostile()}, tmp_path / "c.tar")
    with pytest.raises(CheckpointError, match="not loaded"):
        Checkpoint.load(tmp_path / "c.tar")
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
        Checkpoint.load(tmp_path / "c.tar")


def weights_of(path: Path) -> bytes:
    return Checkpoint.load(path).weights["w"].numpy().tobytes()


def test_one_flipped_bit_anywhere_is_noticed_or_without_effect(tmp_path: Path) -> None:
    weights = torch.arange(500, dtype=torch.float32)
    save_tensors(tmp_path / "c.tar", {**CONTENT, "model_state_dict": {"w": weights}})
    whole, rng = (tmp_path / "c.tar").read_bytes(), random.Random(0)
    at = whole.index(weights.numpy().tobytes())
    inside = [at, at + 1999, *(at + rng.randrange(2000) for _ in range(20))]
    noticed = 0
    for place in [*inside, *(rng.randrange(len(whole)) for _ in range(150))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        path = tmp_path / f"{place}.tar"
        path.write_bytes(damaged)
        try:
            assert weights_of(path) == weights.numpy().tobytes()  # a bit of the padding between two parts
            assert place not in inside
        except CheckpointError as error:
            assert str(error).startswith(str(path)), error
            noticed += 1
    assert noticed > len(inside) + 30


def test_a_file_is_compared_with_its_checksums_once_and_again_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    testzip = zipfile.ZipFile.testzip
    monkeypatch.setattr(zipfile.ZipFile, "testzip", lambda self: looked.append(self) or testzip(self))
    path = tmp_path / "c.tar"
    save_tensors(path, CONTENT)
    for _ in range(3):
        Checkpoint.load(path)
    assert len(looked) == 1
    Checkpoint.load(path, mmap=True)
    assert len(looked) == 1
    path.write_bytes(path.read_bytes().replace(torch.ones(2).numpy().tobytes(), torch.zeros(2).numpy().tobytes()))
    with pytest.raises(CheckpointError, match="is not what was written"):
        Checkpoint.load(path)
    # a damaged file is never taken for a known one
    with pytest.raises(CheckpointError, match="is not what was written"):
        Checkpoint.load(path)


def test_compressed_parts_are_refused_unread(tmp_path: Path) -> None:
    """torch writes none; a few kilobytes could stand for gigabytes."""
    with zipfile.ZipFile(tmp_path / "c.tar", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("c/data.pkl", b"0" * 10**6)
    with pytest.raises(CheckpointError, match="damaged"):
        Checkpoint.load(tmp_path / "c.tar")


def test_files_of_the_old_format_have_no_checksums_and_load(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert torch.equal(load_tensors(tmp_path / "old.pth")["w"], torch.ones(2))


def test_missing_and_foreign(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="there is no file"):
        Checkpoint.load(tmp_path / "none.tar")
    torch.save({"model": {}}, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="lacks some of"):
        Checkpoint.load(tmp_path / "other.pth")


def test_a_run_folder_stands_for_its_best_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds none of"):
        find_checkpoint(tmp_path)
    save_tensors(tmp_path / "checkpoint_final.tar", CONTENT)
    assert find_checkpoint(tmp_path).name == "checkpoint_final.tar"
    save_tensors(tmp_path / "checkpoint_best.tar", CONTENT)
    assert find_checkpoint(tmp_path).name == "checkpoint_best.tar"


def test_what_only_training_reads_is_left_out_and_not_compared(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.tar"
    optimizer = {"state": {0: {"exp_avg": torch.full((700, 9), 3.25)}}, "param_groups": []}
    content = {
        "model_state_dict": {"weight": torch.full((500,), 1.5), "tied": torch.ones(1)},
        "optimizer_state_dict": optimizer,
    }
    content["model_state_dict"]["tied"] = content["model_state_dict"]["weight"][:7]
    save_tensors(path, content)
    (kept,) = load_tensors(path, without=["optimizer_state_dict"]).values()
    assert torch.equal(kept["weight"], torch.full((500,), 1.5)) and kept["tied"].shape == (7,)

    whole = path.read_bytes()
    for value, names in ((3.25, ()), (1.5, ("1.5",))):
        at = whole.index(struct.pack("<4f", *[value] * 4))
        path.write_bytes(whole[:at] + b"\xff" + whole[at + 1 :])
        if names:
            with pytest.raises(CheckpointError, match="is not what was written"):
                load_tensors(path, without=["optimizer_state_dict"])
        else:
            load_tensors(path, without=["optimizer_state_dict"])
        with pytest.raises(CheckpointError, match="is not what was written"):
            load_tensors(path)
    path.write_bytes(whole[:-100])
    with pytest.raises(CheckpointError):
        load_tensors(path, without=["optimizer_state_dict"])


def test_a_file_under_two_names_is_replaced_under_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    best, last = tmp_path / "best", tmp_path / "last"
    for links in (True, False):
        save_tensors(best, {"a": torch.ones(3)})
        with monkeypatch.context() as patch:
            if not links:
                patch.setattr(os, "link", lambda *names: (_ for _ in ()).throw(OSError(errno.EPERM, "no links")))
            same_file(last, best)
            same_file(last, best)
        assert best.samefile(last) == links and best.read_bytes() == last.read_bytes()
        save_tensors(last, {"a": torch.zeros(3)})
        assert torch.equal(load_tensors(best)["a"], torch.ones(3))
        assert torch.equal(load_tensors(last)["a"], torch.zeros(3))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best", "last"]
