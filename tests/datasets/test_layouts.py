"""Data sets as their archives unpack, and what is said where the folder that was named is not quite
the one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets.ag_files import dump_frames, plain, small_set, write, write_video
from datasets.easg_files import write_easg, write_features
from PIL import Image as Pillow

from vidsgg.datasets.action_genome import ActionGenome
from vidsgg.datasets.easg import EASG
from vidsgg.datasets.pictures import count_pictures
from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError


@pytest.mark.parametrize(
    ("annotations", "videos"),
    [
        ("annotations", "Charades_v1_480"),
        ("annotations", "annotations/Charades_v1_480"),
        ("annotations/action_genome_v1.0", "videos/Charades_v1_480"),
        ("action_genome_v1.0", "Charades_v1_480"),
        ("action_genome_v1.0", "action_genome_v1.0/Charades_v1_480"),
        ("action_genome_v1.0/annotations", "action_genome_v1.0/videos"),
        ("action_genome_v1.0/action_genome_v1.0", "Charades_v1_480/Charades_v1_480"),
        (".", "Charades_v1_480"),
    ],
)
def test_action_genome_as_it_unpacks(tmp_path: Path, annotations: str, videos: str) -> None:
    usual, root = small_set(tmp_path / "usual"), tmp_path / "unpacked"
    shutil.copytree(usual / "annotations", root / annotations)
    shutil.copytree(usual / "videos", root / videos)
    data, same = open_whole_split(root, "train", "sgdet"), open_whole_split(usual, "train", "sgdet")
    assert isinstance(data, ActionGenome) and data.fingerprint() == same.fingerprint()
    assert all(np.array_equal(a, b) for a, b in zip(data.images(1), same.images(1), strict=True))
    assert (root / annotations / ".vidsgg" / "columns.npz").is_file()
    assert check_dataset(root, "all").clean
    where = f"annotations in {root / annotations}" if annotations not in ("annotations", ".") else ""
    assert where in check_dataset(root, "none").text()


def test_frames_dumped_as_jpg(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    data = ActionGenome(root, "train")
    before = data.images(0)
    for file in dump_frames(root, "AAAAA").iterdir():
        Pillow.open(file).save(file.with_suffix(".jpg"), quality=95)
        file.unlink()
    (root / "videos" / "AAAAA.mp4").unlink()
    assert [file.name for file in data.picture_files(0)] == ["000002.jpg", "000005.jpg", "000011.jpg"]
    for jpg, png in zip(data.images(0), before, strict=True):
        assert np.abs(jpg.astype(int) - png).mean() < 10
    assert count_pictures(data, [0]).text() == "pictures of 3 frames: 3 from frames (.jpg)"
    assert count_pictures(data).notes() == []


def test_frames_that_were_not_dumped_come_from_the_video(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    data = ActionGenome(root, "train")
    before = [data.images(i) for i in range(2)]
    (dump_frames(root, "BBBBB") / "000002.png").unlink()
    (root / "frames" / "AAAAA.mp4").mkdir()  # empty, as a dump that was interrupted leaves it
    for i in range(2):
        assert all(np.array_equal(a, b) for a, b in zip(data.images(i), before[i], strict=True))
    assert all(
        np.array_equal(a, b) for a, b in zip(data.images(1, [3, 1, 0]), [before[1][j] for j in (3, 1, 0)], strict=True)
    )
    frames, video = root / "frames" / "BBBBB.mp4", root / "videos" / "BBBBB.mp4"
    assert data.picture_files(1) == [frames / "000001.png", video, frames / "000003.png", frames / "000020.png"]
    count = count_pictures(data)
    assert count.text() == "pictures of 7 frames: 4 from videos, 3 from frames (.png)"
    assert count.notes() == ["missing among the dumped frames, read from the video: 4 frames of 2 videos (AAAAA, ...)"]
    video.unlink()
    assert count_pictures(data).notes()[1] == "without a picture: 1 frame of 1 video (BBBBB)"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_in_place_of_a_picture_is_no_picture(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    data = ActionGenome(root, "train")
    picture = dump_frames(root, "AAAAA") / "000002.png"
    picture.unlink()
    os.mkfifo(picture)
    assert len(data.images(0)) == 3  # from the video
    (root / "videos" / "AAAAA.mp4").unlink()
    os.mkfifo(root / "videos" / "AAAAA.mp4")
    with pytest.raises(DataError, match=r"000002\.png: no such picture"):
        data.images(0)


@pytest.mark.parametrize(
    "inner",
    ["annotations", "annotations/person_bbox.pkl", "annotations/object_classes.txt", "videos", "videos/AAAAA.mp4", "frames/AAAAA.mp4",
     "frames/AAAAA.mp4/000002.png"],
)  # fmt: skip
@pytest.mark.parametrize("relative", [False, True])
def test_a_place_inside_action_genome(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: str, relative: bool
) -> None:
    root = small_set(tmp_path / "ag")
    dump_frames(root, "AAAAA")
    monkeypatch.chdir(tmp_path)
    named = Path("ag") if relative else root
    with pytest.raises(DataError) as caught:
        identify(named / inner)
    assert f"did you mean {'its folder, ' if inner == 'annotations' else ''}'{named}'?" in str(caught.value)


@pytest.mark.parametrize("word", [".", "person_bbox.pkl"])
def test_a_place_inside_seen_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str) -> None:
    root = small_set(tmp_path / "ag")
    monkeypatch.chdir(root / "annotations")
    with pytest.raises(DataError) as caught:
        identify(Path(word))
    assert f"'{root}'?" in str(caught.value)


def test_the_unpacked_annotations_beside_the_videos(tmp_path: Path) -> None:
    """The folder that holds both is meant; without videos the annotations' own folder is as
    good."""
    root = write(tmp_path / "x", *plain({"AAAAA": ("train", [1, 2, 3])}))
    archive = tmp_path / "action_genome_v1.0"
    shutil.move(root / "annotations", archive)
    assert identify(archive) == ("action_genome", archive)
    write_video(tmp_path, "AAAAA", 3)
    with pytest.raises(DataError, match=rf"did you mean its folder, '{tmp_path}'"):
        identify(archive)
    assert identify(tmp_path) == ("action_genome", tmp_path)


def test_a_folder_above_data_sets(tmp_path: Path) -> None:
    small_set(tmp_path / "data" / "action_genome")
    with pytest.raises(DataError, match=r"holds no known data set; did you mean '.*action_genome'\?$"):
        identify(tmp_path / "data")


@pytest.mark.parametrize("inner", [".", "annts_in_new_format", "easg-generation/annts_in_new_format", "EASG-main/easg-generation/annts_in_new_format"])  # fmt: skip
@pytest.mark.parametrize("beside", ["pickles", "above", "root"])
def test_easg_as_it_unpacks(tmp_path: Path, inner: str, beside: str) -> None:
    folder = write_easg(tmp_path / inner)
    bare = EASG(folder, "train")
    assert bare.feature_files == {} and "features: none are there" in check_dataset(tmp_path).text()
    write_features(folder)
    above = folder if inner == "." else folder.parent
    target = {"pickles": folder, "above": above, "root": tmp_path}[beside]
    for name in ("roi_feats_train.pkl", "verb_features.pt"):
        shutil.move(folder / name, target / name)
    data = open_whole_split(tmp_path, "train", "predcls")
    assert isinstance(data, EASG) and data.schema.features == {"object": 1024, "action": 2304}
    assert data.features(0)["node_feature"].shape[1] == 1024
    assert [a.frame_key for a in data] == [a.frame_key for a in bare]
    assert f"features of objects: {target / 'roi_feats_train.pkl'}" in check_dataset(tmp_path).text()


def test_a_place_inside_easg(tmp_path: Path) -> None:
    folder = write_easg(tmp_path / "easg-generation" / "annts_in_new_format")
    with pytest.raises(DataError, match=rf"easg_train\.pkl is a file, not a folder; did you mean '{folder}'"):
        identify(folder / "easg_train.pkl")
    (folder.parent / "utils").mkdir()
    with pytest.raises(DataError, match=rf"holds no known data set; did you mean '{folder.parent}'"):
        identify(folder.parent / "utils")


def test_easgs_other_release_is_named(tmp_path: Path) -> None:
    (tmp_path / "EASG_unict_master_final.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="full release, which is not read; take the folder annts_in_new_format"):
        identify(tmp_path)


@pytest.mark.parametrize("path", ["x" * 300, "a\0b", "x/" * 3000], ids=["long", "nul", "deep"])
def test_paths_that_no_system_takes(path: str) -> None:
    with pytest.raises(DataError, match="data set folder") as caught:
        identify(Path(path))
    assert len(str(caught.value)) < 800


def test_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_set(tmp_path)

    def closed(self: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "is_file", closed)
    with pytest.raises(DataError, match=r"cannot be read: .*person_bbox\.pkl: Permission denied"):
        open_whole_split(root, "train", "predcls")
