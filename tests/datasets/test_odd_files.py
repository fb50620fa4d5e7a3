"""Data sets in which something other than a file stands for a file: one message, and nothing waits
for ever."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from datasets.ag_files import dump_frames, small_set
from datasets.easg_files import write_easg, write_features

from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")

NEEDED = {
    "annotations/person_bbox.pkl", "annotations/object_bbox_and_relationship.pkl", "annotations/object_classes.txt",
    "annotations/relationship_classes.txt", "easg_train.pkl", "verbs.txt", "objects.txt", "relationships.txt",
}  # fmt: skip
OTHERS = {
    "annotations/frame_list.txt", "annotations/.vidsgg/columns.npz", "annotations/.vidsgg", "videos/AAAAA.mp4", "videos", "frames",
    "frames/AAAAA.mp4", "frames/AAAAA.mp4/000002.png", "roi_feats_train.pkl", "verb_features.pt",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A read that waits for a pipe is a failure after a while."""
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "user-cache"))
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits for a pipe"))
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", ["pipe", "folder", "link to itself"])
@pytest.mark.parametrize("name", sorted(NEEDED | OTHERS))
def test_what_is_no_file_is_told(tmp_path: Path, name: str, kind: str) -> None:
    if name.endswith(("verbs.txt", "objects.txt", "relationships.txt")) or name.startswith(("easg", "roi", "verb")):
        root = write_easg(tmp_path / "easg")
        write_features(root)
    else:
        root = small_set(tmp_path / "ag")
        dump_frames(root, "AAAAA")
        check_dataset(root, "none")  # writes the cache
    path = root / name
    if path.is_dir():
        path.rename(tmp_path / "away")
    else:
        path.unlink()
    {"pipe": os.mkfifo, "folder": os.mkdir, "link to itself": lambda p: p.symlink_to(p)}[kind](path)
    optional = name.endswith("_classes.txt") and kind == "link to itself"  # as if they were not there
    if name in NEEDED and not optional:
        assert not check_dataset(root, "all").clean
        with pytest.raises(DataError, match=path.name):
            open_whole_split(root, "train", "predcls")
    else:
        check_dataset(root, "all").text()
        try:
            data = open_whole_split(root, "train", "predcls")
            assert len(data.images(0) if data.schema.has_frames else data.features(0))
        except DataError as error:
            assert path.name in str(error) or "AAAAA" in str(error)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may enter every folder")
@pytest.mark.parametrize("folder", [".", "annotations", "videos"])
def test_folders_that_may_not_be_entered(tmp_path: Path, folder: str) -> None:
    root = small_set(tmp_path / "ag")
    (root / folder).chmod(0)
    try:
        with pytest.raises(DataError, match="Permission denied"):
            identify(root)
            open_whole_split(root, "train", "predcls").images(0)
    finally:
        (root / folder).chmod(0o755)
