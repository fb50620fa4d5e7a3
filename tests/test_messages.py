"""What messages never show: the insides of Python."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vidsgg
from vidsgg.cli.main import main
from vidsgg.errors import counted

PACKAGE = Path(vidsgg.__file__).parent


def test_no_message_quotes_an_error_as_python_writes_it() -> None:
    """``KeyError('bbox')`` tells a user nothing; say what is missing."""
    found = [
        f"{path.relative_to(PACKAGE)}:{number}: {line.strip()}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"\{(error|exc|e|reason)!r\}", line)
    ]
    assert not found


@pytest.mark.parametrize(
    "words",
    [
        ["evaluate", "-checkpoint", "{folder}/none.tar"],
        ["evaluate", "-checkpoint", "{folder}/text.tar"],
        ["predict", "{folder}/text.mp4", "-checkpoint", "{folder}/text.tar"],
        ["view", "{folder}/text.mp4"],
        ["train", "-resume_from", "{folder}/none"],
        ["train", "-config", "{folder}/none.yaml"],
        ["train", "-data_path", "{folder}"],
    ],
    ids=" ".join,
)
def test_numbers_of_system_errors_are_not_shown(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("text.tar", "text.mp4"):
        (tmp_path / name).write_text("a text", encoding="utf-8")
    assert main([word.format(folder=tmp_path) for word in words]) == 2
    error = capsys.readouterr().err
    assert "Errno" not in error and "Error(" not in error and "Traceback" not in error


def test_one_thing_is_not_told_in_the_plural() -> None:
    assert [counted(n, "frame") for n in (0, 1, 2, 1000)] == ["0 frames", "1 frame", "2 frames", "1,000 frames"]
    assert [counted(n, "box", "boxes") for n in (1, 2)] == ["1 box", "2 boxes"]
