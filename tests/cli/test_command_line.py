"""Options from dataclasses: both dashes, YAML, and messages that name the closest word."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from vidsgg.cli.command_line import parse
from vidsgg.cli.main import main
from vidsgg.cli.train import parse_train
from vidsgg.errors import ConfigError
from vidsgg.methods.frequency import FrequencyOptions
from vidsgg.methods.sttran import STTranOptions
from vidsgg.options import option
from vidsgg.status import say, visible


@dataclass(frozen=True)
class Options:
    mode: Literal["predcls", "sgcls"] = option("predcls", "the task")
    lr: float = option(1e-4, "the rate", low=0)
    k: int = option(5, "a number of one letter")
    use_amp: bool = option(False, "a switch")
    path: Path | None = option(None, "a folder")


def read(*argv: str) -> Options:
    return parse(Options, argv, prog="test", description="")


def test_one_dash_and_two_dashes_are_the_same() -> None:
    want = Options("sgcls", 2e-4, 9, True, Path("x"))
    assert read("-mode", "sgcls", "-lr", "2e-4", "-k", "9", "-use_amp", "True", "-path", "x") == want
    assert read("--mode=sgcls", "--lr=2e-4", "--k=9", "--use_amp", "--path", "x") == want


@pytest.mark.parametrize(
    ("word", "value"), [("True", True), ("true", True), ("1", True), ("False", False), ("false", False), ("0", False)]
)
def test_booleans(word: str, value: bool) -> None:
    assert read("-use_amp", word).use_amp is value


def test_a_bare_switch_may_stand_before_another_option() -> None:
    assert read("-use_amp", "-k", "3") == Options(use_amp=True, k=3)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-modle", "x"], "unknown option -modle; did you mean 'mode'"),
        (["--us_amp"], "did you mean 'use_amp'"),
        (["-mode", "predcl"], "unknown value 'predcl'; choose from predcls, sgcls; did you mean 'predcls'"),
        (["-lr", "fast"], "option -lr: expected a number, got 'fast'"),
        (["-lr", "-1e-4"], "option -lr: -0.0001 is too small; the least is 0"),
        (["-lr", "nan"], "nan is not a number"),
        (["-k", "1.5"], "expected a whole number, got '1.5'"),
        (["-use_amp", "maybe"], "expected True or False, got 'maybe'"),
        (["stray"], "unrecognized arguments: stray"),
        (["-lr"], "expected one argument"),
        (["-config", "nowhere.yaml"], "cannot read nowhere.yaml"),
        (["-config=--"], "cannot read --: there is no such file"),
        (["-lr=--"], "option -lr: expected a number, got '--'"),
        (["-use_amp=--"], "expected True or False, got '--'"),
        (["-path", "-graphs"], "unknown option -graphs; a value that begins with a dash is given as -path=-graphs"),
        (
            ["-path", "-"],
            "option -path: it cannot be standard output; name a file or a folder (./- for one that is called '-')",
        ),
        (["--", "-film.mp4"], "unrecognized arguments: -film.mp4"),
    ],
)
def test_mistakes_are_named(argv: list[str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(*argv)
    assert message in str(caught.value)


@dataclass(frozen=True)
class Files:
    files: tuple[str, ...] = option(help="files")
    out: str = option("x", "a file", aliases=["o"], takes_stream=True)
    small: bool = option(False, "a switch")
    rate: float = option(1.0, "a number")


def read_files(*argv: str) -> Files:
    return parse(Files, argv, prog="test", description="", positional=["files"])


@pytest.mark.parametrize(
    ("argv", "want"),
    [
        (["a", "--", "-film.mp4", "--x", "-o", "--"], Files(("a", "-film.mp4", "--x", "-o", "--"))),
        (["-o", "y", "--", "-1.mp4"], Files(("-1.mp4",), "y")),
        (["a", "-o=--"], Files(("a",), "--")),
        (["./-film.mp4", "-o=-graphs"], Files(("./-film.mp4",), "-graphs")),
        (["a", "-o", "-"], Files(("a",), "-")),
        (["-small", "a", "b"], Files(("a", "b"), small=True)),
        (["-small", "False", "a"], Files(("a",), small=False)),
        (["a", "-small", "--", "True"], Files(("a", "True"), small=True)),
        (["a", "-rate", "-1e-3"], Files(("a",), rate=-1e-3)),
    ],
)
def test_words_that_begin_with_a_dash(argv: list[str], want: Files) -> None:
    assert read_files(*argv) == want


@pytest.mark.parametrize("name", ["-film.mp4", "-1.mp4", "--film", "-\u00e9.mp4"])
def test_a_file_that_is_taken_for_an_option_is_explained(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    with pytest.raises(ConfigError) as caught:
        read_files("a", name)
    assert f"unknown option {name}; for the file that is called so, write ./{name}, or put it behind --" in str(
        caught.value
    )
    assert read_files("a", "--", name).files == ("a", name)
    with pytest.raises(ConfigError, match="standard input is not read here"):
        read_files("a", "-")


def test_yaml_reads_numbers_as_numbers_and_the_command_line_wins(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("lr: 1e-3\nuse_amp: true\nk: 7\npath: on\n", encoding="utf-8")
    assert read("-config", str(file)) == Options(lr=1e-3, use_amp=True, k=7, path=Path("on"))
    assert read("-config", str(file), "-k", "8").k == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: predcls", "unknown option 'modle'; did you mean 'mode'"),
        ("lr: fast", "option lr: expected a number, got 'fast'"),
        ("k: [1, 2]", "expected a whole number"),
        ("- a\n- b", "must hold 'option: value' lines"),
        ("a: b: c", "not valid YAML"),
        ("!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_bad_yaml_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read("-config", str(file))
    assert message in str(caught.value)
    assert "run.yaml" in str(caught.value)


def test_the_model_decides_which_options_there_are(tmp_path: Path) -> None:
    assert isinstance(parse_train(["-hidden_dim", "64"], "train.py")[0], STTranOptions)
    assert isinstance(parse_train(["-model", "frequency"], "train.py")[0], FrequencyOptions)
    (tmp_path / "c.yaml").write_text("model: frequency\n", encoding="utf-8")
    assert isinstance(parse_train(["-config", str(tmp_path / "c.yaml")], "train.py")[0], FrequencyOptions)
    with pytest.raises(ConfigError, match=r"option -hidden_dim belongs to sttran, .*not to model 'frequency'"):
        parse_train(["--model=frequency", "-hidden_dim", "64"], "train.py")
    with pytest.raises(ConfigError, match=r"unknown model 'stran'; there are .*did you mean 'sttran'"):
        parse_train(["-model", "stran"], "train.py")


def test_a_written_configuration_reads_back(tmp_path: Path) -> None:
    import yaml

    options, given = parse_train(["-lr", "3e-5", "-hidden_dim", "64", "-seed", "7"], "train.py")
    assert given == {"lr", "hidden_dim", "seed"}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(options.to_dict()), encoding="utf-8")
    assert parse_train(["-config", str(tmp_path / "config.yaml")], "train.py")[0] == options


def test_the_environment_wins_and_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("VIDSGG_OPTIONS", "epochs=2 lr=1e-3 no_option_of_this_command=1")
    options = parse(STTranOptions, ["-epochs", "100", "-lr", "0.1", "-batch_size", "3"], prog="train", description="")
    assert (options.epochs, options.lr, options.batch_size) == (2, 1e-3, 3)
    assert capsys.readouterr().err == "train: by VIDSGG_OPTIONS epochs 2, lr 0.001\n"


@pytest.mark.parametrize(
    ("text", "message"), [("epochs", "'epochs' is no option; write name=value"), ("epochs=x", "VIDSGG_OPTIONS: ")]
)
def test_a_mistake_in_the_environment_is_named(text: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_OPTIONS", text)
    with pytest.raises(ConfigError, match=message):
        parse(STTranOptions, [], prog="train", description="")


def test_names_in_files_do_not_control_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Errors, lines about the work and logs show escape sequences of a name instead of sending them."""
    monkeypatch.chdir(tmp_path)
    name = "a\x1b[2J\x9b31m\r.mp4"
    assert visible(f"{name}\tb\n") == "a\\x1b[2J\\x9b31m\\x0d.mp4\tb\n"
    assert main(["predict", name, "-device", "cpu"]) == 2
    say(name)
    said = capsys.readouterr().err
    assert said.count("a\\x1b[2J") >= 2 and not any(letter in said for letter in "\x1b\x9b\r")
