"""Nothing is written through a link in a folder that came from outside."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from symlinks import link

from vidsgg.io.links import check_no_links, is_link, regular_file


def test_links_are_told_from_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"1")
    (tmp_path / "folder").mkdir()
    links = [link(tmp_path / f"to_{name}", tmp_path / name) for name in ("file", "folder", "nothing")]
    assert all(map(is_link, links))
    assert not any(
        map(is_link, (tmp_path / "file", tmp_path / "folder", tmp_path / "nothing", tmp_path / "to_folder" / "x"))
    )


@pytest.mark.parametrize("place", ["to_folder", "to_folder/x", "to_folder/x/y.npz", "folder/to_nothing"])
def test_a_link_below_a_folder_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    link(tmp_path / "to_folder", tmp_path / "folder")
    link(tmp_path / "folder" / "to_nothing", tmp_path / "nothing")
    with pytest.raises(OSError, match="is a link") as caught:
        check_no_links(tmp_path / place, below=tmp_path)
    assert Path(caught.value.filename).name.startswith("to_")


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """As /tmp on macOS, or a run's folder on a large disk."""
    (tmp_path / "folder" / "inside").mkdir(parents=True)
    root = link(tmp_path / "root", tmp_path / "folder")
    check_no_links(root / "inside" / "new.json", below=root)
    check_no_links(root, below=root)
    check_no_links(root / "inside", below=tmp_path / "folder")  # not below it as it was named


@pytest.mark.parametrize("mode", ["a", "a+", "r+"])
def test_a_file_that_grows_is_not_opened_through_a_link(tmp_path: Path, mode: str) -> None:
    (tmp_path / "precious").write_text("1")
    for target in ("precious", "nothing"):
        place = link(tmp_path / f"to_{target}", tmp_path / target)
        with pytest.raises(OSError, match="is a link"), open(place, mode, opener=regular_file):
            pass
    assert (tmp_path / "precious").read_text() == "1"
    assert not (tmp_path / "nothing").exists()
    with open(tmp_path / "precious", mode, opener=regular_file) as file:
        file.seek(0, 2)
        file.write("2")
    assert (tmp_path / "precious").read_text() == "12"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes with names in folders")
@pytest.mark.parametrize("mode", ["a", "r", "r+"])
def test_a_pipe_is_refused_at_once(tmp_path: Path, mode: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    expected = pytest.raises(OSError, match=r"is not a regular file|No such device")
    with expected, open(tmp_path / "pipe", mode, opener=regular_file):
        pass
