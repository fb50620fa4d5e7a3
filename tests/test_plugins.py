"""Registries: what is built in, what installed packages bring, what the user names as
package.module:NAME."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from vidsgg.errors import ConfigError
from vidsgg.plugins import Registry

GROUP = "vidsgg.tests.kind"


def registry() -> Registry[int]:
    built_in = {"one": "of_ours:ONE", "eleven": "of_ours:ELEVEN"}
    return Registry(
        "number",
        GROUP,
        built_in,
        lambda name, thing: "" if isinstance(thing, int) else f"it is {thing!r}, not a number",
    )


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "of_ours.py").write_text("ONE, ELEVEN = 1, 11\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("of_ours", "of_theirs", "of_others"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return tmp_path


def install(place: Path, package: str, module: str, content: str, *entries: str) -> None:
    """A package as installers leave it: a module, and beside it what is known of it."""
    (place / f"{module}.py").write_text(content, encoding="utf-8")
    about = place / f"{package.replace('-', '_')}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n", encoding="utf-8")
    (about / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *entries, ""]), encoding="utf-8")


def test_built_in_and_installed_things_have_names(place: Path) -> None:
    install(place, "their-numbers", "of_theirs", "open('imported', 'w').close()\nTWO = 2\n", "two = of_theirs:TWO")
    numbers = registry()
    assert numbers.names() == ("one", "eleven", "two")
    assert "of_theirs" not in sys.modules  # nothing is imported by its name
    assert (numbers.get("one"), numbers.get("two")) == (1, 2)
    assert numbers.all() == {"one": 1, "eleven": 11, "two": 2}


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_an_unknown_name_is_told_with_the_closest(place: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"option -number: unknown number 'elven'; there are one, eleven, and package.module:NAME for your"
            r" own; did you mean 'eleven'\?"
        ),
    ):
        registry().get("elven")


@pytest.mark.parametrize(
    ("content", "entry", "said"),
    [
        ("raise RuntimeError('no sums today')\n", "two = of_theirs:TWO", "RuntimeError: no sums today"),
        ("import numbers_that_are_not_there\n", "two = of_theirs:TWO", "No module named 'numbers_that_are_not_there'"),
        ("", "two = of_theirs:TWO", "has no attribute 'TWO'"),
        ("TWO = 'zwei'\n", "two = of_theirs:TWO", "it is 'zwei', not a number"),
        ("TWO = 2\n", "two = of_theirs", "not of the form package.module:NAME"),
    ],
)
def test_a_broken_package_is_named_and_stops_only_who_asks_for_it(
    place: Path, capsys: pytest.CaptureFixture[str], content: str, entry: str, said: str
) -> None:
    install(place, "their-numbers", "of_theirs", content, entry)
    numbers = registry()
    with pytest.raises(ConfigError) as caught:
        numbers.get("two")
    assert "option -number: 'two' of the installed package their-numbers" in str(caught.value) and said in str(
        caught.value
    )
    assert numbers.all() == numbers.all() == {"one": 1, "eleven": 11}
    warning = capsys.readouterr().err
    assert (
        warning.startswith("warning: option -number: 'two' of the installed package their-numbers")
        and warning.count("\n") == 1
    )


def test_two_things_of_one_name_are_both_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(place, "their-numbers", "of_theirs", "TWO = 2\nONE = 1\n", "two = of_theirs:TWO", "one = of_theirs:ONE")
    install(place, "other-numbers", "of_others", "TWO = 3\n", "two = of_others:TWO")
    numbers = registry()
    with pytest.raises(
        ConfigError, match=r"'two' is the name of several objects.*(their|other)-numbers .* and (their|other)-numbers "
    ):
        numbers.get("two")
    with pytest.raises(
        ConfigError, match=r"'one' is the name of several objects: of vidsgg \(of_ours:ONE\) and their-numbers"
    ):
        numbers.get("one")
    assert numbers.all() == {"eleven": 11}
    assert capsys.readouterr().err.count("warning: ") == 2


def test_code_is_taken_from_the_user_only(place: Path) -> None:
    (place / "of_others.py").write_text("SEVEN, WORD = 7, 'seven'\n", encoding="utf-8")
    numbers = registry()
    with pytest.raises(ConfigError, match="If you trust it, name it yourself: -number of_others:SEVEN"):
        numbers.get("of_others:SEVEN")
    assert "of_others" not in sys.modules
    assert numbers.admit("of_others:SEVEN") == numbers.get("of_others:SEVEN") == 7
    assert numbers.all() == {"one": 1, "eleven": 11, "of_others:SEVEN": 7}
    assert registry().all() == {"one": 1, "eleven": 11}  # what one was told another does not know
    with pytest.raises(ConfigError, match="option -number: 'of_others:WORD': it is 'seven', not a number"):
        numbers.admit("of_others:WORD")
    with pytest.raises(ConfigError, match="option -number: 'of_others:EIGHT'"):
        numbers.admit("of_others:EIGHT")
    assert numbers.admit("eleven") == 11
