"""Small sets of COCO-video with relations, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 64
CLASSES = ("person", "cup", "table")


def small_document(videos: int = 2, frames: int = 4, first: str = "v") -> dict[str, Any]:
    """Two people, a cup and a table in every frame but one, where a person is missing; relations of
    both kinds, a thing as a subject, a pair in both directions with several predicates."""
    document: dict[str, Any] = {
        "info": {"version": "1"},
        "videos": [{"id": 7 * v, "name": f"{first}{v}", "fps": 2.0} for v in range(1, videos + 1)],
        "images": [],
        "categories": [{"id": i * 5, "name": name} for i, name in enumerate(CLASSES)],
        "annotations": [],
        "predicate_groups": [
            {"name": "place", "kind": "multi"},
            {"name": "use", "kind": "multi", "direction": "object->subject"},
        ],
        "predicates": [
            {"id": 11, "name": "on", "group": "place"},
            {"id": 3, "name": "next_to", "group": "place"},
            {"id": 0, "name": "hold", "group": "use"},
        ],
        "relations": [],
    }
    ident = 100
    for video in document["videos"]:
        for f in (2 * n for n in range(frames)):  # ids from 0, with gaps
            image = len(document["images"]) + 50
            name = f"{video['name']}/{f:06d}.png"
            document["images"].append(
                {
                    "id": image,
                    "video_id": video["id"],
                    "frame_id": f,
                    "file_name": name,
                    "width": WIDTH,
                    "height": HEIGHT,
                }
            )
            boxes = {0: (0, 4 + f, 4.25, 16, 30), 1: (0, 40, 4, 16, 30), 2: (5, 20, 20, 6, 8), 3: (10, 10, 28, 60, 30)}
            for track, (category, *box) in boxes.items():
                if f == 4 and track == 1:
                    continue
                ident += 1
                document["annotations"].append(
                    {"id": ident, "image_id": image, "category_id": category, "bbox": box, "track_id": track}
                )
        first_ids = [a["id"] for a in document["annotations"] if a["image_id"] == document["images"][-frames]["id"]]
        image = document["images"][-frames]["id"]
        for subject, obj, predicate in ((0, 1, 3), (1, 0, 3), (1, 0, 0), (2, 3, 11), (2, 3, 11)):
            document["relations"].append(
                {"id": len(document["relations"]), "image_id": image, "subject_id": first_ids[subject],
                 "object_id": first_ids[obj], "predicate_id": predicate}
            )  # fmt: skip
        for subject, obj, predicate, begin, end in ((2, 3, 11, 0, 100), (1, 2, 0, 2, 7)):
            document["relations"].append(
                {"id": len(document["relations"]), "video_id": video["id"], "subject_track_id": subject,
                 "object_track_id": obj, "predicate_id": predicate, "begin_frame": begin, "end_frame": end}
            )  # fmt: skip
    return document


def write_set(root: Path, *, pictures: bool = True, **documents: dict[str, Any]) -> Path:
    """A data set with a file for each document, by default a training and a test part, and a
    picture for every frame."""
    documents = documents or {"train": small_document(), "test": small_document(first="t")}
    root.mkdir(parents=True, exist_ok=True)
    for split, document in documents.items():
        (root / f"{split}.json").write_text(json.dumps(document), encoding="utf-8")
        for image in document["images"] if pictures else ():
            path = root / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            shade = np.full((image["height"], image["width"], 3), (image["id"] * 7) % 200 + 20, np.uint8)
            Image.fromarray(shade).save(path)
    return root
