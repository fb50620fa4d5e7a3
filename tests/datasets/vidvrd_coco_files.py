"""Small files of the form of OvDSGG's, from the annotations of a made-up VidVRD."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from golden.vidvrd_metrics import inputs

TRAIN, VAL = "annotations/instances_train_base.json", "annotations/instances_val.json"
FRAMES = 15  # of a training video


def in_coco_style(documents: list[dict[str, Any]], novel: tuple[str, ...], train: bool) -> dict[str, Any]:
    """Ids count from 1, those of novel classes last; training has no box of a novel class and evenly
    spaced frames."""
    classes = sorted({thing["category"] for d in documents for thing in d["subject/objects"]} | {*novel})
    classes = [*(c for c in classes if c not in novel), *novel]
    predicates = sorted({r["predicate"] for d in documents for r in d["relation_instances"]}, reverse=True)
    label = {name: 1 + i for i, name in enumerate(classes)}
    written: dict[str, Any] = {
        "info": {"description": "VidVRD to COCO"},
        "categories": [{"id": i, "name": name} for name, i in label.items()],
        "predicate_categories": [{"id": 1 + i, "name": name} for i, name in enumerate(predicates)],
        "videos": [],
        "images": [],
        "annotations": [],
    }
    for v, document in enumerate(documents, 1):
        of = {thing["tid"]: thing["category"] for thing in document["subject/objects"]}
        trajectories: dict[str, dict[str, list[float]]] = {}
        for f, boxes in enumerate(document["trajectories"]):
            for box in boxes:
                corners = [box["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax")]
                trajectories.setdefault(str(box["tid"]), {})[str(f)] = corners
        relations = []
        for instance in document["relation_instances"]:
            entry = {name: value for name, value in instance.items() if name != "predicate"}
            entry["predicate_label"] = 1 + predicates.index(instance["predicate"])
            entry |= {f"{end}_label": label[of[instance[f"{end}_tid"]]] for end in ("subject", "object")}
            relations.append(entry)
        count = document["frame_count"]
        frames = np.linspace(0, count - 1, FRAMES, dtype=int).tolist() if train else list(range(count))
        written["videos"].append(
            {"id": v, "name": document["video_id"], "width": document["width"], "height": document["height"], "fps": 30,
             "frame_count": count, "vid_train_frames": frames if train else [], "trajectories": trajectories,
             "relation_instances": relations}
        )  # fmt: skip
        for f in frames:
            image = len(written["images"]) + 1
            written["images"].append(
                {"id": image, "file_name": f"{document['video_id']}/{f:06d}.jpg", "height": document["height"],
                 "width": document["width"], "frame_id": f, "video_id": v, "is_vid_train_frame": train}
            )  # fmt: skip
            for box in document["trajectories"][f] if f < len(document["trajectories"]) else ():
                if train and of[box["tid"]] in novel:
                    continue
                x1, y1, x2, y2 = (box["bbox"][side] for side in ("xmin", "ymin", "xmax", "ymax"))
                written["annotations"].append(
                    {"id": len(written["annotations"]) + 1, "image_id": image, "video_id": v, "instance_id": box["tid"],
                     "category_id": label[of[box["tid"]]], "bbox": [x1, y1, x2 - x1, y2 - y1], "area": 1,
                     "iscrowd": False, "occluded": False, "generated": False}
                )  # fmt: skip
    return written


def made_up(seed: int = 5) -> dict[str, Any]:
    """VidVRD's own documents, of a training and a test part with the same classes."""
    return inputs.make_case({"seed": seed, "videos": 2, "train_videos": 2})


def write_coco_style(
    root: Path, made: dict[str, Any], change: Callable[[dict[str, Any]], object] | None = None
) -> Path:
    """change: of the training file."""
    novel = (max(thing["category"] for d in made["train"] for thing in d["subject/objects"]),)
    (root / "annotations").mkdir(parents=True)
    for place, part in ((TRAIN, "train"), (VAL, "test")):
        both = [*made["train"], *made["test"]]
        document = in_coco_style(both, novel, part == "train")
        first, last = (0, len(made["train"])) if part == "train" else (len(made["train"]), len(both))
        videos = {video["id"] for video in document["videos"][first:last]}
        for name in ("videos", "images", "annotations"):
            key = "id" if name == "videos" else "video_id"
            document[name] = [entry for entry in document[name] if entry[key] in videos]
        if change and part == "train":
            change(document)
        (root / place).write_text(json.dumps(document), encoding="utf-8")
    return root
