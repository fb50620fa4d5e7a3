"""Places that a user names are looked at before any work: one message with the option, and nothing
is made."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from vidsgg.cli.main import main, run
from vidsgg.errors import ConfigError
from vidsgg.io.places import check_place, check_replaced
from vidsgg.options import Place


def refused(path: Path, place: Place) -> str:
    with pytest.raises(ConfigError) as caught:
        check_place("option -x", path, place)
    assert str(caught.value).startswith("option -x: ")
    return str(caught.value)


def test_what_can_be_used_is_taken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place, path in (
        ("input", tmp_path), ("input", tmp_path / "file"), ("input", tmp_path / "none"), ("new folder", tmp_path / "a" / "b"),
        ("new folder", tmp_path), ("new file", tmp_path / "a" / "b.csv"), ("new file", tmp_path / "file"), ("new", tmp_path), ("new", Path("-")),
    ):  # fmt: skip
        check_place("option -x", path, place)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "is a folder; name a file" in refused(tmp_path, "new file")
    assert "is a file, not a folder" in refused(tmp_path / "file", "new folder")
    assert "not a folder" in refused(tmp_path / "file" / "a", "new file")
    for place in ("input", "new file", "new folder", "new"):
        assert "at most 255 bytes" in refused(tmp_path / "none" / ("é" * 150), place)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes lie elsewhere on Windows")
def test_a_file_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    (tmp_path / "old.CSV").write_text("")
    os.symlink("notes", tmp_path / "link")
    os.symlink("nothing", tmp_path / "broken")
    for name in ("notes", "link", "broken"):
        with pytest.raises(ConfigError, match=f"option -x: .*{name} is there already and is no .csv file"):
            check_replaced("option -x", tmp_path / name, ".csv")
    with pytest.raises(ConfigError, match="is read by this command"):
        check_replaced("option -x", tmp_path / "link", ".csv", [tmp_path / "notes"])
    for name in ("old.CSV", "new", "new.csv"):
        check_replaced("option -x", tmp_path / name, ".csv", [tmp_path / "notes"])


def test_named_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in ("input", "new file", "new folder", "new"):
        assert "is a named pipe" in refused(tmp_path / "pipe", place)
        assert "is a device" in refused(Path(os.devnull), place)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions hold for others than root")
def test_folders_without_permission_are_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o000)
    try:
        assert "no permission to read" in refused(closed, "input")
        assert "no permission to write" in refused(closed, "new folder")
        assert "ermission" in refused(closed / "a", "new file")
    finally:
        closed.chmod(0o700)


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes lie elsewhere on Windows")
@pytest.mark.parametrize(
    "line",
    [
        "predict {pipe} -checkpoint c", "predict v.mp4 -checkpoint {pipe}", "predict v.mp4 -checkpoint c -boxes {pipe}", "evaluate -checkpoint {pipe}",
        "train -config {pipe}", "train -data_path {pipe}", "train -save_path {file}", "train -resume_from {pipe}", "view {pipe}",
        "export {pipe} -format csv -out x.csv", "export g.json -format csv -out {file}/x.csv", "data synth -out {file}", "data show -out {folder}",
        "data check -data_path {pipe}", "import-checkpoint {pipe}", "features -data_path {pipe}", "train-detector -pretrained {pipe}",
        "app {pipe}", "app -data {file}", "runs {pipe}", "compare {pipe} b", "predict v.mp4 -checkpoint c -o {file}",
    ],
)  # fmt: skip
def test_commands_refuse_such_places_at_once(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("file").write_text("")
    Path("folder").mkdir()
    before = sorted(tmp_path.iterdir())
    assert main(line.format(pipe="pipe", file="file", folder="folder").split()) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and len(error.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.ENAMETOOLONG, errno.EMFILE, errno.ENOTDIR]
)
def test_what_the_system_refuses_is_one_message(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def command(argv: list[str]) -> int:
        raise OSError(number, os.strerror(number), "some/place")

    assert run(command, []) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: some/place: {os.strerror(number)}. ") and len(error.splitlines()) == 1


def test_a_lack_of_memory_is_one_message_and_other_errors_stay_ours(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    def command(argv: list[str]) -> int:
        torch.empty(1 << 60)
        return 0

    assert run(command, []) == 2
    assert capsys.readouterr().err.startswith("error: not enough memory")

    def broken(argv: list[str]) -> int:
        raise RuntimeError("a mistake of ours")

    with pytest.raises(RuntimeError):
        run(broken, [])
