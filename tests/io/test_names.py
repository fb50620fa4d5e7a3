"""Names from outside as file names: inside the folder, of sane length, and no two alike."""

from __future__ import annotations

import itertools
import unicodedata
from pathlib import Path, PurePosixPath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidsgg.io.names import LONGEST, file_name, is_one_name

HOSTILE = [
    "../../../../x_1", "..", ".", "", "/etc/passwd", "\\\\server\\share", "C:x", "C:\\x", "a/b", "a\\b", "a\0b", "a\nb", ".hidden",
    "dot.", "space ", " space", "con", "CON.x", "nul", "Com1.mp4", "lpt¹", "aux .txt", "x" * 300, "ü" * 100, "a:stream", "a?", "*",
    "a\u202egnp.exe", "half\ud800", "division\u2215slash", "fullwidth\uff0fslash", "name~0123456789abcdef", "cafe\u0301",
]  # fmt: skip
ORDINARY = [
    "001YG", "AAAAA", "-dXUJsj3yo1", "0000a1e2-f3b4-4d5c-8a9b-0c1d2e3f4a5b", "film (2) [final], v1.2 & more", "Gemüse", "廚房", "caf\u00e9",
    "x" * LONGEST, "console", "com10",
]  # fmt: skip


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_names_stand_for_themselves(name: str) -> None:
    assert file_name(name) == name and is_one_name(name)


@pytest.mark.parametrize("name", HOSTILE)
def test_others_get_a_name_of_their_own(name: str) -> None:
    made = file_name(name)
    assert made != name and made not in ORDINARY and made == file_name(name)
    check_inside(made)


@given(st.text(st.characters(codec=None), max_size=300))
def test_no_text_leaves_the_folder(name: str) -> None:
    check_inside(file_name(name))


@given(st.lists(st.text(st.sampled_from("aAé./\\: \u0301~0ſsS"), max_size=6), max_size=8, unique=True))
def test_no_two_names_meet_in_one_file_on_any_system(names: list[str]) -> None:
    made = [fold(file_name(name, names)) for name in names]
    assert len(set(made)) == len(names)


def test_hostile_names_do_not_meet() -> None:
    made = [file_name(name) for name in (*HOSTILE, *ORDINARY)]
    assert len({fold(name) for name in made}) == len(made)


def test_a_name_cannot_be_made_to_meet_the_made_one() -> None:
    victim = "../x"
    assert file_name(file_name(victim)) != file_name(victim)


def test_case_and_accents_count_where_names_share_a_folder() -> None:
    for one, other in itertools.permutations(("Kitchen", "kitchen", "KITCHEN"), 2):
        assert fold(file_name(one, (one, other))) != fold(file_name(other, (one, other)))
    assert file_name("Kitchen", ("Kitchen", "bath")) == "Kitchen"
    assert file_name("caf\u00e9") != unicodedata.normalize("NFC", file_name("cafe\u0301"))


@pytest.mark.parametrize(
    "name", ["..", ".", "", "../x", "a/b", "a\\b", "C:x", "a\0", "a\n", ".x", "half\ud800", "x" * 241, 7, None, b"x"]
)
def test_what_a_loader_takes_for_no_name(name: object) -> None:
    assert not is_one_name(name)


def check_inside(name: str) -> None:
    """It is one component for every system, can be written in UTF-8, and leaves room for suffixes
    and temporary names."""
    assert is_one_name(name) and name[-1] not in ". " and len(name.encode()) <= LONGEST
    for flavour in (PurePosixPath, PureWindowsPath):
        assert flavour("folder", name + ".graph.json").parent == flavour("folder")
    assert Path("folder", name).name == name
    assert name.partition(".")[0].lower() not in ("con", "nul", "aux", "prn", "com1", "lpt1", "lpt¹")


def fold(name: str) -> str:
    """As a file system that ignores case and the form of accents sees it."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
