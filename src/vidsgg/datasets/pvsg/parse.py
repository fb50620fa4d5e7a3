"""PVSG's annotations and masks become a table; what is wrong is gathered with its place.

Source of the format: LilyDaytoy/OpenPVSG (Yang et al., CVPR 2023). Its authors look objects up by
their position, here ``object_id`` counts; spans end inclusively, as in their evaluation. Frames
count from 0 in the files and from 1 in the table; boxes are inclusive pixels.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from PIL import Image
from scipy.ndimage import find_objects
from tqdm import tqdm

from vidsgg.datasets.faults import Faults
from vidsgg.datasets.format import MissingSplit
from vidsgg.datasets.relation_sets import Parsed, relation_schema
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import DataError, short
from vidsgg.io.files import read_bytes, read_each
from vidsgg.io.images import check_size
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location
from vidsgg.io.names import is_one_name
from vidsgg.io.untrusted import read_json
from vidsgg.status import hides_bars
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup

LARGEST = 1 << 30  # bytes of pvsg.json
_LARGEST_MASK = 1 << 28  # bytes of a picture
PARTS = {"train": "train", "test": "val"}  # the file's parts by split
_Count = Annotated[int, Meta(ge=0, le=2**31 - 2)]
_Name = Annotated[str, Meta(min_length=1, max_length=300)]


class PvsgObject(Struct, gc=False):
    object_id: Annotated[int, Meta(ge=1, le=255)]  # its value in the masks
    category: _Name


class PvsgMeta(Struct, gc=False):
    height: Annotated[int, Meta(ge=1, le=1_000_000)]
    width: Annotated[int, Meta(ge=1, le=1_000_000)]
    num_frames: Annotated[int, Meta(ge=1, le=2**31 - 2)]
    fps: Annotated[float, Meta(gt=0, le=1e6)] | None = None


class PvsgVideo(Struct, gc=False):
    """relations: subject, object, predicate, spans."""

    video_id: _Name
    meta: PvsgMeta
    objects: list[PvsgObject]
    relations: list[tuple[int, int, str, list[tuple[_Count, _Count]]]]


class PvsgFile(Struct):
    objects: dict[str, list[_Name]]
    relations: list[_Name]
    split: dict[str, dict[str, list[_Name]]]
    data: list[PvsgVideo]


def read_pvsg(path: Location) -> PvsgFile:
    """The annotation file. Raises DataError naming the place in it that is wrong."""
    content = read_json(path, PvsgFile, LARGEST)
    for kind in ("thing", "stuff"):
        if kind not in content.objects:
            raise DataError(f"{path}: objects lacks {kind!r}.")
    return content


def pvsg_schema(content: PvsgFile, name: str, title: str) -> Schema:
    """Things, then stuff, in the file's order; one group of predicates. Raises DataError for names
    that stand twice."""
    objects = (*content.objects["thing"], *content.objects["stuff"])
    groups = (PredicateGroup("relation", tuple(content.relations), kind="multi"),)
    return relation_schema(name, title, (BACKGROUND, *objects), objects, groups)


def mask_folders(root: Location, content: PvsgFile, split: str) -> dict[str, tuple[str, Location]]:
    """The source and the mask folder of every video of a split, in the file's order."""
    part = PARTS[split]
    source = {video: name for name, parts in content.split.items() for video in parts.get(part, [])}
    if bad := [name for name in (*content.split, *source) if not is_one_name(name)]:
        raise DataError(f"{root}: {short(bad[0])} is not the name of a folder, which sources and videos of PVSG are.")
    return {
        video.video_id: (source[video.video_id], root / source[video.video_id] / "masks" / video.video_id)
        for video in content.data
        if video.video_id in source
    }


def parse_pvsg(root: Location, file: Location, split: str, name: str, title: str, listing: Listing) -> Parsed:
    """Read a split. Videos with a fault are left out whole. listing: knows the masks in object storage.
    Raises DataError if the file is not PVSG's, or no video can be used."""
    content, faults, facts = read_pvsg(file), Faults(), Counter[str]()
    schema = pvsg_schema(content, name, title)
    folders = mask_folders(root, content, split)
    video_id, video_file, fps, keys = list[str](), list[str](), list[float](), list[str]()
    columns: dict[str, list[Array]] = {}
    frames = 0
    videos = [video for video in content.data if video.video_id in folders]
    for video in tqdm(videos, desc=f"{title}, masks", unit=" videos", delay=2, file=sys.stderr, disable=hides_bars()):
        source, folder = folders[video.video_id]
        try:
            added = _video(video, folder, listing, file, schema, facts)
        except DataError as error:
            faults.add("video that cannot be used", str(error))
            continue
        numbers = added["frame_number"]
        added["frame_video"] = np.full(len(numbers), len(video_id))
        added["interval_video"] = np.full(len(added["interval_subject"]), len(video_id))
        added["node_frame"] = added["node_frame"] + frames
        for column, array in added.items():
            columns.setdefault(column, []).append(array)
        keys += [f"{source}/frames/{video.video_id}/{n - 1:04d}.png" for n in numbers.tolist()]
        video_id.append(video.video_id)
        video_file.append(f"{source}/videos/{video.video_id}.mp4")
        fps.append(video.meta.fps or np.nan)
        frames += len(numbers)
    if not videos:
        raise MissingSplit(f"{file}: has no video for its part {PARTS[split]!r}, which the {split} split is read from.")
    if not video_id:
        raise DataError(next(cases[0] for cases in faults.cases.values()))
    facts.update({"videos": len(video_id), "frames": frames})
    whole = {column: np.concatenate(arrays) for column, arrays in columns.items()}
    none = np.zeros(0, np.int64)
    table, _ = RelationTable.of(
        schema,
        split,
        video_id=video_id,
        video_file=video_file,
        fps=fps,
        frame_video=whole.pop("frame_video"),
        frame_key=keys,
        node_frame=whole.pop("node_frame"),
        relation_video=none,
        interval_video=whole.pop("interval_video"),
        columns={**whole, "relation_subject": none, "relation_object": none, "relation_predicate": none},
    )
    return Parsed(table, faults, facts)


def _video(
    video: PvsgVideo, folder: Location, listing: Listing, file: Location, schema: Schema, facts: Counter[str]
) -> dict[str, Array]:
    """Columns of one video, its frames and nodes counted from 0."""
    where = f"{file}: video {short(video.video_id)}"
    classes = {name: i for i, name in enumerate(schema.vocabulary.objects)}
    klass: dict[int, int] = {}
    for thing in video.objects:
        if thing.category not in classes:
            raise DataError(
                f"{where}: object {thing.object_id} is {short(thing.category)}, which 'objects' does not list."
            )
        if thing.object_id in klass:
            raise DataError(f"{where}: object_id {thing.object_id} occurs twice.")
        klass[thing.object_id] = classes[thing.category]
    masks = [
        path
        for path in listing.glob(folder, "*.png")
        if path.stem.isdecimal() and int(path.stem) < video.meta.num_frames
    ]
    if not masks:
        raise DataError(
            f"{folder}: has no mask such as 0000.png, from which the boxes of video {short(video.video_id)} are taken."
        )
    frame, ident, boxes = list[int](), list[int](), list[tuple[int, int, int, int]]()
    for f, (path, content) in enumerate(zip(masks, read_each(masks, _LARGEST_MASK, listing), strict=True)):
        if isinstance(content, DataError):
            raise content
        mask = _mask(path, content)
        if mask.shape != (video.meta.height, video.meta.width):
            raise DataError(
                f"{path}: is {mask.shape[1]} x {mask.shape[0]} pixels, the video {video.meta.width} x {video.meta.height}."
            )
        unknown = False
        for value, place in enumerate(find_objects(mask), 1):
            if place is None:
                continue
            if value not in klass:
                unknown = True
                continue
            rows, columns = place
            frame.append(f)
            ident.append(value)
            boxes.append((columns.start, rows.start, columns.stop - 1, rows.stop - 1))
        facts["masks with values that no object has, passed over"] += unknown
    intervals = _intervals(video, klass, schema, where, facts)
    facts["relations over time"] += len(intervals)
    facts["boxes"] += len(boxes)
    return {
        "frame_number": np.array([int(path.stem) + 1 for path in masks], np.int64),
        "frame_size": np.tile(np.array([video.meta.width, video.meta.height], np.float32), (len(masks), 1)),
        "frame_labelled": np.ones(len(masks), np.bool_),
        "node_frame": np.array(frame, np.int64),
        "node_box": np.array(boxes, np.float32).reshape(-1, 4),
        "node_class": np.array([klass[i] for i in ident], np.int64),
        "node_identity": np.array(ident, np.int64),
        **{
            f"interval_{name}": np.array([row[i] for row in intervals], np.int64)
            for i, name in enumerate(("subject", "object", "predicate", "begin", "end"))
        },
    }


def _intervals(
    video: PvsgVideo, klass: dict[int, int], schema: Schema, where: str, facts: Counter[str]
) -> list[tuple[int, int, int, int, int]]:
    """Subject, object, predicate, first frame and end of every span, frames counted from 1."""
    predicates = {name: i for i, name in enumerate(schema.vocabulary.predicates)}
    found = []
    for i, (subject, obj, predicate, spans) in enumerate(video.relations):
        for end in (subject, obj):
            if end not in klass:
                raise DataError(f"{where}: relations[{i}] names object {end}, which the video does not have.")
        if predicate not in predicates:
            facts["relations that 'relations' does not list, dropped"] += 1
            continue
        if subject == obj:
            raise DataError(f"{where}: relations[{i}] joins object {subject} with itself.")
        for first, last in spans:
            if last < first:
                raise DataError(f"{where}: relations[{i}] has the span {[first, last]}, which ends before it begins.")
            facts["spans cut at the end of the video"] += last >= video.meta.num_frames
            end = min(last, video.meta.num_frames - 1)
            if first <= end:
                found.append((subject, obj, predicates[predicate], first + 1, end + 2))
    return found


def read_mask(path: Location) -> Array:
    """(H, W) uint8: the values of a mask, not its colours. Raises DataError naming the file if it
    is no picture of one byte a pixel.
    """
    return _mask(path, read_bytes(path, _LARGEST_MASK))


def _mask(path: Location, content: bytes) -> Array:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            check_size(path, *picture.size)
            if picture.mode not in ("P", "L"):
                raise DataError(f"{path}: its pixels are {picture.mode}; a mask has one byte a pixel, the object's id.")
            values: Any = np.asarray(picture)
            return np.asarray(values, np.uint8)
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: not a readable PNG ({error}); copy it again.") from error
