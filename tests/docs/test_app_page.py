"""The page about the app is true."""

from __future__ import annotations

import re

import pytest
from commands import ROOT, blocks

from vidsgg.app.app_options import AppOptions
from vidsgg.cli.command_line import parse
from vidsgg.cli.main import COMMANDS
from vidsgg.options import convert, fields_of

PAGE = ROOT / "docs" / "app.md"
TEXT = PAGE.read_text(encoding="utf-8")
TOLD = re.findall(r"^\| `-(\w+)` \| ([^|]+) \|", TEXT, re.MULTILINE)


@pytest.mark.parametrize(("name", "told"), TOLD)
def test_the_defaults_that_are_told_are_the_programs(name: str, told: str) -> None:
    annotation, field = fields_of(AppOptions)[name]
    assert convert(name, told, annotation) == field.default


def test_every_option_is_told() -> None:
    assert [name for name, _ in TOLD] == [name for name in fields_of(AppOptions) if name != "checkpoints"]


def test_commands_are_read() -> None:
    """They serve until they are ended, which tests/app does; here, that they mean something."""
    lines = [
        line.split("#")[0].split()
        for text in blocks(PAGE, "bash")
        for line in text.splitlines()
        if line.startswith("vidsgg")
    ]
    read = [
        parse(AppOptions, words[2:], prog="vidsgg app", description="", positional=["checkpoints"]) for words in lines
    ]
    assert {words[1] for words in lines} == {"app"} <= set(COMMANDS)
    assert [options.checkpoints for options in read] == [
        (),
        ("output/sttran_sgdet",),
        ("output", "downloads/tempura.tar"),
    ]
    assert read[-1].port == 9000


def test_every_path_that_is_named_exists() -> None:
    paths = re.findall(r"`(tests/[\w/.]+)`", TEXT)
    assert paths and all((ROOT / path).exists() for path in paths)
