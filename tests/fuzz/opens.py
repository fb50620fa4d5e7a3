"""Whether every file that we wrote is whole: it is opened by what reads files of its kind."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import torch
import yaml
from PIL import Image as Pillow
from safetensors import safe_open


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _csv(path: Path) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        widths = {len(row) for row in csv.reader(file)}
    assert len(widths) == 1, f"{path} has rows of {sorted(widths)} columns"


def _yaml(path: Path) -> None:
    assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict), path


def _arrays(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        assert [arrays[name].shape for name in arrays], path


def _picture(path: Path) -> None:
    with Pillow.open(path) as picture:
        picture.load()


def _video(path: Path) -> None:
    with av.open(str(path)) as container:
        assert sum(1 for _ in container.decode(video=0)), path


def _tensors(path: Path) -> None:
    torch.load(path, weights_only=True)


def _record(path: Path) -> None:
    with safe_open(path, "np") as record:
        assert [record.get_tensor(name).shape for name in record.keys()], path  # noqa: SIM118 (it is no dict)


def _page(path: Path) -> None:
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>"), f"{path} is cut off"


def _study(path: Path) -> None:
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        assert database.execute("pragma integrity_check").fetchone() == ("ok",), path
    database.close()


def _text(path: Path) -> None:
    path.read_text(encoding="utf-8")


_READERS: dict[str, Callable[[Path], None]] = {
    ".json": _json, ".csv": _csv, ".yaml": _yaml, ".npz": _arrays, ".png": _picture, ".mp4": _video, ".tar": _tensors, ".pth": _tensors,
    ".pt": _tensors, ".safetensors": _record, ".html": _page, ".db": _study, ".txt": _text,
}  # fmt: skip


def check_whole(folder: Path, *, killed: bool = False) -> None:
    """Raises AssertionError naming a file in ``folder`` that cannot be read as what its name says.
    killed: what a killed writer leaves under a temporary name, and rows of a table that it was
    writing, are no fault.
    """
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        if path.name.startswith(".vidsgg-") and path.name.endswith(".tmp"):
            assert killed, f"{path} was left behind"
            continue
        if killed and path.name == "metrics.csv":  # it grows row by row; resuming cuts it to what the checkpoint knows
            continue
        read = _READERS.get(path.suffix)
        if read is not None:
            try:
                read(path)
            except Exception as error:
                raise AssertionError(f"{path} is not whole: {type(error).__name__}: {str(error)[:300]}") from error
