"""The report on damaged data sets: every kind of damage is put in and must be found, and nothing
else."""

from __future__ import annotations

import os
import pickle
from dataclasses import replace
from pathlib import Path

import pytest
from datasets.ag_files import dump_frames, key, person, plain, small_set, thing, write, write_video

from vidsgg.datasets import action_genome_check
from vidsgg.datasets.action_genome import ActionGenome
from vidsgg.datasets.findings import Book, ValidationReport
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "user-cache"))


def found(report: ValidationReport) -> dict[str, tuple[str, int]]:
    return {finding.name: (finding.severity, finding.count) for finding in report.findings}


def test_a_sound_data_set_is_clean(tmp_path: Path) -> None:
    report = check_dataset(small_set(tmp_path), "all")
    assert report.clean and report.findings == ()
    text = report.text()
    assert "Action Genome at" in text and "2 videos with 7 frames and 14 pairs" in text
    assert "not the published set, which has 7584 videos" in text
    assert "pictures of 2 of 2 videos read" in text
    assert text.endswith("verdict: the data set can be used; 0 errors, 0 warnings")


def damaged(root: Path) -> Path:
    persons, objects = plain({"AAAAA": ("train", list(range(1, 20))), "CCCCC": ("test", [1, 2, 3, 4])})
    persons[key("AAAAA", 1)] = person((40, 6, 8, 60))
    persons[key("AAAAA", 2)] = person((-5, 6, 8, 60))
    persons[key("CCCCC", 4)] = person((-0.5, 0, 96.5, 64))  # within rounding
    persons["../../evil.mp4/000001.png"] = person()
    objects["../../evil.mp4/000001.png"] = [thing()]
    objects[key("AAAAA", 3)][0]["class"] = "dragon"
    objects[key("AAAAA", 4)][0]["class"] = "dragon"
    objects[key("AAAAA", 5)][1]["contacting_relationship"] = ["juggling"]
    objects[key("AAAAA", 6)][1]["bbox"] = (90, 5, 20, 20)
    objects[key("AAAAA", 7)].append(thing("chair"))
    objects[key("AAAAA", 8)] = []
    objects[key("EXTRA", 1)] = [thing()]
    moved = {k: persons[k] for k in sorted(persons, key=lambda k: k == key("AAAAA", 9))}
    write(root, moved, objects)
    lines = (root / "annotations" / "frame_list.txt").read_text(encoding="utf-8").splitlines()
    (root / "annotations" / "frame_list.txt").write_text(
        "\n".join([*lines[1:], "EXTRA.mp4/000001.png"]), encoding="utf-8"
    )
    return root


def test_every_damage_is_found_and_counted(tmp_path: Path) -> None:
    report = check_dataset(damaged(tmp_path), "none")
    assert found(report) == {
        "bad frame key": ("error", 1),
        "bad person box": ("error", 1),
        "unknown object class": ("error", 2),
        "unknown predicate": ("error", 1),
        "frame without object entries": ("error", 1),
        "object entry without person entry": ("warning", 1),
        "frame in frame_list.txt without annotation": ("warning", 1),
        "annotated frame missing in frame_list.txt": ("warning", 1),
        "person box outside the frame": ("warning", 1),
        "object box outside the frame": ("warning", 1),
        "class annotated twice in a frame": ("warning", 1),
        "frame not after the one before it": ("warning", 1),
    }
    text = report.text()
    assert not report.clean and "verdict: not everything can be used; 6 errors, 7 warnings" in text
    for part in (
        "dragon",
        "juggling",
        "[40.0, 6.0, 8.0, 60.0]",
        "[90.0, 5.0, 110.0, 25.0] in 96 x 64",
        "'../../evil.mp4/000001.png'",
    ):
        assert part in text
    assert found(check_dataset(tmp_path, "none")) == found(report)  # from the cache as well


def test_long_lists_show_the_first_few(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", list(range(1, 40))), "CCCCC": ("test", [1, 2, 3])})
    for number in range(1, 30):
        objects[key("AAAAA", number)][0]["class"] = "dragon"
    report = check_dataset(write(tmp_path, persons, objects), "none")
    assert found(report) == {"unknown object class": ("error", 29)}
    assert report.text().count("dragon") == 3 and "... and 26 more" in report.text()


class Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


def test_unreadable_and_hostile_pickles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    root = small_set(tmp_path / "data")
    path = root / "annotations" / "person_bbox.pkl"
    path.write_bytes(pickle.dumps({"a": Evil()}))
    report = check_dataset(root, "none")
    assert found(report) == {"unreadable annotations": ("error", 1)} and "person_bbox.pkl" in report.text()
    assert not (tmp_path / "executed").exists()
    path.write_bytes(path.read_bytes()[:10])
    assert found(check_dataset(root, "none")) == {"unreadable annotations": ("error", 1)}
    path.unlink()
    assert found(check_dataset(root, "none")) == {"unreadable annotations": ("error", 1)}


def test_class_files_and_frame_list(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    for name in ("object_classes.txt", "frame_list.txt"):
        (root / "annotations" / name).unlink()
    report = check_dataset(root, "none")
    assert report.clean and found(report) == {"missing file, not needed": ("warning", 2)}
    (root / "annotations" / "relationship_classes.txt").write_text("kicking\n", encoding="utf-8")
    report = check_dataset(root, "none")
    assert found(report)["foreign class file"] == ("error", 1) and "'kicking'" in report.text()


def test_a_split_without_videos(tmp_path: Path) -> None:
    report = check_dataset(write(tmp_path, *plain({"AAAAA": ("train", [1, 2, 3])})), "none")
    assert report.clean and found(report) == {"split without usable video": ("warning", 1)}


def test_pictures(tmp_path: Path) -> None:
    videos = {
        "AAAAA": ("train", [1, 2, 3]),
        "BBBBB": ("train", [1, 2, 3]),
        "GONE1": ("train", [1, 2, 3]),
        "CCCCC": ("test", [1, 2, 3]),
    }
    root = write(tmp_path, *plain(videos))
    write_video(root, "AAAAA", 3, size=(64, 96))
    write_video(root, "BBBBB", 3)
    write_video(root, "CCCCC", 3)
    dump_frames(root, "CCCCC")
    assert check_dataset(root, "none").clean
    report = check_dataset(root, "all")
    assert found(report) == {
        "train video without pictures (looked for in frames, videos, Charades_v1_480)": ("error", 1),
        "train video whose pictures cannot be used": ("error", 1),
    }
    assert "  pictures of 9 frames: 6 from videos, 3 without a picture" in report.facts
    assert "  pictures of 3 frames: 3 from frames (.png)" in report.facts
    assert "GONE1" in report.text() and "64 x 96 pixels, annotated as 96 x 64" in report.text()
    (root / "frames" / "CCCCC.mp4" / "000002.png").write_bytes(b"x")
    assert found(check_dataset(root, "all"))["test video whose pictures cannot be used"] == ("error", 1)


def test_a_sample_reads_some_videos_of_each_split_and_all_reads_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = {f"{i:05d}": ("train" if i < 30 else "test", [1, 2, 3]) for i in range(34)}
    root = write(tmp_path, *plain(videos))
    for name in videos:
        (root / "frames" / f"{name}.mp4").mkdir(parents=True)
        for number in (1, 2, 3):
            (root / "frames" / f"{name}.mp4" / f"{number:06d}.png").touch()
    read: list[str] = []
    monkeypatch.setattr(ActionGenome, "images", lambda self, i: read.append(self.video_ids[i]) or [])
    assert check_dataset(root, "sample").clean
    assert len(read) == len(set(read)) == 10 + 4 and {"00000", "00029", "00033"} <= set(read)
    read.clear()
    check_dataset(root, "all")
    assert read == list(videos)


def test_counts_near_the_published_ones_are_compared() -> None:
    published = action_genome_check.Summary(
        1750,
        56923,
        41,
        19,
        8636,
        frames=0,
        pairs=0,
        videos_empty=0,
        videos_two_frames=0,
        frames_nothing_visible=0,
        objects_small=0,
    )
    book = Book()
    action_genome_check._compare("test", published, book)
    assert book.findings == [] and book.facts == ["  the published counts"]
    action_genome_check._compare("test", replace(published, videos=1749), book)
    assert book.findings[0].examples == ("test: 1749 videos, published 1750",)


def test_folders_without_a_data_set_are_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known data set"):
        check_dataset(tmp_path)


def test_easg_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "easg_train.pkl").write_bytes(b"")
    report = check_dataset(tmp_path)
    assert report.dataset == "EASG" and not report.clean
    assert found(report) == {"unreadable train annotations": ("error", 1), "unreadable test annotations": ("error", 1)}


@pytest.mark.skipif(
    "VIDSGG_EASG" not in os.environ, reason="VIDSGG_EASG does not name the folder of the EASG annotations"
)
def test_the_published_easg_is_clean_and_counted() -> None:
    report = check_dataset(Path(os.environ["VIDSGG_EASG"]))
    assert report.clean
    assert (
        "train split: 129 videos" in report.text()
        and "  units: 3822" in report.facts
        and "  pairs: 5133" in report.facts
    )


def test_frames_that_were_not_dumped_are_counted(tmp_path: Path) -> None:
    videos = {
        "EMPTY": ("train", [1, 2, 3]),
        "SOME1": ("train", [1, 2, 3]),
        "TORN1": ("train", [1, 2, 3]),
        "CCCCC": ("test", [1, 2, 3]),
    }
    root = write(tmp_path, *plain(videos))
    for name in videos:
        write_video(root, name, 3)
        dump_frames(root, name)
    for file in (root / "frames" / "EMPTY.mp4").iterdir():
        file.unlink()
    (root / "frames" / "SOME1.mp4" / "000002.png").unlink()
    (root / "frames" / "TORN1.mp4" / "000003.png").unlink()
    (root / "videos" / "TORN1.mp4").unlink()
    report = check_dataset(root, "all")
    assert found(report) == {
        "train frame without a picture": ("error", 1),
        "train frame missing among the dumped ones, read from the video": ("warning", 4),
    }
    assert "  pictures of 9 frames: 4 from frames (.png), 4 from videos, 1 without a picture" in report.facts
    assert "  pictures of 2 of 3 videos read" in report.facts
    assert "    frames/TORN1.mp4/000003.png\n" in report.text()
    assert "    frames/EMPTY.mp4/000003.png\n    ... and 1 more\n" in report.text()


def test_a_folder_that_may_not_be_entered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_set(tmp_path)

    def closed(self: Path) -> bool:
        if self.parent.name == "videos":
            raise PermissionError(13, "Permission denied", str(self))
        return original(self)

    original = Path.is_file
    monkeypatch.setattr(Path, "is_file", closed)
    report = check_dataset(root, "all")
    assert found(report) == {
        f"{split} video whose folders may not be entered": ("error", n) for split, n in (("train", 2), ("test", 1))
    }
    assert "AAAAA.mp4: cannot be read (Permission denied); check its permissions." in report.text()
