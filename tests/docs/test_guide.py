"""The user guide is true: every command and every snippet of it runs, and its tables are those of
the program."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import ROOT, SHORT, blocks, prepare, run_block
from datasets.easg_files import write_easg
from detectors.tiny import tiny_detector

from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.detectors.files import save_detector
from vidsgg.methods.registry import methods
from vidsgg.options import convert, fields_of

GUIDE = ROOT / "docs" / "guide.md"


def test_every_command_and_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIDSGG_OPTIONS", SHORT)
    monkeypatch.setenv("VIDSGG_LLM_NAME", "random:llama:hidden=64,layers=2,heads=4")
    prepare(tmp_path)
    write_easg(tmp_path / "data" / "EASG", clips=4)
    data, ran = tmp_path / "data" / "action_genome", []
    for kind, text in re.findall(
        r"^```(bash|python)\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    ):
        if kind == "bash":
            ran += run_block(text, tmp_path)
            if not (data / "detector.pth").exists():  # a narrow one: the published one takes most of each run
                save_detector(data / "detector.pth", tiny_detector(OBJECTS))
        else:
            exec(compile(text, f"{GUIDE.name}: {text[:40]!r}", "exec"), {"__name__": "guide"})
    assert len(ran) == sum(map(len, map(_commands, blocks(GUIDE, "bash"))))
    assert {"predcls", "sgcls", "sgdet", "easg", "again", "launched"} <= {
        path.name for path in (tmp_path / "output").iterdir()
    }


def _commands(text: str) -> list[str]:
    """The commands of a block, of which a script of the shell's own counts as one."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]
    inside = [i for i, line in enumerate(lines) if re.match(r"(done|export|unset)\b", line)]
    return lines[inside[-1] :] if inside else lines


def _tables() -> list[tuple[str, str]]:
    return re.findall(r"^\| `-(\w+)` \| ([^|]+) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize(("name", "told"), _tables())
def test_the_defaults_that_are_told_are_the_programs(name: str, told: str) -> None:
    kinds = [entry.options for entry in methods().values() if name in fields_of(entry.options)]
    assert kinds, f"no model has the option -{name}"
    annotation, field = fields_of(kinds[0])[name]
    if field.default is None:
        assert " " in told  # in words
    else:
        assert convert(name, told, annotation) == field.default


def test_every_common_option_of_the_training_guide_is_told() -> None:
    assert {
        "mode",
        "model",
        "data_path",
        "datasize",
        "lr",
        "batch_size",
        "epochs",
        "weight_decay",
        "clip_grad",
        "warmup_steps",
    } <= {name for name, _ in _tables()}
