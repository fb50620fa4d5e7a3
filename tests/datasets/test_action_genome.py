"""The Action Genome loader on small data sets written by hand; the expected numbers follow from the
rules, counted by eye."""

from __future__ import annotations

import os
import pickle
import shutil
import time
from pathlib import Path, PurePosixPath, PureWindowsPath

import numbered_video
import numpy as np
import pytest
from datasets.ag_files import SIZE, dump_frames, key, person, plain, small_set, thing, write, write_video
from hypothesis import given
from hypothesis import strategies as st
from numbered_video import HEIGHT, WIDTH, number_of, numbered
from PIL import Image as Pillow

from vidsgg.datasets import action_genome_files
from vidsgg.datasets.action_genome import OBJECTS, SCHEMA, VOCABULARY, ActionGenome
from vidsgg.datasets.action_genome_files import split_key
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import ConfigError, DataError


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSGG_CACHE", str(tmp_path / "user-cache"))


def test_the_vocabulary_has_the_published_numbers() -> None:
    assert len(OBJECTS) == 37 and OBJECTS[11] == "cup/glass/bottle" and OBJECTS[36] == "window"
    assert [len(g) for g in VOCABULARY.groups] == [3, 6, 17]
    assert VOCABULARY.predicates[10] == "covered_by" and VOCABULARY.predicates[25] == "writing_on"
    assert VOCABULARY.groups[1].direction == "object->subject"


def test_a_frame_becomes_nodes_and_pairs(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", [3, 7, 8]), "BBBBB": ("train", [1, 2, 3])})
    objects[key("BBBBB", 2)] = [
        thing("food", visible=False),
        thing("sofa/couch", (1, 2, 30.5, 20.25), ("unsure",), ("beneath", "behind"), ("sitting_on", "leaning_on")),
    ]
    data = ActionGenome(write(tmp_path, persons, objects), "train")
    assert list(data.video_ids) == ["AAAAA", "BBBBB"]
    video = data.annotation(1)
    assert video.schema == SCHEMA and (video.video_id, video.split, video.fps) == ("BBBBB", "train", None)
    assert video.frame_key == ("BBBBB.mp4/000001.png", "BBBBB.mp4/000002.png", "BBBBB.mp4/000003.png")
    assert video.frame_number.tolist() == [1, 2, 3] and video.frame_unit.tolist() == [0, 1, 2]
    assert video.frame_size.tolist() == [list(SIZE)] * 3
    assert [OBJECTS[c] for c in video.node_class] == [
        "person", "chair", "cup/glass/bottle", "person", "sofa/couch", "person", "chair", "cup/glass/bottle",
    ]  # fmt: skip
    assert video.node_frame.tolist() == [0, 0, 0, 1, 1, 2, 2, 2]
    assert video.node_box[:2].tolist() == [[8.0, 6.5, 40.0, 60.0], [30.0, 20.0, 54.5, 50.25]]
    assert video.node_box[4].tolist() == [1.0, 2.0, 31.5, 22.25]  # x + w, y + h
    assert video.pair_subject.tolist() == [0, 0, 3, 5, 5]
    assert video.pair_object.tolist() == [1, 2, 4, 6, 7]
    assert video.pair_frame.tolist() == [0, 0, 1, 2, 2]
    names = {
        g.name: [[g.predicates[i] for i in np.flatnonzero(row)] for row in video.labels[g.name]]
        for g in VOCABULARY.groups
    }
    assert names["attention"][2] == ["unsure"]
    assert names["spatial"] == [
        ["in_front_of"],
        ["above", "behind"],
        ["beneath", "behind"],
        ["in_front_of"],
        ["above", "behind"],
    ]
    assert names["contacting"][2] == ["leaning_on", "sitting_on"]


def drops(root: Path) -> Path:
    """One video for each rule."""
    persons, objects = plain(
        {
            "KEEP1": ("train", [1, 2, 3, 4, 5]),  # loses frame 2 (no person) and frame 4 (nothing visible)
            "EMPTY": ("train", [1, 2, 3]),  # nobody in any frame
            "ONE11": ("train", [1, 2, 3]),  # one frame left
            "TWO22": ("train", [1, 2]),
            "BLIND": ("train", [1, 2, 3]),  # nothing visible anywhere: never counted
            "TEST1": ("test", [1, 2, 3]),
            "KEEP2": ("train", [1, 2, 3]),
        }
    )
    for name in (key("KEEP1", 2), key("EMPTY", 1), key("EMPTY", 2), key("EMPTY", 3), key("ONE11", 1), key("ONE11", 3)):
        persons[name] = person(None)
    for name in (key("KEEP1", 4), *(key("BLIND", n) for n in (1, 2, 3))):
        objects[name] = [thing("bag", visible=False)]
    persons[key("BLIND", 1)] = person(None)
    # The split of a frame is that of its first entry, whatever the others say.
    objects[key("KEEP2", 1)][1]["metadata"]["set"] = "test"
    return write(root, persons, objects)


def test_what_is_dropped_is_counted_like_the_reference_and_truly(tmp_path: Path) -> None:
    data = ActionGenome(drops(tmp_path), "train")
    assert list(data.video_ids) == ["KEEP1", "KEEP2"]
    assert data.annotation(0).frame_number.tolist() == [1, 3, 5]
    summary = data.summary
    assert (summary.videos, summary.valid_frames) == (2, 3 + 1 + 2 + 3)
    assert (summary.videos_no_person, summary.videos_empty, summary.videos_two_frames) == (2, 1, 1)
    assert summary.videos_one_frame == 1
    assert summary.frames_no_person == 1 + 3 + 2
    assert (summary.frames, summary.pairs, summary.frames_nothing_visible, summary.objects_small) == (6, 12, 4, 0)
    assert "2 videos with 6 frames and 12 pairs" in summary.text() and "two frames" in summary.text()
    assert list(ActionGenome(tmp_path, "test").video_ids) == ["TEST1"]


def test_the_order_is_that_of_the_person_file(tmp_path: Path) -> None:
    persons, objects = plain({"BBBBB": ("train", [9, 2, 5]), "AAAAA": ("train", [1, 2, 3])})
    mixed = [key("BBBBB", 9), key("AAAAA", 1), key("BBBBB", 2), key("AAAAA", 2), key("AAAAA", 3), key("BBBBB", 5)]
    objects[key("BBBBB", 9)] = [thing(visible=False)]  # so AAAAA is met first
    persons[key("BBBBB", 11)] = person()
    objects[key("BBBBB", 11)] = [thing()]
    persons = {name: persons[name] for name in [*mixed, key("BBBBB", 11)]}
    data = ActionGenome(write(tmp_path, persons, dict(sorted(objects.items()))), "train")
    assert list(data.video_ids) == ["AAAAA", "BBBBB"]
    assert data.annotation(1).frame_number.tolist() == [2, 5, 11]
    assert data.annotation(1).pairs == 5 and data.annotation(0).pairs == 6


def test_small_objects_vanish_outside_predcls(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", [1, 2, 3, 4])})
    objects[key("AAAAA", 1)] = [thing(box=(0, 0, 16, 40)), thing("bag", (0, 0, 15.99, 40)), thing("box", (0, 0, 40, 3))]
    objects[key("AAAAA", 2)] = [thing(box=(0, 0, 40, 15))]
    root = write(tmp_path, persons, objects)
    assert ActionGenome(root, "train", "predcls").annotation(0).frames == 4
    for mode in ("sgcls", "sgdet"):
        data = ActionGenome(root, "train", mode)
        video = data.annotation(0)
        assert video.frame_number.tolist() == [1, 3, 4]
        assert [OBJECTS[c] for c in video.node_class[video.node_frame == 0]] == ["person", "chair"]
        assert (data.summary.objects_small, data.summary.frames_nothing_visible) == (3, 1)


def test_both_ways_of_reading_pictures_agree(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    data = ActionGenome(root, "train")
    from_video = [data.images(i) for i in range(len(data))]
    assert [len(pictures) for pictures in from_video] == [3, 4]
    assert all(
        np.array_equal(a, b) for a, b in zip(data.images(1, [3, 0]), (from_video[1][3], from_video[1][0]), strict=True)
    )
    assert data.picture_files(0) == [root / "videos" / "AAAAA.mp4"]
    for name in data.video_ids:
        dump_frames(root, name)
    shutil.rmtree(root / "videos")
    assert data.picture_files(1) == [root / "frames" / "BBBBB.mp4" / f"{n:06d}.png" for n in (1, 2, 3, 20)]
    for i, pictures in enumerate(from_video):
        assert all(p.shape == (SIZE[1], SIZE[0], 3) and p.dtype == np.uint8 for p in pictures)
        assert all(np.array_equal(a, b) for a, b in zip(pictures, data.images(i), strict=True))
    assert not np.array_equal(from_video[0][0], from_video[0][1])
    assert all(
        np.array_equal(a, b) for a, b in zip(data.images(1, [3, 0]), (from_video[1][3], from_video[1][0]), strict=True)
    )


def test_pictures_that_are_missing_or_do_not_fit(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", [1, 2, 30])})
    root = write(tmp_path, persons, objects)
    data = ActionGenome(root, "train")
    with pytest.raises(DataError, match=r"no pictures of video 'AAAAA'"):
        data.images(0)
    write_video(root, "AAAAA", 20)
    with pytest.raises(DataError, match=r"AAAAA\.mp4: frame 30 .*1\.\.20"):
        data.images(0)
    write_video(root, "AAAAA", 30, size=(64, 96))
    with pytest.raises(DataError, match=r"AAAAA\.mp4, frame 1: is 64 x 96 pixels, annotated as 96 x 64"):
        data.images(0)
    write_video(root, "AAAAA", 30)
    assert len(data.images(0)) == 3
    (dump_frames(root, "AAAAA") / "000002.png").unlink()
    (root / "videos" / "AAAAA.mp4").unlink()
    with pytest.raises(DataError, match=r"000002\.png: no such picture, and .*videos.AAAAA\.mp4 is not there"):
        data.images(0)
    assert len(data.images(0, [0, 2])) == 2


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda p, o: p.update({key("AAAAA", 2): person((40, 6, 8, 60))}),
            r"person_bbox.*000002.*\[40.0, 6.0, 8.0, 60.0\]",
        ),
        (lambda p, o: p.update({key("AAAAA", 2): person((float("nan"), 6, 8, 60))}), r"person_bbox.*000002.*nan"),
        (lambda p, o: p.update({key("AAAAA", 2): {"bbox": None}}), r"person_bbox.*000002"),
        (lambda p, o: p.update({key("AAAAA", 2): np.float64(2)}), r"\['AAAAA.mp4/000002.png'\]: .* in .*2\.0"),
        (lambda p, o: p.update({key("AAAAA", 2): person(size=(0, 64))}), r"bbox_size is \(0.0, 64.0\)"),
        (lambda p, o: p[key("AAAAA", 2)].update(bbox=np.ones((2, 4), np.float32)), "2 person boxes"),
        (lambda p, o: o.update({key("AAAAA", 2): []}), r"000002.*list with an entry per object"),
        (lambda p, o: o.pop(key("AAAAA", 2)), r"000002.*is None"),
        (lambda p, o: o[key("AAAAA", 2)][0]["metadata"].update(set="val"), r"set is 'val'"),
        (lambda p, o: o[key("AAAAA", 2)][0].pop("visible"), r"000002'\]\[0\].*visible"),
        (lambda p, o: o[key("AAAAA", 2)][1].update({"class": "chiar"}), r"\[1\]: class 'chiar'.*did you mean 'chair'"),
        (lambda p, o: o[key("AAAAA", 2)][1].update(bbox=(5, 5, -3, 9)), r"\[1\]: box .*\[5.0, 5.0, 2.0, 14.0\]"),
        (lambda p, o: o[key("AAAAA", 2)][1].update(bbox=None), r"\[1\]"),
        (
            lambda p, o: o[key("AAAAA", 2)][1].update(attention_relationship=[]),
            r"attention_relationship of 'cup/glass/bottle' is \[\]",
        ),
        (
            lambda p, o: o[key("AAAAA", 2)][1].update(spatial_relationship=["abvoe"]),
            "'abvoe' is not a spatial.*'above'",
        ),
    ],
)
def test_bad_entries_name_key_and_value_or_are_skipped_and_counted(tmp_path: Path, break_it, message: str) -> None:
    persons, objects = plain({"AAAAA": ("train", [1, 2, 3, 4]), "CCCCC": ("test", [1, 2, 3])})
    break_it(persons, objects)
    root = write(tmp_path, persons, objects)
    for _ in ("cold", "warm"):
        with pytest.raises(DataError, match=message.replace("000002'", r"000002\.png'")) as error:
            ActionGenome(root, "train")
        assert "-skip_bad" in str(error.value)
    data = ActionGenome(root, "train", skip_bad=True)
    assert sum(data.summary.skipped.values()) == 1
    video = data.annotation(0)
    frame_lost = video.frame_number.tolist() == [1, 3, 4] and video.pairs == 6
    object_lost = video.frame_number.tolist() == [1, 2, 3, 4] and video.pairs == 7
    assert frame_lost != object_lost


def test_the_other_split_is_not_held_up(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", [1, 2, 3]), "CCCCC": ("test", [1, 2, 3])})
    objects[key("AAAAA", 2)][0]["class"] = "dragon"
    assert len(ActionGenome(write(tmp_path, persons, objects), "test")) == 1


@pytest.mark.parametrize(
    "name",
    ["../../etc.mp4/000001.png", "/AAAAA.mp4/000001.png", "..mp4/../000001.png", "C:AAAAA.mp4/000001.png", "AAAAA.mp4/1.png",
     "AAAAA.mp4/000000.png", "AAAAA.mp4\\000001.png", "a/b.mp4/000001.png", "AAAAA.mp4/000001.png\n", "..mp4/000001.png"],
)  # fmt: skip
def test_keys_never_leave_the_folder(tmp_path: Path, name: str) -> None:
    persons, objects = plain({"AAAAA": ("train", [1, 2, 3])})
    persons[name], objects[name] = person(), [thing()]
    root = write(tmp_path, persons, objects)
    with pytest.raises(DataError, match="frame key"):
        ActionGenome(root, "train")
    data = ActionGenome(root, "train", skip_bad=True)
    assert data.summary.skipped == {"bad frame key": 1} and list(data.video_ids) == ["AAAAA"]


@given(st.text(st.sampled_from("aZ0._-~ /\\:\0\n*?é\u2215\ud800"), max_size=12))
def test_whatever_a_video_is_called_its_files_lie_in_the_folder(name: str) -> None:
    try:
        video, number = split_key(f"{name}.mp4/000012.png")
    except DataError:
        return
    assert (video, number) == (name, 12)
    for flavour in (PurePosixPath, PureWindowsPath):
        assert flavour("frames", f"{name}.mp4/000012.png").parent.parent == flavour("frames")
        assert flavour("videos", f"{name}.mp4").parent == flavour("videos")


def test_foreign_class_files_say_what_differs(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    path = root / "annotations" / "object_classes.txt"
    names = path.read_text(encoding="utf-8")
    path.write_text(names.replace("closetcabinet", "wardrobe"), encoding="utf-8")
    with pytest.raises(DataError, match=r"object_classes\.txt: line 9 is 'wardrobe', .*'closetcabinet'"):
        ActionGenome(root, "train")
    path.write_text(names + "dragon\n", encoding="utf-8")
    with pytest.raises(DataError, match="37 names, Action Genome has 36"):
        ActionGenome(root, "train")
    path.write_text(names + "\n\n", encoding="utf-8")  # an empty line at the end is no class
    assert len(ActionGenome(root, "train")) == 2
    path.unlink()  # nothing is taken from these files but the comparison
    assert len(ActionGenome(root, "train")) == 2


def test_unusable_folders_and_arguments(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"person_bbox\.pkl"):
        ActionGenome(tmp_path / "nowhere", "train")
    root = small_set(tmp_path)
    with pytest.raises(ConfigError, match="no split 'val'"):
        ActionGenome(root, "val")
    with pytest.raises(ConfigError, match="did you mean 'predcls'"):
        ActionGenome(root, "train", "predcl")
    write(root, *plain({"AAAAA": ("train", [1, 2, 3])}))
    with pytest.raises(DataError, match=r"no video of split 'test'"):
        ActionGenome(root, "test")
    (root / "annotations" / "person_bbox.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match=r"holds \[1, 2\]"):
        ActionGenome(root, "train")


class _Reads:
    """How often the pickles were read."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        original = action_genome_files.load_pickle

        def counted(path: Path) -> object:
            self.count += 1
            return original(path)

        monkeypatch.setattr(action_genome_files, "load_pickle", counted)


def cache_of(root: Path) -> Path:
    return root / "annotations" / ".vidsgg" / "columns.npz"


def test_the_pickles_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, reads = drops(tmp_path), _Reads(monkeypatch)
    first = [ActionGenome(root, split, mode) for split in ("train", "test") for mode in ("predcls", "sgdet")]
    assert reads.count == 2 and cache_of(root).is_file()
    again = [ActionGenome(root, split, mode) for split in ("train", "test") for mode in ("predcls", "sgdet")]
    assert reads.count == 2
    for a, b in zip(first, again, strict=True):
        assert a.summary == b.summary and list(a) == list(b)
    assert [p.name for p in cache_of(root).parent.iterdir()] == ["columns.npz"]


def test_a_touched_pickle_is_compared_and_a_changed_one_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = small_set(tmp_path)
    ActionGenome(root, "train")
    reads, path = _Reads(monkeypatch), root / "annotations" / "person_bbox.pkl"
    hashed: list[Path] = []
    original = action_genome_files.content_hash
    monkeypatch.setattr(action_genome_files, "content_hash", lambda p: hashed.append(p) or original(p))
    os.utime(path, (time.time(), time.time() + 100))
    ActionGenome(root, "train")
    assert reads.count == 0 and hashed == [path]
    ActionGenome(root, "train")
    assert hashed == [path]  # the new time was noted
    # Same size, other content: only the time tells, and the hash decides.
    data = path.read_bytes()
    old, new = (np.array(v, np.float32).tobytes().decode("latin1") for v in ([8.0, 6.5], [9.0, 6.5]))
    changed = data.replace(old.encode("utf-8"), new.encode("utf-8"), 1)
    assert changed != data and len(changed) == len(data)
    path.write_bytes(changed)
    os.utime(path, (time.time(), time.time() + 200))
    assert ActionGenome(root, "train").annotation(0).node_box[0, 0] == 9.0
    assert reads.count == 2


@pytest.mark.parametrize("damage", ["torn", "empty", "foreign", "version", "shape", "offsets"])
def test_a_damaged_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    root = small_set(tmp_path)
    whole = list(ActionGenome(root, "train"))
    path = cache_of(root)
    data = path.read_bytes()
    if damage == "torn":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "foreign":
        np.savez(path, a=np.zeros(3))
    else:
        columns, header = action_genome_files.load_columns(path)
        if damage == "version":
            header["version"] = 0
        elif damage == "shape":
            columns["columns.box"] = columns["columns.box"][:-1]
        else:
            columns["start"] = columns["start"][::-1]
        action_genome_files.save_columns(path, columns, header)
    reads = _Reads(monkeypatch)
    assert list(ActionGenome(root, "train")) == whole
    assert reads.count == 2
    ActionGenome(root, "train")
    assert reads.count == 2


def test_a_read_only_data_set_is_cached_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = small_set(tmp_path / "data")
    # works for root, whom no permission stops
    (root / "annotations" / ".vidsgg").write_text("in the way", encoding="utf-8")
    reads = _Reads(monkeypatch)
    whole = list(ActionGenome(root, "train"))
    assert [p.suffix for p in (tmp_path / "user-cache").iterdir()] == [".npz"]
    assert list(ActionGenome(root, "train")) == whole
    assert reads.count == 2
    # Nowhere to write: it still works, every time from the pickles.
    monkeypatch.setenv("VIDSGG_CACHE", str(root / "annotations" / ".vidsgg" / "inner"))
    assert list(ActionGenome(root, "train")) == whole
    assert reads.count == 4


def test_a_cache_cannot_point_out_of_the_folder(tmp_path: Path) -> None:
    root = small_set(tmp_path)
    ActionGenome(root, "train")
    columns, header = action_genome_files.load_columns(cache_of(root))
    columns["key.data"] = np.frombuffer(
        columns["key.data"].tobytes().replace(b"AAAAA", b"../..").replace(b"BBBBB", b"../.."), np.uint8
    )
    columns["video.data"] = np.frombuffer(
        columns["video.data"].tobytes().replace(b"AAAAA", b"../..").replace(b"BBBBB", b"../.."), np.uint8
    )
    action_genome_files.save_columns(cache_of(root), columns, header)
    with pytest.raises(DataError, match="frame key"):
        ActionGenome(root, "train").images(0)


def read_plainly(persons: dict, objects: dict, split: str, small: bool) -> tuple[dict, tuple[int, ...]]:
    """The rules of the reference as plain loops: video -> [(key, person box, [(class, box,
    predicates)])], and what it prints."""
    videos: dict[str, list] = {}
    for name in persons:
        if objects[name][0]["metadata"]["set"] != split:
            continue
        seen = [o for o in objects[name] if o["visible"] and not (small and min(o["bbox"][2:]) < 16)]
        if seen:
            videos.setdefault(name.split("/")[0], []).append((name, persons[name]["bbox"], seen))
    kept, valid, no_person, one_frame, frames_no_person = {}, 0, 0, 0, 0
    for video, frames in videos.items():
        rest = [frame for frame in frames if len(frame[1])]
        frames_no_person += len(frames) - len(rest)
        valid += len(rest)
        if len(rest) > 2:
            kept[video] = rest
        elif len(rest) == 1:
            one_frame += 1
        else:
            no_person += 1
    return kept, (len(kept), valid, no_person, one_frame, frames_no_person)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("mode", ["predcls", "sgdet"])
def test_columns_agree_with_plain_loops(tmp_path: Path, seed: int, mode: str) -> None:
    rng = np.random.default_rng(seed)
    names = [key(f"V{v:03d}", n) for v in range(40) for n in range(1, 1 + rng.integers(1, 7))]
    if seed % 2:
        rng.shuffle(names)
    persons = {
        name: person(rng.uniform([0, 0, 50, 40], [40, 30, 96, 64]) if rng.random() < 0.7 else None) for name in names
    }

    def some(predicates: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(rng.choice(predicates, rng.integers(1, 4), replace=False).tolist())

    attention, spatial, contacting = (group.predicates for group in VOCABULARY.groups)
    objects = {}
    for name in names:
        objects[name] = [
            thing(
                str(rng.choice(OBJECTS[2:])), tuple(rng.uniform([0, 0, 10, 10], [40, 30, 50, 30])), (str(rng.choice(attention)),),
                some(spatial), some(contacting), bool(rng.random() < 0.7), "test" if int(name[1:4]) % 3 == 0 else "train",
            )
            for _ in range(rng.integers(1, 5))
        ]  # fmt: skip
    root = write(tmp_path, persons, objects)
    for split in ("train", "test"):
        kept, printed = read_plainly(persons, objects, split, mode != "predcls")
        data = ActionGenome(root, split, mode)
        s = data.summary
        assert (s.videos, s.valid_frames, s.videos_no_person, s.videos_one_frame, s.frames_no_person) == printed
        assert [f"{v}.mp4" for v in data.video_ids] == list(kept)
        for video, frames in zip(data, kept.values(), strict=True):
            assert list(video.frame_key) == [frame[0] for frame in frames]
            pair = node = 0
            for t, (_, box, seen) in enumerate(frames):
                assert np.array_equal(video.node_box[node], box[0]) and video.node_class[node] == 1
                for i, entry in enumerate(seen):
                    x, y, w, h = entry["bbox"]
                    assert np.array_equal(video.node_box[node + 1 + i], np.array([x, y, x + w, y + h], np.float32))
                    assert OBJECTS[video.node_class[node + 1 + i]] == entry["class"]
                    assert (video.pair_subject[pair], video.pair_object[pair], video.pair_frame[pair]) == (
                        node,
                        node + 1 + i,
                        t,
                    )
                    for group in VOCABULARY.groups:
                        given = {group.predicates[c] for c in np.flatnonzero(video.labels[group.name][pair])}
                        assert given == set(entry[f"{group.name}_relationship"])
                    pair += 1
                node += 1 + len(seen)
            assert (pair, node) == (video.pairs, video.nodes)


def test_a_data_set_goes_to_another_process(tmp_path: Path) -> None:
    data = ActionGenome(small_set(tmp_path), "train")
    copy = pickle.loads(pickle.dumps(data))
    assert list(copy) == list(data) and len(copy.images(1)) == 4


def test_frames_of_an_uneven_video_are_those_that_ffmpeg_dumps(tmp_path: Path) -> None:
    persons, objects = plain({"AAAAA": ("train", [5, 10, 15, 25, 30])})
    root = write(tmp_path, {name: person(size=(WIDTH, HEIGHT)) for name in persons}, objects)
    (root / "videos").mkdir()
    stamps = [40 * i + (360 if i > 10 else 0) for i in range(40)]
    video = numbered_video.write(root / "videos" / "AAAAA.mp4", frames=40, stamps=stamps, bf="0")
    data = ActionGenome(root, "train")
    # ffmpeg -i AAAAA.mp4 %06d.png: picture 11 fills the gap as files 11..20
    # (tests/io/test_constant_rate.py, "gap")
    assert [number_of(picture) for picture in data.images(0)] == [5, 10, 11, 16, 21]
    assert data.uneven(0) == f"{video}: 40 pictures make 49 frames, frame 12 is picture 11"
    report = check_dataset(root)
    (finding,) = [found for found in report.findings if "uneven" in found.name]
    assert (finding.severity, finding.count, finding.examples) == ("warning", 1, (data.uneven(0),))
    (root / "frames" / "AAAAA.mp4").mkdir(parents=True)
    for n in (5, 10, 15, 25, 30):
        Pillow.fromarray(numbered(n)).save(root / "frames" / "AAAAA.mp4" / f"{n:06d}.png")
    assert ActionGenome(root, "train").uneven(0) is None  # the dump is what it is


def test_an_even_video_is_not_called_uneven(tmp_path: Path) -> None:
    assert ActionGenome(small_set(tmp_path), "train").uneven(0) is None
