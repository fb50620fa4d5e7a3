"""VidVRD in COCO style gives what VidVRD's own files give, as far as it has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.test_vidvrd import opened, write_files
from datasets.vidvrd_coco_files import made_up, write_coco_style

from vidsgg.datasets.registry import identify
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError
from vidsgg.structures.annotation import VideoAnnotation


def test_test_videos_are_those_of_the_own_files(tmp_path: Path) -> None:
    made = made_up()
    root, own = write_coco_style(tmp_path / "coco", made), write_files(tmp_path / "own", made)
    assert identify(root)[0] == "vidvrd_coco"
    have, want = opened(root, "test"), opened(own, "test")
    assert list(have.video_ids) == list(want.video_ids)
    vocabulary = have.schema.vocabulary
    assert vocabulary.objects[1:] == tuple(sorted(vocabulary.objects[1:]))  # by name, not by the file's ids
    for mine, theirs in zip(have, want, strict=True):
        assert relations_of(mine) == relations_of(theirs)
        for column in ("frame_number", "frame_size", "node_box", "node_identity", "node_frame"):
            np.testing.assert_array_equal(getattr(mine, column), getattr(theirs, column))
    for video, instances in want.true_instances().items():
        for one, other in zip(have.true_instances()[video], instances, strict=True):
            assert (one.triplet, one.begin, one.end) == (other.triplet, other.begin, other.end)
            np.testing.assert_array_equal(one.subject_box, other.subject_box)
    report = check_dataset(root, "none")
    assert report.clean and "train: 2 videos, published 800" in report.text() and "published 4,835" in report.text()


def relations_of(annotation: VideoAnnotation) -> set[tuple[Any, ...]]:
    """Frame, ids of both things, predicate."""
    vocabulary = annotation.schema.vocabulary
    pair, predicate = np.nonzero(annotation.labels["relation"])
    ends = (annotation.node_identity[rows[pair]].tolist() for rows in (annotation.pair_subject, annotation.pair_object))
    classes = (vocabulary.objects[c] for c in annotation.node_class[annotation.pair_subject[pair]])
    names = (vocabulary.predicates[p] for p in predicate)
    return set(zip(annotation.frame_number[annotation.pair_frame[pair]].tolist(), *ends, classes, names, strict=True))


def test_training_has_few_frames_and_base_classes_only(tmp_path: Path) -> None:
    made = made_up()
    root, own = write_coco_style(tmp_path / "coco", made), write_files(tmp_path / "own", made)
    novel = max(thing["category"] for d in made["train"] for thing in d["subject/objects"])
    whole = {a.video_id: a for a in opened(own, "train").every_frame()}
    found = 0
    for annotation in opened(root, "train"):
        objects = annotation.schema.vocabulary.objects
        assert annotation.frames <= 15 and novel not in {objects[c] for c in annotation.node_class}
        kept = set(annotation.frame_number.tolist())
        labelled = {row for row in relations_of(whole[annotation.video_id]) if row[0] in kept}
        assert relations_of(annotation) <= labelled
        found += len(relations_of(annotation))
    assert found and novel in opened(root, "train").schema.vocabulary.objects
    assert "relations of things without a box, passed over" in check_dataset(root, "none").text()


def test_quirks_of_frames_beyond_the_trajectories(tmp_path: Path) -> None:
    made = made_up()
    for document in made["test"]:
        document["frame_count"] += 3
        document["relation_instances"][0]["end_fid"] = len(document["trajectories"]) + 9
    root = write_coco_style(tmp_path / "coco", made)
    said = check_dataset(root, "none").text()
    assert "frames beyond the trajectories, passed over: 6" in said and "cut at the end of the trajectories: 2" in said
    assert opened(root, "test").annotation(0).frames == len(made["test"][0]["trajectories"])


def of_first(name: str, **values: Any) -> Any:
    return lambda document: document[name][0].update(values)


def of_relation(**values: Any) -> Any:
    return lambda document: document["videos"][0]["relation_instances"][0].update(values)


FAULTS = [
    (lambda d: d.pop("categories"), r"lacks the list 'categories'"),
    (lambda d: d.update(predicate_categories=[]), r"predicate_categories is empty"),
    (lambda d: d["categories"].append(d["categories"][0]), r"categories: id 1, name .* occurs twice"),
    (of_first("videos", width=0), r"videos\[0\]: width is 0"),
    (of_first("videos", trajectories={"0": {"a": [1, 2, 3, 4]}}), r"videos id 1: trajectories names frame 'a'"),
    (of_first("videos", trajectories={"0": {"1": [1, 2]}}), r"videos\[0\]: trajectories"),
    (lambda d: d["videos"][1].update(id=1), r"videos id 1, name 'train001': occurs twice"),
    (of_first("images", video_id=99), r"images id 1: video_id is 99; no video has it"),
    (lambda d: d["images"][1].update(frame_id=0), r"images id 2: frame_id is 0, as that of another image"),
    (of_first("annotations", image_id=9999), r"annotations id 1: image_id is 9999"),
    (of_first("annotations", category_id=99), r"annotations id 1: category_id is 99, which categories lacks"),
    (of_first("annotations", bbox=[1, 2, -3, 4]), r"annotations id 1: bbox is .*width and height are 0 or more"),
    (of_first("annotations", bbox=[1, 2, float("nan"), 4]), r"annotations"),
    (lambda d: d["annotations"].append({**d["annotations"][0], "id": 0}), r"annotations id 0: instance_id \d+ has another"),
    (of_relation(predicate_label=99), r"relation_instances\[0\]: predicate_label is 99"),
    (of_relation(subject_label=99), r"relation_instances\[0\]: subject_label is 99"),
    (of_relation(end_fid=0), r"relation_instances\[0\]: end_fid is 0 and begin_fid"),
    (lambda d: of_relation(object_tid=d["videos"][0]["relation_instances"][0]["subject_tid"])(d), r"are both \d+"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "said"), FAULTS)
def test_faults_of_these_files_are_named(tmp_path: Path, change: Any, said: str) -> None:
    root = write_coco_style(tmp_path, made_up(), change)
    with pytest.raises(DataError, match=said) as error:
        opened(root, "train")
    assert "\n" not in str(error.value)
    assert not check_dataset(root, "none").clean
