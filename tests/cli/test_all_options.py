"""Every option of every command takes any text that a user or a script may give it, or refuses it
with one message: no traceback."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vidsgg.cli import command_line, train
from vidsgg.cli.command_line import check_option_place
from vidsgg.cli.data import COMMANDS as DATA_COMMANDS
from vidsgg.cli.library import COMMANDS as LIBRARY_COMMANDS
from vidsgg.cli.main import COMMANDS, main
from vidsgg.errors import ConfigError
from vidsgg.methods.registry import methods
from vidsgg.options import check_bound, convert, fields_of, kind_of

WORDS = [
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1e999",
    str(10**20),
    str(2**64),
    "9" * 5000,
    "",
    " ",
    "None",
    "a\0b",
    "x" * 300,
    "x" * 5000,
    "\ud800",
    "é" * 200,
]
# What a command needs beside the option that is tried.
NEEDED = {
    "compare": ["a", "b"],
    "view": ["a"],
    "export": ["a", "-format", "csv", "-out", "b"],
    "import-checkpoint": ["a"],
    "synth": ["-out", "b"],
    "convert": ["a", "b"],
    "build": ["a", "-out", "b"],
    "info": ["a"],
    "merge": ["a", "-out", "b"],
    "compact": ["a"],
    "search": ["a", "b"],
    "mcp": ["a"],
    "completion": ["bash"],
    "push": ["a"],
}
LINES = [
    *([name, *NEEDED.get(name, ())] for name in COMMANDS if name not in ("data", "library", "train", "tune", "runs")),
    *(["data", name, *NEEDED.get(name, ())] for name in DATA_COMMANDS),
    *(["library", name, *NEEDED.get(name, ())] for name in LIBRARY_COMMANDS),
    *([name, "-model", model] for name in ("train", "tune") for model in methods()),
    ["runs"],
    ["runs", "compare", "a", "b"],
]


class Accepted(Exception):
    """The command line is read; the work would begin."""


def classes_of(line: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """The option classes that a command line is read with."""
    seen: list[type] = []

    def spy(config: type, argv: Sequence[str], **more: Any) -> dict[str, Any]:
        seen.append(config)
        raise Accepted

    with monkeypatch.context() as patch:
        patch.setattr(command_line, "parse_values", spy)
        patch.setattr(train, "parse_values", spy)
        with contextlib.suppress(Accepted):
            main(line)
    return seen


def refusal(field: dataclasses.Field[Any], annotation: Any, word: str) -> str | None:
    """What is said of a word as an option's value; None if it is taken."""
    try:
        value = convert(f"-{field.name}", word, annotation, field.metadata["choices"])
        check_bound(f"option -{field.name}: ", value, field)
        check_option_place(field, value)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_any_value_of_any_option_is_taken_or_refused(
    line: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (config,) = classes_of(line, monkeypatch)
    for name, (annotation, field) in fields_of(config).items():
        if typing.get_origin(annotation) is tuple:
            annotation = str
        for word in WORDS:
            said = refusal(field, annotation, word)
            assert said is None or (f"option -{name}" in said and len(said) < 1000), said
            kind, optional, _ = kind_of(annotation)
            if kind in (int, float) and not (optional and word == "None"):
                low, high = field.metadata["low"], field.metadata["high"]
                try:
                    fits = low <= float(word) <= high and math.isfinite(float(word))
                except ValueError:
                    fits = False
                assert fits == (said is None), (name, word, said)
            if not word.strip() or "\0" in word or len(word) == 5000 or word == "\ud800":
                assert said is not None, (name, word)
    assert not list(tmp_path.iterdir()), "something was written"


@pytest.mark.parametrize(
    "line", [line for line in LINES if line[0] not in ("train", "tune") or line[2] == "tempura"], ids=" ".join
)
def test_a_wrong_value_ends_the_command_before_any_work(
    line: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """As it is typed; a value of 5,000 digits fits no option."""
    monkeypatch.chdir(tmp_path)
    (config,) = classes_of(line, monkeypatch)
    for name in fields_of(config):
        assert main([*line, f"--{name}={'9' * 5000}"]) == 2
        said = capsys.readouterr().err
        assert said.startswith("error: ") and name in said and len(said) < 1000, said
    assert not list(tmp_path.iterdir()), "something was written"


def test_every_number_states_its_bounds(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for line in LINES:
        for config in classes_of(line, monkeypatch):
            for name, (annotation, field) in fields_of(config).items():
                if kind_of(annotation)[0] in (int, float):
                    low, high = field.metadata.get("low"), field.metadata.get("high")
                    assert low is not None and high is not None, f"{config.__name__}.{name}"
                    if isinstance(field.default, (int, float)):
                        assert low <= field.default <= high, f"{config.__name__}.{name}"


def test_every_option_that_is_written_to_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in LINES:
        for config in classes_of(line, monkeypatch):
            for name in ("out", "save_path"):
                if name in (known := {field.name: field for field in dataclasses.fields(config)}):
                    assert known[name].metadata["place"] in (
                        "new",
                        "new file",
                        "new folder",
                    ), f"{config.__name__}.{name}"
