"""Action Genome in COCO style gives what Action Genome's own files give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets.ag_files import small_set

from vidsgg.datasets.registry import identify, open_whole_split
from vidsgg.datasets.validation import check_dataset
from vidsgg.errors import DataError
from vidsgg.structures.annotation import VideoAnnotation


def as_coco(annotations: list[VideoAnnotation]) -> dict[str, Any]:
    """Annotations as OED's script writes them."""
    document: dict[str, Any] = {"videos": [], "images": [], "annotations": []}
    for v, annotation in enumerate(annotations):
        document["videos"].append({"id": v + 1, "name": f"frames/{annotation.video_id}.mp4", "vid_train_frames": []})
        hot = np.concatenate([annotation.labels[g.name] for g in annotation.schema.vocabulary.groups], axis=1)
        for f, key in enumerate(annotation.frame_key):
            image = len(document["images"]) + 1
            width, height = annotation.frame_size[f].tolist()
            document["images"].append(
                {"id": image, "video_id": v + 1, "file_name": f"frames/{key}", "frame_id": int(annotation.frame_number[f]),
                 "width": int(width), "height": int(height), "is_vid_train_frame": True}
            )  # fmt: skip
            for node in np.flatnonzero(annotation.node_frame == f).tolist():
                x1, y1, x2, y2 = annotation.node_box[node].tolist()
                row = np.flatnonzero(annotation.pair_object == node)
                held = np.flatnonzero(hot[row[0]]).tolist() if len(row) else []
                document["annotations"].append(
                    {"id": len(document["annotations"]) + 1, "image_id": image, "video_id": v + 1, "iscrowd": False,
                     "category_id": int(annotation.node_class[node]), "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 1,
                     "attention_rel": [p for p in held if p < 3], "spatial_rel": [p for p in held if 3 <= p < 9],
                     "contact_rel": [p for p in held if p >= 9], "instance_id": -1, "occluded": -1, "generated": -1}
                )  # fmt: skip
    return document


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return small_set(tmp_path / "own")


def write(root: Path, own: Path, change: Any = None) -> Path:
    root.mkdir()
    for split in ("train", "test"):
        document = as_coco(list(open_whole_split(own, split, "predcls")))
        if change and split == "train":
            change(document)
        (root / f"ag_{split}_coco_style.json").write_text(json.dumps(document))
    return root


def test_the_arrays_are_those_of_the_pickles(own: Path, tmp_path: Path) -> None:
    root = write(tmp_path / "coco", own)
    assert identify(root)[0] == "action_genome_coco"
    for split in ("train", "test"):
        for have, want in zip(
            open_whole_split(root, split, "predcls"), open_whole_split(own, split, "predcls"), strict=True
        ):
            assert have == want
    assert check_dataset(root, "none").clean


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d["annotations"].pop(0), r"images id 1: its first annotation must be the person"),
        (
            lambda d: d["annotations"][1].update(attention_rel=[0, 1]),
            r"annotations id 2: attention_rel is \[0, 1\]; expected one",
        ),
        (
            lambda d: d["annotations"][1].update(spatial_rel=[1]),
            r"annotations id 2: spatial_rel is \[1\]; its ids are 3\.\.8",
        ),
        (lambda d: d["annotations"][1].update(bbox=[0, 0, -2, 3]), r"annotations id 2: bbox"),
        (lambda d: d["annotations"][1].update(category_id=40), r"annotations\[1\].*category_id"),
        (lambda d: d["annotations"][1].update(image_id=999), r"annotations id 2: image_id is 999"),
        (lambda d: d["images"][0].update(file_name="x.png"), r"images id 1: frame key 'x\.png'"),
        (lambda d: d.pop("images"), r"lacks the list 'images'"),
    ],
)
def test_faults_are_named(own: Path, tmp_path: Path, change: Any, said: str) -> None:
    root = write(tmp_path / "coco", own, change)
    with pytest.raises(DataError, match=said) as error:
        open_whole_split(root, "train", "predcls")
    assert "\n" not in str(error.value) and not check_dataset(root, "none").clean
