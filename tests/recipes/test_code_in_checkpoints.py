"""A checkpoint, or the configuration in a run's folder, never chooses code that is run."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from commands import NARROW
from datasets.easg_files import write_easg

import vidsgg
from vidsgg.cli import compare, evaluate, predict, runs, train
from vidsgg.cli.main import run
from vidsgg.errors import ConfigError
from vidsgg.io.tensors import load_tensors
from vidsgg.methods.registry import methods
from vidsgg.methods.training_options import TrainOptions, _RunOptions, options_from
from vidsgg.options import fields_of
from vidsgg.plugins import load_plugin, names_code, plugin_options, withhold_code

PACKAGE = Path(vidsgg.__file__).parent
TINY = [*NARROW, "-eval_freq", "1"]
LAST = "checkpoint_last.tar"
# Where names of modules are constants of ours: lists of commands, models and formats.
IMPORT_BY_OUR_NAMES = {
    "lazy.py",
    "cli/main.py",
    "cli/groups.py",
    "methods/method.py",
}


def option_classes() -> list[type]:
    """Every class of options in the package."""
    found: dict[type, None] = {}
    for info in pkgutil.walk_packages(vidsgg.__path__, "vidsgg."):
        if info.name.split(".")[-1].endswith("options"):
            for kind in vars(importlib.import_module(info.name)).values():
                if isinstance(kind, type) and dataclasses.is_dataclass(kind):
                    found[kind] = None
    return list(found)


def notes_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that Python finds, which tells by a file that it was imported; its class is a good
    logger."""
    mark = folder / "imported"
    (folder / "notes_of_mine.py").write_text(
        f"open({str(mark)!r}, 'w').close()\nfrom vidsgg.engine.loggers import NoLogger\nclass Logger(NoLogger): pass\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "notes_of_mine", raising=False)
    return mark


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_easg(tmp_path_factory.mktemp("data"), clips=7)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    assert run(train.main, ["-data_path", str(data), "-save_path", str(path), "-epochs", "2", *TINY]) == 0
    return path


def from_elsewhere(whole: Path, path: Path, option: str, value: str) -> Path:
    """A run that was stopped after its first epoch, whose files name code for an option."""
    shutil.copytree(whole, path)
    (path / "checkpoint_final.tar").unlink()
    content = load_tensors(path / "checkpoint_best.tar")
    content["epoch"], content["config"][option] = 1, value
    for name in (LAST, "checkpoint_best.tar"):
        torch.save(content, path / name)
    config = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    (path / "config.yaml").write_text(yaml.safe_dump({**config, option: value}), encoding="utf-8")
    return path


def test_the_options_that_take_code() -> None:
    """That of a detector is tried with pictures, in tests/plugins."""
    assert plugin_options(TrainOptions) == {"logger", "detector"}


@pytest.mark.parametrize("option", ["logger"])
@pytest.mark.parametrize("place", ["a run", "a checkpoint", "last", "a run without a checkpoint"])
def test_code_that_a_run_names_is_not_imported_until_the_user_names_it(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    place: str,
) -> None:
    mark, path = (
        notes_module(tmp_path, monkeypatch),
        from_elsewhere(whole, tmp_path / "run", option, "notes_of_mine:Logger"),
    )
    if place == "a run without a checkpoint":
        for file in path.glob("checkpoint_*.tar"):
            file.unlink()
    words = (
        ["last", "-save_path", str(path)]
        if place == "last"
        else [str(path / LAST if place == "a checkpoint" else path)]
    )
    assert run(train.main, ["-resume_from", *words]) == 2
    error = capsys.readouterr().err
    assert f"option -{option}: " in error and f"give -{option} notes_of_mine:Logger again" in error
    assert not mark.exists()
    assert run(train.main, ["-resume_from", *words, f"-{option}", "notes_of_mine:Logger"]) == 0
    assert mark.exists()


@pytest.mark.parametrize("command", [train.main, evaluate.main, compare.main, predict.main, runs.main])
def test_code_of_a_model_that_a_checkpoint_names_is_not_imported(
    whole: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[list[str]], int],
) -> None:
    mark, path = (
        notes_module(tmp_path, monkeypatch),
        from_elsewhere(whole, tmp_path / "run", "model", "notes_of_mine:Logger"),
    )
    words = {train.main: ["-resume_from", str(path)], compare.main: [str(path), str(whole)], runs.main: [str(tmp_path)]}
    code = run(command, words.get(command, ["-checkpoint", str(path)]))
    said = capsys.readouterr()
    assert not mark.exists()
    if command is runs.main:
        assert code == 0 and "notes_of_mine:Logger" in said.out
    else:
        assert code == 2 and "name it yourself: -model notes_of_mine:Logger" in " ".join(said.err.split())


def test_other_commands_never_import_it(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, path = (
        notes_module(tmp_path, monkeypatch),
        from_elsewhere(whole, tmp_path / "run", "logger", "notes_of_mine:Logger"),
    )
    assert run(evaluate.main, ["-checkpoint", str(path), "-charts", "False", "-device", "cpu"]) == 0
    weights = [
        "-resume_from",
        str(path),
        "-mode",
        "predcls",
        "-model",
        "stket",
        "-epochs",
        "0",
        "-save_path",
        str(tmp_path / "new"),
        *TINY,
    ]
    assert run(train.main, weights) == 2  # whatever comes of it: stket has no EASG
    assert not mark.exists()


def test_a_file_of_the_users_own_may_name_code(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mark, file = notes_module(tmp_path, monkeypatch), tmp_path / "mine.yaml"
    file.write_text("logger: notes_of_mine:Logger\nepochs: 0\n", encoding="utf-8")
    assert (
        run(train.main, ["-config", str(file), "-data_path", str(data), "-save_path", str(tmp_path / "new"), *TINY])
        == 0
    )
    assert mark.exists()


def test_the_command_that_goes_on_names_code_again(
    whole: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vidsgg.engine.run_folder import RunFolder

    told: list[str] = []
    monkeypatch.setattr(RunFolder, "flush", lambda self: told.append(self.resume_command))
    notes_module(tmp_path, monkeypatch)
    path = tmp_path / "new"
    words = ["-logger", "notes_of_mine:Logger", "-epochs", "0", "-data_path", str(data), "-save_path", str(path), *TINY]
    assert run(train.main, words) == 0
    assert set(told) == {f"vidsgg train -resume_from {path} -logger notes_of_mine:Logger"}


@pytest.mark.parametrize("model", sorted(methods()))
def test_options_that_come_from_a_file_name_no_code(model: str) -> None:
    """Also options to come: whatever is declared to take code is withheld."""
    kind = methods()[model].options
    assert plugin_options(kind) >= {"logger"}
    for name, (_, field) in fields_of(kind).items():
        if not field.metadata.get("plugin"):
            continue
        values: dict[str, Any] = {"model": model, name: "os:system"}
        assert getattr(options_from(values, kind), name) == field.default
        assert withhold_code(values, kind) == ({"model": model}, {name: "os:system"})


def test_every_option_that_takes_code_is_declared() -> None:
    classes = option_classes()
    assert TrainOptions in classes and len(classes) > 8
    for kind in classes:
        for field in dataclasses.fields(kind):
            told = field.metadata.get("help", "")
            if field.name == "model" and issubclass(kind, _RunOptions):
                # stays in checkpoints; the registry of methods takes it only from the user
                # (test_code_of_a_model_...)
                continue
            if re.search(r"\bmodule:|:Class\b|:NAME\b", told):
                assert field.metadata.get("plugin"), (
                    f"{kind.__name__}.{field.name} takes code: declare it with option(..., plugin=True)"
                )


def test_modules_are_imported_by_names_from_outside_in_one_place() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(
            r"\bimport_module\(|__import__\(|\bpkgutil\.resolve_name\(|entry_points\(|\brunpy\b|\bexec\(|(?<![.\w])eval\(",
            path.read_text("utf-8"),
        )
    }
    assert found - IMPORT_BY_OUR_NAMES == {"plugins.py"}


@pytest.mark.parametrize(
    "name", ["os", "os:", ":system", "os:system()", "../evil:X", "a b:C", "os.:x", "", None, 3, ["os:system"]]
)
def test_what_is_not_of_the_form_is_never_imported(name: Any) -> None:
    assert not names_code(name)
    with pytest.raises(ConfigError, match=r"package\.module:NAME"):
        load_plugin("logger", name)
