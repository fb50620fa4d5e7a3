"""The demo on a handful of videos, from nothing to the page and the commands to go on with."""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from clips import ENTITY

from vidsgg.cli.demo import main, started_as
from vidsgg.cli.main import main as vidsgg
from vidsgg.cli.main import run
from vidsgg.datasets.synthetic.known import MARKER
from vidsgg.errors import ConfigError
from vidsgg.metrics.protocol import protocol_for
from vidsgg.metrics.recall import RecallCounts
from vidsgg.recipes.command_options import LARGE_DEMO, MEDIUM_DEMO, QUICK_DEMO, DemoOptions
from vidsgg.recipes.demo import remove_demo, run_demo
from vidsgg.recipes.demo_report import announcement, best_film, expected_seconds, next_commands

# One test film, and a detector that has learnt too little to find much.
SMALLEST = DemoOptions(out="my demo", videos=5, epochs=1, detector_epochs=1)


def test_the_demo_ends_with_a_table_a_page_and_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path(SMALLEST.out)
    done = run_demo(SMALLEST, "program")
    printed, said = done.text, capsys.readouterr().err
    assert re.findall(r"^\[(\d)/6, about \d+ (?:s|min) left\]", said, re.MULTILINE) == list("123456")
    assert "warning" not in said + printed
    rows = re.findall(r"^(predcls|sgdet): .*  \d+ of 100  +(\d+) of 100$", printed, re.MULTILINE)
    assert [mode for mode, _ in rows] == ["predcls", "sgdet"]
    assert printed.count("R@20") == 1  # recall is defined once
    assert "float16 from" in (out / "sttran_sgdet" / "logfile.txt").read_text(encoding="utf-8")
    assert done.page == out / "S0004.html" and f"\n  {done.page.resolve()}\n" in printed
    only = f"S0004 is the only test film: the model finds {rows[1][1]} of 100 true relations."
    assert only in printed and only in done.page.read_text(encoding="utf-8")

    predict, compare, app = (shlex.split(line) for line in re.findall(r"^  program (.*)$", printed, re.MULTILINE))
    assert predict[0] == "predict" and Path(predict[1]).is_file() and Path(predict[3]).is_dir()
    assert predict[predict.index("&&") :] == ["&&", "program", "view", str(out / "graphs")]
    assert app[0] == "app" and Path(app[1]).is_dir()
    assert vidsgg(compare) == 0 and (out / "comparison" / "comparison.csv").is_file()

    theirs = {
        out / name
        for name in (
            "notes.txt",
            "graphs/mine.graph.json",
            "sttran_sgdet/notes.txt",
            "mine/config.yaml",
            "data/features/notes.txt",
            "data/mine.mp4",
        )
    }
    for path in theirs:
        path.parent.mkdir(exist_ok=True)
        path.write_text("of a user")
    made_again = {
        out / "data" / MARKER,
        *(out / "data" / "videos").iterdir(),
        *(out / "data" / "annotations").rglob("*"),
    }
    asked_for = set((out / "comparison").iterdir())
    remove_demo(out)  # as the second demo begins
    left = {path for path in out.rglob("*") if path.is_file()}
    assert left == {path for path in made_again if path.is_file()} | theirs | asked_for | {
        done.page,
        done.page.with_suffix(".graph.json"),
        out / ".vidsgg-demo",
    }


def test_the_best_film_is_the_one_in_which_most_is_found() -> None:
    protocol = protocol_for(ENTITY, "predcls")
    counts = RecallCounts.empty(len(protocol.constraints), len(protocol.ks), len(ENTITY.vocabulary.predicates))
    one = RecallCounts(*(np.zeros((1, *table.shape[1:]), table.dtype) for table in vars(counts).values()))
    frames = np.array([10])
    films = [replace(one, units=frames, recall=one.recall + share * 10) for share in (0.25, 0.75, 0.5)]
    best = best_film(("S1", "S2", "S3"), RecallCounts.cat(films), protocol)
    assert (best.name, best.recall, best.overall) == ("S2", 0.75, 0.5)
    assert best.text() == (
        "S2 is the best of 3 test films: the model finds 75 of 100 true relations there; over all test films it finds"
        " 50 of 100."
    )


@pytest.mark.parametrize(("mode", "given"), [("sgdet", False), ("predcls", True)])
def test_a_model_that_needs_boxes_is_given_them(mode: str, given: bool) -> None:
    lines = next_commands("vidsgg", Path("a b"), mode, Path("a b/S1.mp4"), Path("a b/S1.graph.json"))
    assert ("-boxes 'a b/S1.graph.json'" in lines) == given
    assert (f"vidsgg app 'a b/sttran_{mode}'" in lines) != given and ("has to be given boxes" in lines) == given


def test_commands_begin_with_what_was_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "vidsgg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sys, "argv", ["bin/vidsgg", "demo"])  # as 'make demo' starts it
    assert started_as() == str(Path("bin/vidsgg"))
    monkeypatch.setenv("PATH", str(program.parent))
    assert started_as() == "vidsgg"
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "__main__.py"), "demo"])
    assert started_as() == f"{shlex.quote(sys.executable)} -m vidsgg"


def test_three_sizes_and_what_is_given_besides() -> None:
    assert DemoOptions().size == MEDIUM_DEMO
    assert DemoOptions(large=True).size == LARGE_DEMO
    quick = DemoOptions(quick=True, epochs=3)
    assert (quick.size.videos, quick.size.epochs) == (QUICK_DEMO.videos, 3)
    seconds = [sum(expected_seconds(size)) for size in (QUICK_DEMO, MEDIUM_DEMO, LARGE_DEMO)]
    assert seconds[0] <= 150 and seconds[1] < 600 and 1200 < seconds[2] < 2400  # as README says
    said = announcement(DemoOptions(), MEDIUM_DEMO)
    assert "vidsgg demo -quick (about " in said and "vidsgg demo -large (about " in said and " MB of disk" in said


@pytest.mark.parametrize("names", [["thesis.tex"], ["data/synthetic.json", "sttran_predcls/config.yaml", "thesis.tex"]])
def test_a_folder_of_others_is_refused_and_untouched(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("1")
    with pytest.raises(ConfigError, match="no folder of 'vidsgg demo'"):
        run_demo(DemoOptions(out=str(tmp_path)))
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == sorted(
        names
    )


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["-modes", "predcls,sgdte"], "'sgdte' is no mode"),
        (["-quick", "-large"], "-quick and -large"),
        (["-videos", "9"], "the least is 10"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], problem: str
) -> None:
    assert run(main, ["-out", str(tmp_path / "demo"), *words]) == 2
    assert problem in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
