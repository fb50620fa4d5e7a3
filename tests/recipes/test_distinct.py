"""Names for what is written about files: short where they differ, longer where they do not, on
every system."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidsgg.recipes.distinct import distinct, names_of


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a/kitchen.mp4", "a/walk.mp4"], ["kitchen", "walk"]),
        (["a/test.avi", "a/test.mp4", "a/other.mp4"], ["test.avi", "test.mp4", "other"]),
        (["a/kitchen.mp4", "b/kitchen.mp4"], ["a_kitchen", "b_kitchen"]),
        (["a/test.avi", "a/test.mp4", "b/test.avi"], ["a_test", "test.mp4", "b_test"]),
        (["a/Film.mp4", "a/film.mkv"], ["Film.mp4", "film.mkv"]),
        (["a/Stra\u00dfe.mp4", "b/STRASSE.mp4"], ["a_Stra\u00dfe", "b_STRASSE"]),
        (["a/caf\u00e9.mp4", "b/cafe\u0301.mp4"], ["a_caf\u00e9", "b_cafe\u0301"]),
    ],
)
def test_names_differ_where_files_do(tmp_path: Path, files: list[str], names: list[str]) -> None:
    assert distinct([names_of(tmp_path / file) for file in files]) == names


def test_paths_that_are_called_alike_in_every_way_have_names_of_their_own(tmp_path: Path) -> None:
    files = [tmp_path / top / "a" / "k.mp4" for top in ("x", "y", "z")]
    names = distinct([names_of(file) for file in files])
    assert len(set(names)) == 3 and all(name.startswith("k_") for name in names)
    assert distinct([names_of(file) for file in files[:2]]) == names[:2]  # also in another call


def test_a_longer_name_is_nobody_elses_short_one(tmp_path: Path) -> None:
    names = distinct([names_of(tmp_path / file) for file in ("a/a.mp4", "b/a.mp4", "c/a_a.mp4")])
    assert len(set(names)) == 3


def test_names_leave_room_for_suffixes_and_stay_apart(tmp_path: Path) -> None:
    """A file's own name may be as long as a file system takes, 255 bytes."""
    files = [tmp_path / "f" / f"{letter * 251}.mp4" for letter in "ab"] + [
        tmp_path / ("g" * 250) / "a.mp4",
        tmp_path / "f" / "a.mp4",
    ]
    for i, file in enumerate(files):
        names = names_of(file)
        assert all(len(name.encode()) <= 200 for name in names) and len(set(names)) == len(names), i
    assert names_of(files[-1])[0] == "a" and names_of(files[0])[0].startswith("aaaa")
    assert len(set(distinct([names_of(file) for file in files]))) == 4
