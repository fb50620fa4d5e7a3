"""ImageNet-VidVRD and VidOR: files of their exact form, their quirks, and their own metrics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from golden.vidvrd_metrics import inputs

from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.relation_videos import RelationVideos
from vidsgg.datasets.validation import check_dataset
from vidsgg.datasets.vidvrd.names import VIDOR_OBJECTS, VIDOR_PREDICATES, VIDVRD_OBJECTS, VIDVRD_PREDICATES
from vidsgg.errors import DataError
from vidsgg.metrics.tracks import relation_detection, triplets_of, unseen
from vidsgg.structures.instances import RelationInstance

GOLDEN = Path(__file__).parent.parent / "golden/vidvrd_metrics"
CASES = json.loads((GOLDEN / "cases.json").read_text(encoding="utf-8"))


def write_files(root: Path, made: dict[str, Any]) -> Path:
    """The annotations of ``make_case`` where each data set has them."""
    places = {"vidvrd": ("train", "test"), "vidor": ("annotation/training/0000", "annotation/validation/0000")}
    for part, place in zip(("train", "test"), places[made["format"]], strict=True):
        (root / place).mkdir(parents=True)
        for i, document in enumerate(made[part]):
            (root / place / f"{part}{i:03d}.json").write_text(json.dumps(document), encoding="utf-8")
    return root


def opened(root: Path, split: str, **options: Any) -> RelationVideos:
    data = open_whole_split(root, split, "predcls", **options)
    assert isinstance(data, RelationVideos)
    return data


def small(root: Path, change: Any = None, form: str = "vidvrd") -> Path:
    made = inputs.make_case({"seed": 5, "videos": 2, "train_videos": 2, "format": form})
    if change:
        change(made["train"][0])
    return write_files(root, made)


def test_the_published_names() -> None:
    assert [len(n) for n in (VIDVRD_OBJECTS, VIDVRD_PREDICATES, VIDOR_OBJECTS, VIDOR_PREDICATES)] == [35, 132, 80, 50]
    assert VIDVRD_PREDICATES[0] == "above" and VIDOR_OBJECTS[0] == "adult" and "play(instrument)" in VIDOR_PREDICATES


@pytest.mark.parametrize("case", [c for c in CASES if c["id"] in ("open-vidor", "open-edges")], ids=lambda c: c["id"])
def test_the_official_metrics_from_files(tmp_path: Path, case: dict[str, Any]) -> None:
    made = inputs.make_case({name: value for name, value in case.items() if name in (*inputs.DEFAULTS, "seed")})
    root = write_files(tmp_path, made)
    train, test = opened(root, "train"), opened(root, "test")
    truth = {video: test.relation_instances(i) for i, video in enumerate(test.video_ids)}
    said = {
        video: [
            RelationInstance(tuple(p["triplet"]), *p["duration"], p["sub_traj"], p["obj_traj"], p["score"])
            for p in listed
        ]
        for video, listed in made["predictions"].items()
    }
    expected = np.load(GOLDEN / f"{case['id']}.npz")
    found = relation_detection(truth, said)
    np.testing.assert_allclose([found.mean_ap, *found.recall], [expected["mean_ap"], *expected["recall"]], atol=1e-6)
    seen = triplets_of({video: train.relation_instances(i) for i, video in enumerate(train.video_ids)})
    new = relation_detection(*unseen(truth, said, seen))
    np.testing.assert_allclose(new.mean_ap, expected["unseen_mean_ap"], atol=1e-6)


@pytest.mark.parametrize("form", ["vidvrd", "vidor"])
def test_a_whole_set(tmp_path: Path, form: str) -> None:
    root = small(tmp_path, form=form)
    assert identify(root)[0] == form
    test = opened(root, "test")
    annotation = test.annotation(0)
    assert annotation.frames == len(json.loads(sorted(tmp_path.rglob("test000.json"))[0].read_text())["trajectories"])
    assert annotation.schema.overlap == "plus_one" and annotation.schema.pairing == "ordered"
    assert annotation.schema.vocabulary.predicates == tuple(sorted(annotation.schema.vocabulary.predicates))
    report = check_dataset(root, "none")
    assert report.clean and "relation instances" in report.text() and "published" in report.text()


def test_training_frames_are_those_that_relations_cover(tmp_path: Path) -> None:
    def cover_little(document: dict[str, Any]) -> None:
        document["relation_instances"] = [{**document["relation_instances"][0], "begin_fid": 3, "end_fid": 15}]

    root = small(tmp_path, cover_little)
    train = opened(root, "train")
    assert train.annotation(0).frame_number.tolist() == [4, 6, 11, 15]  # ends, and every fifth in between
    other = open_whole_split(small(tmp_path / "vidor", cover_little, "vidor"), "train", "predcls").annotation(0)
    assert other.frame_number[:3].tolist() == [1, 4, 6]  # VidOR's videos are labelled whole
    assert train.schema == opened(root, "test").schema


def test_quirks_are_counted(tmp_path: Path) -> None:
    def odd(document: dict[str, Any]) -> None:
        document["frame_count"] += 7
        relation = document["relation_instances"][0]
        relation["end_fid"] = len(document["trajectories"]) + 30
        box = document["trajectories"][relation["begin_fid"]]
        document["trajectories"][relation["begin_fid"]] = [e for e in box if e["tid"] != relation["subject_tid"]]
        first = document["trajectories"][-1][0]["bbox"]
        first["xmax"] = first["xmin"]

    root = small(tmp_path, odd)
    said = check_dataset(root, "none").text()
    for fact in ("beyond the trajectories, passed over: 7", "cut at the end", "has no box, passed over", "one pixel"):
        assert fact in said
    train = opened(root, "train")
    assert train.annotation(0).pairs
    with pytest.raises(DataError, match=r"video 'train000': track \d+ has no box in frame \d+"):
        train.relation_instances(0)


def _in(*path: Any, to: Any) -> Any:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_in("version", to="VERSION 1.0"), r"train000\.json: has 'version', which is VidOR's"),
        (_in("trajectories", to=[]), r"trajectories is empty"),
        (_in("trajectories", 0, 0, "bbox", "xmax", to=-1), r"trajectories\[0\]\[0\]\.bbox is .* not xmin <= xmax"),
        (_in("trajectories", 0, 0, "bbox", to=[1, 2, 3, 4]), r"trajectories\[0\]\[0\]\.bbox"),
        (_in("trajectories", 0, 0, "tid", to=99), r"trajectories\[0\]\[0\]\.tid is 99, which subject/objects lacks"),
        (_in("relation_instances", 0, "subject_tid", to=99), r"relation_instances\[0\]\.subject_tid is 99"),
        (_in("relation_instances", 0, "end_fid", to=0), r"relation_instances\[0\]: end_fid is 0 and begin_fid"),
        (_in("relation_instances", 0, "begin_fid", to="a"), r"relation_instances\[0\]\.begin_fid is 'a'"),
        (_in("relation_instances", 0, "predicate", to=""), r"relation_instances\[0\]\.predicate"),
        (_in("video_id", to="train001"), r"train001\.json: video_id is 'train001', as in train000\.json"),
        (_in("width", to=0), r"width is 0"),
        (_in("subject/objects", to=None), r"subject/objects"),
    ],
)
def test_faults_are_named_with_file_and_place(tmp_path: Path, change: Any, said: str) -> None:
    root = small(tmp_path, change)
    with pytest.raises(DataError, match=said) as error:
        opened(root, "train")
    assert "\n" not in str(error.value)
    assert not check_dataset(root, "none").clean
    assert len(opened(root, "train", skip_bad=True)) >= 1


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    root = small(tmp_path)
    (root / "train" / "train000.json").write_text("{")
    with pytest.raises(DataError, match=r"train000\.json: is not JSON"):
        opened(root, "train")
