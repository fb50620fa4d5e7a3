from __future__ import annotations

import re
from pathlib import Path

import pytest
from datasets.ag_files import key, person, plain, small_set, write

from vidsgg.datasets.action_genome import ActionGenome
from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.format import DatasetFormat
from vidsgg.datasets.registry import FORMATS, data_folder, identify, open_whole_split
from vidsgg.errors import ConfigError, DataError
from vidsgg.plugins import _Installed


def test_action_genome_is_told_by_its_files(tmp_path: Path) -> None:
    data = open_whole_split(small_set(tmp_path), "test", "sgcls")
    assert isinstance(data, ActionGenome)
    assert (data.split, data.mode, list(data.video_ids)) == ("test", "sgcls", ["CCCCC"])


def test_half_of_action_genome_says_which_file_is_missing(tmp_path: Path) -> None:
    (small_set(tmp_path) / "annotations" / "object_bbox_and_relationship.pkl").unlink()
    with pytest.raises(DataError, match=r"object_bbox_and_relationship\.pkl"):
        open_whole_split(tmp_path, "train", "predcls")


@pytest.mark.parametrize(
    "inner",
    [
        ".",
        "annts_in_new_format",
        "easg-generation/annts_in_new_format",
        "EASG-main/easg-generation/annts_in_new_format",
    ],
)
def test_easg_is_found_in_the_authors_folders_too(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / inner
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "easg_train.pkl").write_bytes(b"")
    assert identify(tmp_path) == ("easg", tmp_path) and identify(folder) == ("easg", folder)


def test_skip_bad_reaches_the_loader(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    persons, objects = plain({"AAAAA": ("train", [1, 2, 3, 4])})
    persons[key("AAAAA", 2)] = person((9, 9, 1, 1))
    write(root, persons, objects)
    with pytest.raises(DataError):
        open_whole_split(root, "train", "predcls")
    assert open_whole_split(root, "train", "predcls", skip_bad=True).annotation(0).frames == 3


def test_folders_without_a_data_set(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no known data set.*person_bbox\.pkl.*easg_train\.pkl"):
        open_whole_split(tmp_path, "train", "predcls")
    (tmp_path / "action_genome").mkdir()
    with pytest.raises(DataError, match=r"action_genom does not exist; did you mean 'action_genome'\?"):
        open_whole_split(tmp_path / "action_genom", "train", "predcls")
    with pytest.raises(DataError, match="does not exist"):
        open_whole_split(tmp_path / "deep" / "deeper", "train", "predcls")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(DataError, match="is a file"):
        open_whole_split(tmp_path / "file", "train", "predcls")


class _Everything(DatasetFormat):
    name, title, marks = "everything", "Everything", ("anything.txt",)

    def recognises(self, folder: Path) -> bool:
        return True

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        raise AssertionError


def test_a_folder_that_two_formats_recognise_is_neither(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_set(tmp_path)
    monkeypatch.setitem(FORMATS._admitted, "everything", _Everything())
    with pytest.raises(
        DataError,
        match=r"matches several formats: Action Genome \(annotations/person_bbox\.pkl\) and Everything \(anything\.txt\)",
    ):
        open_whole_split(root, "train", "predcls")


class _Broken(DatasetFormat):
    name, title, marks = "broken", "Broken", ("broken.txt",)

    def recognises(self, folder: Path) -> bool:
        raise KeyError("kind")

    def open(self, folder: Path, split: str, mode: str, skip_bad: bool) -> VideoDataset:
        raise AssertionError


def test_an_installed_format_that_fails_costs_itself_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = {"broken": [_Installed("their-data", "theirs:FORMAT")]}
    monkeypatch.setitem(vars(FORMATS), "_installed", installed)
    monkeypatch.setitem(FORMATS._found, "broken", _Broken())
    said = r"the data set format 'broken' of the installed package their-data failed on .*: KeyError: 'kind'\."
    root = small_set(tmp_path / "ag")
    assert identify(root) == ("action_genome", root)
    warning = capsys.readouterr().err
    assert re.fullmatch(f"warning: {said}.* The folder is read as Action Genome\\.\n", warning)
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=f"holds no data set that another format recognises, and {said}"):
        identify(tmp_path / "other")
    with pytest.raises(DataError, match=r"action_genom does not exist"):
        identify(tmp_path / "action_genom")


def test_the_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="-data_path is required"):
        data_folder(None)
    (tmp_path / "data" / "action_genome").mkdir(parents=True)
    assert data_folder(None) == Path("data/action_genome")
