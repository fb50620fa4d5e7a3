"""What people expect of a program on the command line: help, completion, quiet and verbose, streams."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clips import entity_annotation
from datasets.easg_files import write_easg

from vidsgg.cli.colours import red
from vidsgg.cli.main import COMMANDS, main
from vidsgg.inference.graphs import annotated_graph
from vidsgg.io.graphs import write_graph


def help_of(line: str, how: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main([*line.split(), how])
    assert ended.value.code == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("line", ["train", "predict", "evaluate", "data check", "library build", "models"])
def test_help_is_short_and_names_every_option_once(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    short, whole = (help_of(line, how, capsys) for how in ("-h", "-help-all"))
    names = [re.findall(r"^  (-[\w-]+)", text, re.MULTILINE) for text in (short, whole)]
    assert set(names[0]) <= set(names[1])
    assert all(len(found) == len(set(found)) for found in names)
    assert not re.search(r"^  -.*--\w", whole, re.MULTILINE), "an option is spelt twice"
    assert short.startswith(f"usage: vidsgg {line} ")
    if line in ("train", "predict", "evaluate"):
        assert len(names[0]) < len(names[1]) and len(short.splitlines()) < 60
        assert f"more options: 'vidsgg {line} -help-all' lists them." in short
        assert whole.index("common options:") < whole.index("further options:")


def test_every_command_shows_the_same_switches(capsys: pytest.CaptureFixture[str]) -> None:
    for name in set(COMMANDS) - {"data", "library"}:
        assert re.findall(r"^  -[qvh] ", help_of(name, "-h", capsys), re.MULTILINE) == ["  -q ", "  -v ", "  -h "]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("trian", "error: unknown command 'trian'; did you mean 'train'? 'vidsgg -h' lists all.\n"),
        ("data chekc", "error: unknown command 'data chekc'; did you mean 'check'? 'vidsgg data -h' lists all.\n"),
        ("xyz", "error: unknown command 'xyz'. 'vidsgg -h' lists all.\n"),
    ],
)
def test_an_unknown_command_costs_one_line(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("spelling", ["-V", "--version", "-version"])
def test_the_version(spelling: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([spelling]) == 0
    assert re.fullmatch(r"vidsgg \d+\.\d+\.\d+\n", capsys.readouterr().out)


def test_verbose_tells_versions_and_where_an_error_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-v", "runs", "nowhere"]) == main(["runs", "nowhere", "-v"]) == 2
    said = capsys.readouterr().err
    assert said.count("Traceback") == 2 and said.count("torch 2") == 2 and "find_runs" in said
    assert main(["runs", "nowhere"]) == 2
    assert "Traceback" not in capsys.readouterr().err, "-v outlived its command"


def test_quiet_leaves_the_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_easg(tmp_path / "data", clips=4)
    train = [
        "train",
        "-model",
        "frequency",
        "-data_path",
        str(tmp_path / "data"),
        "-logger",
        "none",
        "-num_workers",
        "0",
    ]
    for more, silent in (([], False), (["-q"], True)):
        run = tmp_path / f"run{silent}"
        assert main([*train, "-save_path", str(run), *more]) == 0
        said = capsys.readouterr()
        assert said.out == f"{run}\n", "the result alone is on standard output"
        assert (said.err == "") == silent


def test_a_document_goes_to_standard_output(tmp_path: Path) -> None:
    """As a file would hold it, byte for byte; what else there is to say is on standard error."""
    graph = annotated_graph(entity_annotation([2, 1], name="walk"))
    write_graph(tmp_path / "a.graph.json", graph)
    command = [sys.executable, "-m", "vidsgg"]
    assert main(["view", str(tmp_path / "a.graph.json"), "-o", str(tmp_path / "pages")]) == 0
    page = subprocess.run([*command, "view", "a.graph.json", "-o", "-"], cwd=tmp_path, capture_output=True, check=True)
    assert page.stdout == (tmp_path / "pages" / "a.html").read_bytes()
    table = [*command, "export", "a.graph.json", "-format", "csv", "-o", "-"]
    rows = subprocess.run(table, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert rows.stdout.splitlines() and graph.video_id in rows.stdout
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.graph.json", "pages"]


class _Terminal:
    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal: object = _Terminal()
    assert red("x", terminal) == "\033[1;31mx\033[0m"  # type: ignore[arg-type]
    assert red("x", sys.stdout) == "x", "a file or a pipe"
    monkeypatch.setenv("NO_COLOR", "1")
    assert red("x", terminal) == "x"  # type: ignore[arg-type]


def offered(line: str, tmp_path: Path) -> list[str]:
    """What bash is offered at the end of a line: as argcomplete's shell function asks."""
    asked = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n"}
    answer = tmp_path / "answer"
    environment = {**os.environ, **asked, "COMP_TYPE": "9", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    subprocess.run([sys.executable, "-m", "vidsgg"], env=environment, cwd=tmp_path, check=True, timeout=60)
    return [word.strip() for word in answer.read_text(encoding="utf-8").split("\n")]


@pytest.mark.parametrize(
    ("line", "some"),
    [
        ("vidsgg pr", ["predict"]),
        ("vidsgg data che", ["check"]),
        ("vidsgg train -model tempura -num_mix", ["-num_mixtures"]),
        ("vidsgg predict --thr", ["--threshold"]),
        ("vidsgg train -mode sg", ["sgcls", "sgdet"]),
        ("vidsgg train -model te", ["tempura"]),
        ("vidsgg view a_gr", ["a_graph.json"]),
    ],
)
def test_the_tab_key(line: str, some: list[str], tmp_path: Path) -> None:
    (tmp_path / "a_graph.json").touch()
    assert offered(line, tmp_path) == some


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shells_can_read_what_sets_completion_up(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "vidsgg" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"] if shell != "fish" else [shell, "--no-execute"], input=script, text=True, check=True)


def test_graphs_of_one_video_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).touch()
    assert main(["predict", str(tmp_path), "-o", "-"]) == 2
    assert "standard output takes the graph of one video, and 2 are given" in capsys.readouterr().err
    assert main(["predict", "-checkpoint", "geometry", "-o", "-"]) == 2
    assert "needs a folder, not standard output" in capsys.readouterr().err
