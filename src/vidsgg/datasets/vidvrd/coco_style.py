"""ImageNet-VidVRD in COCO style, the files that OvDSGG trains on, become a table; what is wrong is
gathered with its place.

Source of the format: shilling11/OvDSGG ``datasets/vidvrd_dataset/vrd2coco.py``. Category and
predicate ids count base classes first there; names decide here. A box's width is xmax - xmin, so its
right side is VidVRD's inclusive one. The training file has some evenly spaced frames of every video
and boxes of base classes only. Frames count from 0 in the files and from 1 in the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
from msgspec import Meta, Struct

from vidsgg.datasets.coco_video.parse import read_lists
from vidsgg.datasets.faults import Faults
from vidsgg.datasets.relation_sets import Parsed
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.datasets.vidvrd.names import VIDVRD_OBJECTS, VIDVRD_PREDICATES
from vidsgg.datasets.vidvrd.parse import track_schema
from vidsgg.errors import DataError, short
from vidsgg.io.locations import Location

_Id = Annotated[int, Meta(ge=0, le=2**31 - 2)]
_Name = Annotated[str, Meta(min_length=1, max_length=200)]
_Side = Annotated[int, Meta(ge=1, le=1_000_000)]
_Pixel = Annotated[float, Meta(ge=-1e6, le=1e6)]


class StyleClass(Struct, gc=False):
    id: _Id
    name: _Name


class StyleRelation(Struct, gc=False):
    subject_tid: _Id
    object_tid: _Id
    predicate_label: _Id
    begin_fid: _Id
    end_fid: _Id
    subject_label: _Id | None = None
    object_label: _Id | None = None


class StyleVideo(Struct, gc=False):
    id: _Id
    name: _Name
    width: _Side
    height: _Side
    trajectories: dict[str, dict[str, tuple[_Pixel, _Pixel, _Pixel, _Pixel]]]  # by track and frame
    relation_instances: list[StyleRelation]
    fps: Annotated[float, Meta(ge=0, le=1e6)] | None = None


class StyleImage(Struct, gc=False):
    id: _Id
    video_id: _Id
    frame_id: _Id


class StyleBox(Struct, gc=False):
    id: _Id
    image_id: _Id
    category_id: _Id
    instance_id: _Id
    bbox: tuple[_Pixel, _Pixel, _Pixel, _Pixel]


class StyleFile(Struct):
    """A whole file. Entries that are not named here are passed over."""

    categories: list[StyleClass]
    predicate_categories: list[StyleClass]
    videos: list[StyleVideo]
    images: list[StyleImage]
    annotations: list[StyleBox]


_ENTRY: dict[str, type[Struct]] = {
    "categories": StyleClass,
    "predicate_categories": StyleClass,
    "videos": StyleVideo,
    "images": StyleImage,
    "annotations": StyleBox,
}


@dataclass
class _Video:
    """A video with its frames, by frame id, and the class of each of its tracks."""

    entry: StyleVideo
    end: int  # frames that the trajectories reach
    frames: dict[int, list[StyleBox]] = field(default_factory=dict)
    category: dict[int, int] = field(default_factory=dict)


def parse_vidvrd_coco(path: Location, split: str, name: str, title: str) -> Parsed:
    """Read a file. Videos with a fault are left out whole. Raises DataError if it is no such file at
    all, or no video can be used."""
    faults, facts = Faults(), Counter[str]()
    document = read_lists(path, faults, StyleFile, list(_ENTRY), _ENTRY)
    classes = _names(path, "categories", document.categories)
    predicates = _names(path, "predicate_categories", document.predicate_categories)
    schema = track_schema(
        name, title, ({*classes.values()}, {*predicates.values()}), (VIDVRD_OBJECTS, VIDVRD_PREDICATES)
    )
    videos = _gathered(path, document, classes, predicates, faults, facts)
    if not videos:
        raise DataError(next((cases[0] for cases in faults.cases.values()), f"{path}: has no video with an image."))
    class_of = {ident: schema.vocabulary.objects.index(word) for ident, word in classes.items()}
    predicate_of = {ident: schema.vocabulary.predicates.index(word) for ident, word in predicates.items()}
    frames: list[tuple[int, int, bool]] = []  # video, frame, whether it is labelled
    nodes: list[tuple[int, int, int, tuple[float, float, float, float]]] = []  # frame, class, track, box
    intervals: list[tuple[int, int, int, int, int, int]] = []
    for v, video in enumerate(videos):
        kept = _relations(video, facts)
        covered = np.zeros(video.end, np.bool_)
        for relation, end in kept:
            covered[relation.begin_fid : end] = True
            intervals.append(
                (v, relation.subject_tid, relation.object_tid, predicate_of[relation.predicate_label],
                 relation.begin_fid + 1, end + 1)
            )  # fmt: skip
        for f in sorted(video.frames):
            # Training videos are labelled in segments only: what no relation covers tells nothing.
            nodes += [
                (len(frames), class_of[box.category_id], box.instance_id, _corners(box)) for box in video.frames[f]
            ]
            frames.append((v, f, split != "train" or bool(covered[f])))
    facts.update(
        {
            "videos": len(videos),
            "tracks": sum(len(video.category) for video in videos),
            "relation instances": len(intervals),
            "frames": len(frames),
            "boxes": len(nodes),
        }
    )
    interval, none = np.array(intervals, np.int64).reshape(-1, 6), np.zeros(0, np.int64)
    size = np.array([(video.entry.width, video.entry.height) for video in videos], np.float32)
    frame = np.array(frames, np.int64).reshape(-1, 3)
    table, _ = RelationTable.of(
        schema,
        split,
        video_id=[video.entry.name for video in videos],
        video_file=[f"videos/{video.entry.name}.mp4" for video in videos],
        fps=[video.entry.fps or np.nan for video in videos],
        frame_video=frame[:, 0],
        frame_key=[f"{videos[v].entry.name}/{f:06d}" for v, f, _ in frames],
        node_frame=np.array([node[0] for node in nodes], np.int64),
        relation_video=none,
        interval_video=interval[:, 0],
        columns={
            "frame_number": frame[:, 1] + 1,
            "frame_size": size[frame[:, 0]],
            "frame_labelled": frame[:, 2].astype(np.bool_),
            "node_box": np.array([node[3] for node in nodes], np.float32),
            "node_class": np.array([node[1] for node in nodes], np.int64),
            "node_identity": np.array([node[2] for node in nodes], np.int64),
            "relation_subject": none,
            "relation_object": none,
            "relation_predicate": none,
            **{
                f"interval_{column}": interval[:, 1 + i]
                for i, column in enumerate(("subject", "object", "predicate", "begin", "end"))
            },
        },
    )
    return Parsed(table, faults, facts)


def _names(path: Location, what: str, entries: Sequence[StyleClass]) -> dict[int, str]:
    """Names by id. Raises DataError for an id or a name that occurs twice, or none at all."""
    found: dict[int, str] = {}
    for entry in entries:
        if entry.id in found or entry.name in found.values():
            raise DataError(f"{path}: {what}: id {entry.id}, name {short(entry.name)}: occurs twice; both are unique.")
        found[entry.id] = entry.name
    if not found:
        raise DataError(f"{path}: {what} is empty.")
    return found


def _gathered(
    path: Location,
    document: StyleFile,
    classes: dict[int, str],
    predicates: dict[int, str],
    faults: Faults,
    facts: Counter[str],
) -> list[_Video]:
    """The videos that can be used, with their frames and boxes."""
    videos: dict[int, _Video] = {}
    bad: set[int] = set()
    names: set[str] = set()

    def fault(video: int, kind: str, text: str) -> None:
        faults.add(kind, f"{path.name}: {text}")
        bad.add(video)

    for entry in document.videos:
        if entry.id in videos or entry.name in names:
            fault(entry.id, "video that occurs twice", f"videos id {entry.id}, name {short(entry.name)}: occurs twice.")
            continue
        names.add(entry.name)
        numbers = [key for track in entry.trajectories.values() for key in track]
        if wrong := next((key for key in numbers if not (key.isdecimal() and len(key) < 10)), None):
            fault(
                entry.id, "frame that is no number", f"videos id {entry.id}: trajectories names frame {short(wrong)}."
            )
            numbers = []
        videos[entry.id] = _Video(entry, 1 + max(map(int, numbers), default=-1))
        for i, relation in enumerate(entry.relation_instances):
            if what := _wrong_relation(relation, classes, predicates):
                fault(
                    entry.id, "relation that cannot be used", f"videos id {entry.id}: relation_instances[{i}]: {what}"
                )
    place: dict[int, tuple[int, int]] = {}  # video and frame of an image; frame -1: passed over
    for image in document.images:
        video = videos.get(image.video_id)
        if video is None or image.id in place:
            what = f"video_id is {image.video_id}; no video has it" if video is None else "another image has this id"
            fault(image.video_id, "image that cannot be used", f"images id {image.id}: {what}.")
        elif image.frame_id in video.frames:
            text = f"images id {image.id}: frame_id is {image.frame_id}, as that of another image of its video."
            fault(image.video_id, "image that cannot be used", text)
        elif image.frame_id >= video.end:
            facts["frames beyond the trajectories, passed over"] += 1
            place[image.id] = image.video_id, -1
        else:
            video.frames[image.frame_id] = []
            place[image.id] = image.video_id, image.frame_id
    for box in document.annotations:
        if box.image_id not in place:
            faults.add(
                "box that cannot be used",
                f"{path.name}: annotations id {box.id}: image_id is {box.image_id}; no image has it.",
            )
            continue
        ident, frame = place[box.image_id]
        if what := _wrong_box(box, videos[ident], frame, classes):
            fault(ident, "box that cannot be used", f"annotations id {box.id}: {what}")
            continue
        videos[ident].frames[frame].append(box)
        videos[ident].category[box.instance_id] = box.category_id
        facts["boxes of one pixel's width or height"] += 0 in box.bbox[2:]
    for ident, video in videos.items():
        for i, relation in enumerate(video.entry.relation_instances):
            for end, label in (
                (relation.subject_tid, relation.subject_label),
                (relation.object_tid, relation.object_label),
            ):
                if label is not None and video.category.get(end, label) != label:
                    text = f"videos id {ident}: relation_instances[{i}]: track {end} is of category {label}, its boxes"
                    fault(ident, "relation that cannot be used", f"{text} of {video.category[end]}.")
    return [video for ident, video in videos.items() if ident not in bad and video.frames]


def _wrong_relation(relation: StyleRelation, classes: dict[int, str], predicates: dict[int, str]) -> str:
    """What is wrong with a relation by itself; "" for nothing."""
    if relation.predicate_label not in predicates:
        return f"predicate_label is {relation.predicate_label}, which predicate_categories lacks."
    for name in ("subject_label", "object_label"):
        label = getattr(relation, name)
        if label is not None and label not in classes:
            return f"{name} is {label}, which categories lacks."
    if relation.subject_tid == relation.object_tid:
        return f"subject_tid and object_tid are both {relation.subject_tid}."
    if relation.end_fid <= relation.begin_fid:
        return (
            f"end_fid is {relation.end_fid} and begin_fid {relation.begin_fid}; the end is exclusive and comes later."
        )
    return ""


def _wrong_box(box: StyleBox, video: _Video, frame: int, classes: dict[int, str]) -> str:
    """What is wrong with a box; "" for nothing."""
    if frame < 0:
        return "its image lies beyond the trajectories of its video."
    if box.category_id not in classes:
        return f"category_id is {box.category_id}, which categories lacks."
    if box.bbox[2] < 0 or box.bbox[3] < 0:
        return f"bbox is {list(box.bbox)}; width and height are 0 or more."
    if video.category.get(box.instance_id, box.category_id) != box.category_id:
        return f"instance_id {box.instance_id} is of category {box.category_id} here and {video.category[box.instance_id]} elsewhere."
    if any(other.instance_id == box.instance_id for other in video.frames[frame]):
        return f"instance_id {box.instance_id} has another box in this image."
    return ""


def _relations(video: _Video, facts: Counter[str]) -> list[tuple[StyleRelation, int]]:
    """The relations whose things have boxes, each with its end, which is cut where the trajectories
    end."""
    kept = []
    for relation in video.entry.relation_instances:
        if relation.subject_tid not in video.category or relation.object_tid not in video.category:
            facts["relations of things without a box, passed over"] += 1  # of novel classes, in training
        elif relation.begin_fid >= video.end:
            facts["relations beyond the trajectories, passed over"] += 1
        else:
            facts["relations cut at the end of the trajectories"] += relation.end_fid > video.end
            kept.append((relation, min(relation.end_fid, video.end)))
    return kept


def _corners(box: StyleBox) -> tuple[float, float, float, float]:
    x, y, width, height = box.bbox
    return x, y, x + width, y + height
