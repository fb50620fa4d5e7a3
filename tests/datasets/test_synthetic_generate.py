"""The files of a synthetic data set are Action Genome's, and the same seed gives the same bytes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from symlinks import link

from vidsgg.assembly.data import SYNTHETIC_FOLDER, resolve_data_path
from vidsgg.datasets.action_genome import OBJECTS
from vidsgg.datasets.registry import open_whole_split
from vidsgg.datasets.synthetic import generate as generate_module
from vidsgg.datasets.synthetic.generate import SyntheticConfig, generate, is_complete
from vidsgg.datasets.synthetic.known import MARKER
from vidsgg.errors import ConfigError
from vidsgg.io.homes import remove_made
from vidsgg.io.images import read_image
from vidsgg.io.pickles import load_pickle
from vidsgg.io.video import VideoReader

SMALL = SyntheticConfig(videos=5, seed=3, frames=True, width=160, height=120, workers=1)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    generate(folder, SMALL)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".vidsgg" not in p.parts
    }


def test_several_processes_give_the_same_bytes(root: Path, tmp_path: Path) -> None:
    generate(tmp_path / "again", SyntheticConfig(**{**SMALL.__dict__, "workers": 2}))
    first, again = files(root), files(tmp_path / "again")
    assert first.keys() == again.keys()
    assert [name for name in first if first[name] != again[name]] == []


def test_another_seed_gives_other_data(root: Path, tmp_path: Path) -> None:
    generate(tmp_path, SyntheticConfig(videos=5, seed=4, width=160, height=120, workers=1))
    assert (tmp_path / "videos/S0000.mp4").read_bytes() != (root / "videos/S0000.mp4").read_bytes()
    assert not (tmp_path / "frames").exists()


def test_pickles_have_the_published_structure(root: Path) -> None:
    persons, objects = (
        load_pickle(root / "annotations" / f"{name}.pkl") for name in ("person_bbox", "object_bbox_and_relationship")
    )
    assert set(persons) == set(objects) and list(persons) != list(objects)
    assert (root / "annotations/frame_list.txt").read_text(encoding="utf-8").splitlines() == list(persons)
    splits = set()
    for key, person in persons.items():
        count = len(person["bbox"])
        assert person["bbox"].dtype == np.float32 and person["bbox"].shape == (count, 4) and count in (0, 1)
        assert (
            person["bbox_score"].shape == (count,)
            and person["bbox_mode"] == "xyxy"
            and person["bbox_size"] == (160, 120)
        )
        assert person["keypoints"].shape == (count, 17, 3) and person["keypoints_logits"].shape == (count, 17)
        for entry in objects[key]:
            assert entry["class"] in OBJECTS[2:]
            video, frame = key.removesuffix(".png").split("/")
            assert entry["metadata"]["tag"] == f"{video}/{entry['class'].replace('/', '_')}/{frame}"
            splits.add((video, entry["metadata"]["set"]))
            lists = [entry[f"{group}_relationship"] for group in ("attention", "spatial", "contacting")]
            if entry["visible"]:
                x, y, w, h = entry["bbox"]
                assert 0 <= x < x + w <= 160 and 0 <= y < y + h <= 120
                assert len(lists[0]) == 1 and lists[1] and lists[2]
            else:
                assert entry["bbox"] is None and lists == [None, None, None]
    assert splits == {
        ("S0000.mp4", "train"),
        ("S0001.mp4", "train"),
        ("S0002.mp4", "train"),
        ("S0003.mp4", "train"),
        ("S0004.mp4", "test"),
    }


def test_class_files_leave_out_the_separators(root: Path) -> None:
    names = (root / "annotations/object_classes.txt").read_text(encoding="utf-8").splitlines()
    assert names[0] == "person" and names[8] == "closetcabinet" and len(names) == 36
    assert (root / "annotations/relationship_classes.txt").read_text(encoding="utf-8").splitlines()[1] == "notlookingat"


def test_the_loader_reads_it_and_pictures_equal_decoded_frames(root: Path) -> None:
    train = open_whole_split(root, "train", "predcls")
    annotation = train.annotation(0)
    assert annotation.frames > 2 and annotation.pairs > 0
    reader = VideoReader(root / "videos" / "S0000.mp4")
    assert reader.count == len(list((root / "frames/S0000.mp4").iterdir()))
    for number, picture in zip(annotation.frame_number, train.images(0), strict=True):
        np.testing.assert_array_equal(picture, reader.read([int(number)])[0])
        np.testing.assert_array_equal(picture, read_image(root / "frames/S0000.mp4" / f"{number:06d}.png"))


def test_a_thing_is_drawn_where_its_box_is(root: Path) -> None:
    """The person's box holds the picture's brightest change between the video's frames: what moves
    is inside of some box."""
    train = open_whole_split(root, "train", "predcls")
    inside = outside = 0.0
    for i in range(len(train)):
        annotation, pictures = train.annotation(i), train.images(i)
        moved = np.abs(np.diff(np.stack(pictures).astype(np.float32), axis=0)).mean(-1)
        for f in range(annotation.frames - 1):
            boxed = np.zeros(moved.shape[1:], bool)
            for x1, y1, x2, y2 in (
                annotation.node_box[(annotation.node_frame == f) | (annotation.node_frame == f + 1)].round().astype(int)
            ):
                boxed[max(y1 - 3, 0) : y2 + 3, max(x1 - 3, 0) : x2 + 3] = True
            strong = moved[f] > 40
            inside, outside = inside + (strong & boxed).sum(), outside + (strong & ~boxed).sum()
    assert inside > 0 and outside / inside < 0.25


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match="not empty"):
        generate(tmp_path, SMALL)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_files_of_a_user_stay_where_a_set_is_replaced(tmp_path: Path) -> None:
    config = SyntheticConfig(videos=5, width=160, height=120, workers=1, frames=True)
    generate(tmp_path, config)
    theirs = [
        tmp_path / name
        for name in ("notes.txt", "videos/mine.mp4", "annotations/notes.txt", "frames/S0000.mp4/notes.txt")
    ]
    for path in theirs:
        path.write_text("of a user")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    generate(tmp_path, config)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    generate(tmp_path, replace(config, frames=False))
    assert [path.name for path in (tmp_path / "frames").rglob("*")] == ["S0000.mp4", "notes.txt"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    config = SyntheticConfig(videos=5, width=160, height=120, workers=1)
    generate(tmp_path / "set", config)
    remove_made(tmp_path / "set" / "videos", ["*"])
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "S0000.mp4").write_text("of a user")
    link(tmp_path / "set" / "videos", tmp_path / "films")
    with pytest.raises(ConfigError, match="videos is a link"):
        generate(tmp_path / "set", config)
    assert (tmp_path / "films" / "S0000.mp4").read_text() == "of a user"


def test_an_interrupted_run_leaves_nothing_that_looks_complete(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    config = SyntheticConfig(videos=5, width=160, height=120, workers=1)
    generate(tmp_path, config)
    monkeypatch.setattr(generate_module, "_write_video", stopped)
    with pytest.raises(KeyboardInterrupt):
        generate(tmp_path, config)
    assert (tmp_path / MARKER).is_file() and not is_complete(tmp_path)
    monkeypatch.undo()
    generate(tmp_path, config)
    assert is_complete(tmp_path)


def test_the_built_in_set_is_made_again_unless_it_was_finished(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(generate_module, "generate", lambda folder, config: made.append(folder))
    shutil.copytree(root, tmp_path / SYNTHETIC_FOLDER)
    assert resolve_data_path("synthetic") == SYNTHETIC_FOLDER and made == []
    # killed before the last file
    (tmp_path / SYNTHETIC_FOLDER / "annotations" / "object_bbox_and_relationship.pkl").unlink()
    assert resolve_data_path("synthetic") == SYNTHETIC_FOLDER and made == [SYNTHETIC_FOLDER]
    (tmp_path / "synthetic").mkdir()  # a folder that is called so is taken as what it is
    assert resolve_data_path("synthetic") == Path("synthetic") and len(made) == 1


@pytest.mark.parametrize("wrong", [{"videos": 4}, {"width": 161}, {"height": 20}, {"seed": -1}, {"workers": 0}])
def test_impossible_options_are_named(wrong: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SyntheticConfig(**wrong)  # type: ignore[arg-type]
