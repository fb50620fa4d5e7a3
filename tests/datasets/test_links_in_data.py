"""Links that came with a data set: they are read, never written through."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from datasets.ag_files import small_set
from symlinks import link

from vidsgg.datasets.action_genome import ActionGenome
from vidsgg.datasets.prior_cache import known_priors


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "user-cache"))
    return tmp_path / "user-cache"


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "place", ["annotations/.vidsgg", "annotations", "action_genome_v1.0", "action_genome_v1.0/annotations"]
)
def test_caches_are_kept_elsewhere(tmp_path: Path, home: Path, place: str) -> None:
    root, other = small_set(tmp_path / "ag"), tmp_path / "other"
    other.mkdir()
    if place.endswith(".vidsgg"):
        link(root / place, other)
    else:
        inner = other / "annotations" if place == "action_genome_v1.0" else other
        shutil.copytree(root / "annotations", inner, dirs_exist_ok=True)
        shutil.rmtree(root / "annotations")
        (root / place).parent.mkdir(exist_ok=True)
        link(root / place, other)
    before = snapshot(other)
    data = ActionGenome(root, "train")
    known_priors(data)
    for pickle in data.layout.annotations.glob("*.pkl"):  # only the times change, which the cache notes
        status = pickle.stat()
        os.utime(pickle, ns=(status.st_atime_ns, status.st_mtime_ns + 10**9))
    assert len(ActionGenome(root, "train")) == 2
    assert snapshot(other) == before
    assert len(list(home.iterdir())) == 2  # annotations and priors


def test_a_link_in_place_of_a_cache_is_replaced(tmp_path: Path) -> None:
    root, precious = small_set(tmp_path / "ag"), tmp_path / "thesis.txt"
    precious.write_text("years of work", encoding="utf-8")
    (root / "annotations" / ".vidsgg").mkdir()
    cache = link(root / "annotations" / ".vidsgg" / "columns.npz", precious)
    assert len(ActionGenome(root, "train")) == 2
    assert precious.read_text(encoding="utf-8") == "years of work" and not cache.is_symlink()
    assert len(ActionGenome(root, "train")) == 2


def test_pictures_behind_links_are_read(tmp_path: Path) -> None:
    """Many keep the videos on another disk."""
    root = small_set(tmp_path / "ag")
    shutil.move(root / "videos", tmp_path / "disk")
    link(root / "videos", tmp_path / "disk")
    assert len(ActionGenome(root, "train").images(0)) == 3
