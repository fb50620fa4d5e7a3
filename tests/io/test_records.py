"""Records of tensors: what is written comes back, and whatever happens to a file is noticed."""

from __future__ import annotations

import pickle
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from vidsgg.errors import DataError
from vidsgg.io.atomic import left_behind
from vidsgg.io.records import Record, write_record

ABOUT = {"video": "001YG.mp4", "form": "learn", "open": False, "pictures": None}


def tensors() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    box = torch.rand(5, 4, generator=generator)
    rows = torch.arange(5)
    return {
        "box": box,
        "class": rows,
        "target": rows,  # shares its memory with the class
        "half": torch.randn(5, 3, 2, 2, generator=generator).half(),
        "brain": torch.randn(7, generator=generator).bfloat16(),
        "hot": torch.tensor([[True, False], [False, True]]),
        "nothing": torch.zeros(0, 6),
        "turned": box.T,
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_record(tmp_path / "a.safetensors", tensors(), ABOUT)
    return tmp_path / "a.safetensors"


def test_what_is_written_comes_back(path: Path) -> None:
    record = Record(path)
    record.verify()
    assert record.about == ABOUT
    assert set(record) == set(tensors())
    for name, value in tensors().items():
        assert record[name].dtype == value.dtype
        assert torch.equal(record[name], value)
    assert record.size == path.stat().st_size
    assert not left_behind(path.parent)


def test_the_same_content_is_the_same_bytes_and_any_reader_reads_it(path: Path) -> None:
    before = path.read_bytes()
    assert write_record(path, tensors(), ABOUT) == len(before)
    assert path.read_bytes() == before
    assert all(torch.equal(value, load_file(path)[name]) for name, value in tensors().items())


def test_what_is_read_can_be_written_to_without_reaching_the_file(path: Path) -> None:
    before = path.read_bytes()
    Record(path)["box"].zero_()
    assert path.read_bytes() == before


def test_a_record_goes_to_other_processes_as_its_path(path: Path) -> None:
    record = Record(path)
    pickled = pickle.dumps(record)
    assert torch.equal(pickle.loads(pickled)["half"], record["half"])
    write_record(path, {"box": torch.zeros(1)}, {})
    with pytest.raises(DataError, match="was replaced by another record"):
        pickle.loads(pickled)


@pytest.mark.parametrize("where", ["header", "payload"])
def test_every_flipped_bit_is_noticed(path: Path, where: str) -> None:
    good = path.read_bytes()
    start = 8 + int.from_bytes(good[:8], "little")
    rng = random.Random(0)
    for _ in range(200):
        data = bytearray(good)
        at = rng.randrange(start) if where == "header" else rng.randrange(start, len(good))
        data[at] ^= 1 << rng.randrange(8)
        path.write_bytes(data)
        with pytest.raises(DataError, match=rf"^{re.escape(str(path))}: .* remove the file and make it again"):
            Record(path).verify()


@pytest.mark.parametrize(
    "left", [0, 5, 8, 100, -1], ids=["empty", "inside the length", "no header", "half a header", "last byte gone"]
)
def test_a_file_that_is_cut_off(path: Path, left: int) -> None:
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DataError, match=re.escape(str(path))):
        Record(path)
    path.write_bytes(b"x" * 1000)
    with pytest.raises(DataError, match=re.escape(str(path))):
        Record(path)


def test_files_that_are_no_records(path: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such record"):
        Record(tmp_path / "none")
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(DataError, match="too long"):
        Record(path)
    from safetensors.torch import save_file

    save_file({"box": torch.zeros(2)}, path)
    with pytest.raises(DataError, match="no record of vidsgg"):
        Record(path)


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes are POSIX")
def test_a_full_disk_leaves_what_was_there(path: Path) -> None:
    """A file size limit stands for a full disk."""
    code = (
        "import resource, signal, sys, torch, pathlib; from vidsgg.io.records import write_record;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000));"
        "write_record(pathlib.Path(sys.argv[1]), {'a': torch.zeros(100_000)}, {})"
    )
    before = path.read_bytes()
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert "OSError" in done.stderr
    assert path.read_bytes() == before
    assert not left_behind(path.parent)
