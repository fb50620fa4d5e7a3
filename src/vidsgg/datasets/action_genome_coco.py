"""Action Genome in COCO style, the files that OED and its successors train on.

Source of the format: guanw-pku/OED ``datasets/prep_annotation.py``. The first annotation of an
image is the person, and relations stand with the objects, by global predicate id. Frames without a
person or a visible object are left out there; there is no rule of more than two frames and no
filter of small boxes, so ``skip`` and modes change nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from vidsgg.datasets.action_genome import OBJECTS, PERSON, SCHEMA, VOCABULARY
from vidsgg.datasets.action_genome_files import split_key
from vidsgg.datasets.coco_video.parse import read_lists
from vidsgg.datasets.faults import Faults
from vidsgg.datasets.relation_sets import Parsed
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import DataError, short
from vidsgg.io.locations import Location

_GROUPS = {"attention_rel": "attention", "spatial_rel": "spatial", "contact_rel": "contacting"}
_Id = Annotated[int, Meta(ge=-(2**53), le=2**53)]
_Side = Annotated[int, Meta(ge=1, le=1_000_000)]


class CocoClip(Struct, gc=False):
    id: _Id
    name: Annotated[str, Meta(max_length=500)]  # frames/VIDEO.mp4


class CocoFrame(Struct, gc=False):
    id: _Id
    video_id: _Id
    file_name: Annotated[str, Meta(max_length=500)]  # frames/VIDEO.mp4/000089.png
    width: _Side
    height: _Side


class CocoThing(Struct, gc=False):
    id: _Id
    image_id: _Id
    category_id: Annotated[int, Meta(ge=1, le=len(OBJECTS) - 1)]
    bbox: tuple[float, float, float, float]
    attention_rel: tuple[int, ...] = ()
    spatial_rel: tuple[int, ...] = ()
    contact_rel: tuple[int, ...] = ()


class CocoActionGenome(Struct):
    """A whole file. Entries that are not named here are passed over."""

    videos: list[CocoClip]
    images: list[CocoFrame]
    annotations: list[CocoThing]


_ENTRY: dict[str, type[Struct]] = {"videos": CocoClip, "images": CocoFrame, "annotations": CocoThing}


def parse_action_genome_coco(path: Location, split: str) -> Parsed:
    """Read a file. Frames with a fault are left out whole. Raises DataError if it is no such file
    at all, or has no usable frame.
    """
    faults, facts = Faults(), Counter[str]()
    document = read_lists(path, faults, CocoActionGenome, list(_ENTRY), _ENTRY)
    things: dict[int, list[CocoThing]] = {image.id: [] for image in document.images}
    for thing in document.annotations:
        if thing.image_id not in things:
            text = f"{path.name}: annotations id {thing.id}: image_id is {thing.image_id}; no image has this id."
            faults.add("annotations: unknown image_id", text)
        else:
            things[thing.image_id].append(thing)
    videos: dict[str, int] = {}
    taken: set[str] = set()
    frames, nodes, relations = (
        list[tuple[int, int, str, float, float]](),
        list[tuple[int, int, list[float]]](),
        list[tuple[int, int, int, int]](),
    )
    for image in document.images:
        where = f"{path.name}: images id {image.id}"
        try:
            key = image.file_name.removeprefix("frames/")
            name, number = split_key(key)
            if key in taken:
                raise DataError(f"{where}: file_name is {short(image.file_name)}, which another has too.")
            boxes, labels = _frame(path, image, things[image.id], facts)
        except DataError as error:
            text = str(error)
            faults.add("frame that cannot be used", text if text.startswith(path.name) else f"{where}: {text}")
            continue
        taken.add(key)
        video = videos.setdefault(name, len(videos))
        person = len(nodes)
        nodes += [(len(frames), klass, box) for klass, box in boxes]
        relations += [(video, person, person + 1 + thing, predicate) for thing, predicate in labels]
        frames.append((video, number, key, image.width, image.height))
    if not frames:
        raise DataError(f"{path}: has no usable frame; 'vidsgg data check' lists what is wrong with it.")
    facts.update({"videos": len(videos), "frames": len(frames), "pairs": len(nodes) - len(frames)})
    relation = np.array(relations, np.int64).reshape(-1, 4)
    none = np.zeros(0, np.int64)
    table, _ = RelationTable.of(
        SCHEMA,
        split,
        video_id=list(videos),
        video_file=[f"videos/{name}.mp4" for name in videos],
        fps=[np.nan] * len(videos),
        frame_video=np.array([frame[0] for frame in frames], np.int64),
        frame_key=[frame[2] for frame in frames],
        node_frame=np.array([node[0] for node in nodes], np.int64),
        relation_video=relation[:, 0],
        interval_video=none,
        columns={
            "frame_number": np.array([frame[1] for frame in frames], np.int64),
            "frame_size": np.array([frame[3:] for frame in frames], np.float32),
            "frame_labelled": np.ones(len(frames), np.bool_),
            "node_box": np.array([node[2] for node in nodes], np.float32),
            "node_class": np.array([node[1] for node in nodes], np.int64),
            "node_identity": np.full(len(nodes), -1),
            "relation_subject": relation[:, 1],
            "relation_object": relation[:, 2],
            "relation_predicate": relation[:, 3],
            **{f"interval_{name}": none for name in ("subject", "object", "predicate", "begin", "end")},
        },
    )
    return Parsed(table, faults, facts)


def _frame(
    path: Location, image: CocoFrame, things: list[CocoThing], facts: Counter[str]
) -> tuple[list[tuple[int, list[float]]], list[tuple[int, int]]]:
    """Classes and boxes of a frame, the person first, and what holds: (object, predicate). Raises
    DataError for what is wrong with it."""
    where = f"{path.name}: images id {image.id}"
    if len(things) < 2 or things[0].category_id != PERSON:
        raise DataError(
            f"{where}: its first annotation must be the person and an object must follow; it has {len(things)}."
        )
    boxes, labels = [], []
    for i, thing in enumerate(things):
        x, y, width, height = thing.bbox
        if not (width > 0 and height > 0 and max(map(abs, thing.bbox)) < 1e6):
            raise DataError(
                f"{path.name}: annotations id {thing.id}: bbox is {list(thing.bbox)}, whose sides are not positive."
            )
        boxes.append((thing.category_id, [x, y, x + width, y + height]))
        if i == 0:
            continue
        if thing.category_id == PERSON:
            facts["people beside the frame's person"] += 1
        for name, group in _GROUPS.items():
            listed, offset = getattr(thing, name), VOCABULARY.offsets[group]
            size = len(VOCABULARY.group(group))
            if any(not offset <= predicate < offset + size for predicate in listed):
                text = f"{name} is {list(listed)}; its ids are {offset}..{offset + size - 1}"
                raise DataError(f"{path.name}: annotations id {thing.id}: {text}.")
            if VOCABULARY.group(group).kind == "single" and len(set(listed)) != 1:
                raise DataError(f"{path.name}: annotations id {thing.id}: {name} is {list(listed)}; expected one.")
            labels += [(i - 1, predicate) for predicate in listed]
    return boxes, labels
