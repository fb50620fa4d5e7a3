"""A folder with a mark is a program's own; only what was made is removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from symlinks import link

from vidsgg.errors import ConfigError
from vidsgg.io.homes import claim_home, remove_made, unmarked_entries


def fill(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("1")
    return root


def left(root: Path) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix() for path in root.rglob("*") if not path.is_dir() or path.is_symlink()
    )


def test_a_home_is_marked_and_stays_one(tmp_path: Path) -> None:
    for _ in range(2):
        claim_home(tmp_path / "demo", "demo", "-out", unmarked=lambda folder: False)
        fill(tmp_path / "demo", "anything")
    assert left(tmp_path / "demo") == [".vidsgg-demo", "anything"]


def test_a_folder_that_another_process_marks_at_this_moment_is_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It writes the mark, then its first file, just before the folder is listed."""
    listed = Path.iterdir

    def later(folder: Path) -> Iterator[Path]:
        fill(folder, "mark", "record")
        return listed(folder)

    assert unmarked_entries(tmp_path / "new", tmp_path / "new/mark") == []
    monkeypatch.setattr(Path, "iterdir", later)
    assert unmarked_entries(tmp_path, tmp_path / "mark") == []
    monkeypatch.undo()
    (tmp_path / "mark").unlink()
    fill(tmp_path, ".DS_Store", f".vidsgg-{'0' * 16}-mark.tmp")
    assert unmarked_entries(tmp_path, tmp_path / "mark") == [tmp_path / "record"]


def test_a_folder_of_others_becomes_none(tmp_path: Path) -> None:
    fill(tmp_path, "thesis.tex", ".vidsgg-app")
    with pytest.raises(ConfigError, match=r"option -out: .* no folder of 'vidsgg demo' \(\.vidsgg-demo is missing\)"):
        claim_home(tmp_path, "demo", "-out", unmarked=lambda folder: False)
    assert left(tmp_path) == [".vidsgg-app", "thesis.tex"]
    claim_home(tmp_path, "demo", "-out", unmarked=lambda folder: True)
    assert left(tmp_path) == [".vidsgg-app", ".vidsgg-demo", "thesis.tex"]


def test_only_what_matches_is_removed_and_folders_that_become_empty(tmp_path: Path) -> None:
    root = fill(
        tmp_path / "r",
        "videos/S0001.mp4",
        "videos/mine.mp4",
        "frames/S0001.mp4/000001.png",
        "frames/.DS_Store",
        "S0002.mp4",
        "x/S0003.mp4",
    )
    (root / "empty").mkdir()
    remove_made(root, ["videos/S????.mp4", "frames/S????.mp4/??????.png", "nothing/*"])
    assert left(root) == ["S0002.mp4", "videos/mine.mp4", "x/S0003.mp4"]
    assert not (root / "frames").exists()
    assert (root / "empty").is_dir()
    remove_made(root, ["**/*.mp4", "empty"])
    assert not root.exists()


def test_links_are_not_followed(tmp_path: Path) -> None:
    fill(tmp_path / "precious", "S0001.mp4")
    root = fill(tmp_path / "r", "a/x.txt")
    link(root / "videos", tmp_path / "precious")
    link(root / "a" / "S0002.mp4", tmp_path / "precious" / "S0001.mp4")
    remove_made(root, ["*/S????.mp4"])
    assert left(root) == ["a/x.txt", "videos"]
    remove_made(link(tmp_path / "linked", tmp_path / "precious"), ["*"])
    assert left(tmp_path / "precious") == ["S0001.mp4"]
