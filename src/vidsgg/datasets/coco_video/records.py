"""What a file of COCO-video with relations holds, as types: its JSON Schema is made of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Id = Annotated[int, Meta(ge=-(2**53), le=2**53)]
FrameId = Annotated[int, Meta(ge=0, le=2**31 - 2)]
Name = Annotated[str, Meta(min_length=1, max_length=1000)]
Side = Annotated[int, Meta(gt=0, le=1_000_000)]
Score = Annotated[float, Meta(ge=0, le=1)]


class Video(Struct, gc=False):
    """file_name: the video's file below the folder, if frames are read from it."""

    id: Id
    name: Name
    file_name: str | None = None
    width: Side | None = None
    height: Side | None = None
    fps: Annotated[float, Meta(gt=0, le=1e6)] | None = None
    frame_count: Annotated[int, Meta(ge=1)] | None = None


class Picture(Struct, gc=False):
    """A frame. Without video_id it is a video of its own. relations_labelled: false where relations
    are not annotated, so that those not listed are unknown and not absent."""

    id: Id
    file_name: Name
    width: Side
    height: Side
    video_id: Id | None = None
    frame_id: FrameId | None = None
    time: float | None = None
    relations_labelled: bool = True


class Category(Struct, gc=False):
    """subject: whether things of this class may be subjects; where no category says true, all
    may."""

    id: Id
    name: Name
    subject: bool | None = None
    supercategory: str | None = None


class Annotation(Struct, gc=False):
    """A thing in a frame. bbox: left, top, width, height in pixels."""

    id: Id
    image_id: Id
    category_id: Id
    bbox: tuple[float, float, float, float] | None = None
    segmentation: Any = None
    track_id: Annotated[int, Meta(ge=-1, le=2**31 - 1)] | None = None
    score: Score | None = None


class Group(Struct, gc=False):
    """Predicates that compete: of "single" exactly one holds for a pair that has any label."""

    name: Name
    kind: Literal["single", "multi"]
    direction: Literal["subject->object", "object->subject"] = "subject->object"
    exclusive: tuple[str, ...] = ()
    negative: str | None = None


class Predicate(Struct, gc=False):
    """group: "relation" if no group is named."""

    id: Id
    name: Name
    group: str | None = None


class Relation(Struct, gc=False):
    """Of one frame (image_id, subject_id, object_id: ids of annotations) or over time (video_id,
    subject_track_id, object_track_id, begin_frame to end_frame - 1, in units of frame_id)."""

    id: Id
    predicate_id: Id
    image_id: Id | None = None
    subject_id: Id | None = None
    object_id: Id | None = None
    video_id: Id | None = None
    subject_track_id: FrameId | None = None
    object_track_id: FrameId | None = None
    begin_frame: FrameId | None = None
    end_frame: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    score: Score | None = None


class CocoVideo(Struct):
    """A whole file. Entries that are not named here are passed over."""

    images: list[Picture]
    categories: list[Category]
    annotations: list[Annotation]
    predicates: list[Predicate]
    relations: list[Relation]
    videos: list[Video] = []
    predicate_groups: list[Group] = []
    info: dict[str, Any] = {}


NEEDED = ("images", "categories", "annotations", "predicates", "relations")
ENTRY: dict[str, type[Struct]] = {
    "videos": Video,
    "images": Picture,
    "categories": Category,
    "annotations": Annotation,
    "predicate_groups": Group,
    "predicates": Predicate,
    "relations": Relation,
}


def coco_video_schema() -> dict[str, Any]:
    """The JSON Schema of a file, as ``coco_video.schema.json`` holds it."""
    schema = msgspec.json.schema(CocoVideo)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "COCO-video with relations", **schema}
