"""The page about SceneLLM is true: its commands run, what they are said to print they print, and
the tests that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import ROOT, SHORT, blocks, run_block
from datasets.easg_files import write_easg

from vidsgg.methods.scenellm import SceneLLMOptions
from vidsgg.options import fields_of

PAGE = ROOT / "docs" / "scenellm.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_its_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDSGG_LLM_NAME", "random:llama:hidden=64,layers=2,heads=4")
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT.replace("epochs=1", "epochs=2") + " vq_epochs=1 freeze_llm_epochs=1")
    for name in ("EASG", "action_genome"):  # files tell what they are; no pictures, for speed
        write_easg(tmp_path / "data" / name, clips=4)
    ran = [line for text in blocks(PAGE, "bash") for line in run_block(text, tmp_path)]
    assert len(ran) == 3


def test_its_snippet_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    (code,), (said,) = blocks(PAGE, "python"), blocks(PAGE, "text")
    exec(compile(code, PAGE.name, "exec"), {})
    assert capsys.readouterr().out == said


def test_the_tests_that_it_names_exist() -> None:
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", TEXT)
    assert len(named) >= 10
    for file, test in named:
        assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{file} has no {test}"


def test_the_options_and_files_that_it_names_exist() -> None:
    named = set(re.findall(r"`-(\w+)", TEXT))
    assert named - set(fields_of(SceneLLMOptions)) == {"config"}
    for part in re.findall(r"`(\w+\.py)`", TEXT):
        assert (ROOT / "src" / "vidsgg" / "models" / "scenellm" / part).is_file(), part
