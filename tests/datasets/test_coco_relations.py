"""SGG-Benchmark's COCO with relations: pictures as videos of one frame."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError


def document(first: int = 0) -> dict[str, Any]:
    """Two pictures; ids of classes and predicates begin with ``first``."""
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "width": 40, "height": 30} for i in (7, 8)],
        "categories": [
            {"id": first + i, "name": name, "supercategory": "x"} for i, name in enumerate(("chair", "desk"))
        ],
        "annotations": [
            {
                "id": 10 * i + k,
                "image_id": i,
                "category_id": first + k % 2,
                "bbox": [k * 9, 2, 8, 9.5],
                "area": 76,
                "iscrowd": 0,
            }
            for i in (7, 8)
            for k in range(3)
        ],
        "rel_categories": [{"id": first + i, "name": name} for i, name in enumerate(("near", "on"))],
        "rel_annotations": [
            {"id": 1, "subject_id": 70, "object_id": 71, "predicate_id": first, "image_id": 7},
            {"id": 2, "subject_id": 70, "object_id": 71, "predicate_id": first + 1, "image_id": 7},
            {"id": 3, "subject_id": 82, "object_id": 80, "predicate_id": first + 1, "image_id": 8},
        ],
    }


def write(root: Path, **parts: dict[str, Any]) -> Path:
    for part, content in parts.items():
        (root / part).mkdir(parents=True)
        (root / part / "_annotations.coco.json").write_text(json.dumps(content))
        for image in content["images"]:
            Image.fromarray(np.full((image["height"], image["width"], 3), 99, np.uint8)).save(
                root / part / image["file_name"]
            )
    return root


@pytest.mark.parametrize("first", [0, 1, 5])
def test_ids_are_looked_up_whatever_they_begin_with(tmp_path: Path, first: int) -> None:
    root = write(tmp_path, train=document(first), val=document(first), test=document(first))
    assert identify(root)[0] == "coco_relations"
    data = open_whole_split(root, "train", "predcls")
    assert data.schema.vocabulary.objects[1:] == ("chair", "desk") and data.schema.vocabulary.predicates == (
        "near",
        "on",
    )
    assert data.video_ids == ["train/7.jpg", "train/8.jpg"]
    annotation = data.annotation(0)
    assert annotation.labels["relation"].tolist() == [[True, True]]  # both predicates of the pair
    assert annotation.node_class.tolist() == [1, 2, 1] and annotation.node_box[1].tolist() == [9, 2, 17, 11.5]
    assert data.images(0)[0].shape == (30, 40, 3)
    assert open_whole_split(root, "val", "predcls").video_ids == ["val/7.jpg", "val/8.jpg"]
    assert check_dataset(root).clean


def test_a_background_class_of_its_own_is_passed_over(tmp_path: Path) -> None:
    content = document(1)
    for name in ("categories", "rel_categories"):
        content[name].insert(0, {"id": 0, "name": "__background__"})
    data = open_whole_split(write(tmp_path, train=content), "train", "predcls")
    assert data.schema.vocabulary.objects == ("__background__", "chair", "desk")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda d: d["rel_annotations"][0].update(subject_id=99),
            r"rel_annotations id 1: subject_id is 99; no annotation",
        ),
        (lambda d: d["rel_annotations"][0].update(predicate_id=99), r"rel_annotations id 1: predicate_id is 99"),
        (lambda d: d["rel_annotations"][0].update(object_id=81), r"object_id is 81, which is in another image than 7"),
        (
            lambda d: d["rel_annotations"][0].update(object_id=70),
            r"rel_annotations id 1: subject_id and object_id are both 70",
        ),
        (lambda d: d["rel_annotations"][0].pop("image_id"), r"rel_annotations\[0\]"),
        (lambda d: d["rel_categories"].append({"id": 0, "name": "off"}), r"rel_categories id 0 occurs twice"),
        (lambda d: d["categories"].append({"id": 9, "name": "desk"}), r"categories id 9 has the name 'desk'"),
        (lambda d: d["images"][0].update(file_name="../7.jpg"), r"images id 7: file_name is 'train/\.\./7\.jpg'"),
        (lambda d: d["images"][0].update(file_name="8.jpg"), r"images id 8: file_name is 'train/8.jpg', which another"),
        (lambda d: d["annotations"][0].update(bbox=[0, 0, 0, 5]), r"annotations id 70: bbox"),
        (lambda d: d.pop("rel_annotations"), r"lacks the list 'rel_annotations'"),
    ],
)
def test_faults_are_named_as_the_file_calls_things(tmp_path: Path, change: Any, said: str) -> None:
    content = document()
    change(content)
    root = write(tmp_path, train=document())
    (root / "train/_annotations.coco.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=said) as error:
        open_whole_split(root, "train", "predcls")
    assert "\n" not in str(error.value) and not check_dataset(root, "none").clean
