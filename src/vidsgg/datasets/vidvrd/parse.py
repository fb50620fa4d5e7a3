"""Files of ImageNet-VidVRD and VidOR become a table; what is wrong is gathered with its place.

Boxes are kept as they are, inclusive whole pixels. Frames count from 0 in the files and from 1 in
the table. Source of the format: xdshang/VidVRD-helper (``dataset/``), whose readers our exporter's
files are made for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta, Struct

from vidsgg.datasets.faults import Faults
from vidsgg.datasets.relation_sets import relation_schema
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import DataError, short
from vidsgg.io.files import read_each
from vidsgg.io.listing import Listing
from vidsgg.io.locations import Location
from vidsgg.io.untrusted import as_type, parse_json
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup

GROUP = "relation"
LARGEST = 1 << 30  # bytes of one file
_Pixel = Annotated[float, Meta(ge=-1e6, le=1e6)]
_Count = Annotated[int, Meta(ge=0, le=2**31 - 2)]


class Corners(Struct, gc=False):
    xmin: _Pixel
    ymin: _Pixel
    xmax: _Pixel
    ymax: _Pixel


class Sighting(Struct, gc=False):
    tid: _Count
    bbox: Corners


class TrackedThing(Struct, gc=False):
    tid: _Count
    category: Annotated[str, Meta(min_length=1, max_length=200)]


class Instance(Struct, gc=False):
    subject_tid: _Count
    object_tid: _Count
    predicate: Annotated[str, Meta(min_length=1, max_length=200)]
    begin_fid: _Count
    end_fid: _Count


class VideoFileContent(Struct, rename={"things": "subject/objects"}):
    """The annotations of a video. version: VidOR's files have one, VidVRD's have none."""

    video_id: Annotated[str, Meta(min_length=1, max_length=500)]
    width: Annotated[int, Meta(ge=1, le=1_000_000)]
    height: Annotated[int, Meta(ge=1, le=1_000_000)]
    things: list[TrackedThing]
    trajectories: list[list[Sighting]]
    relation_instances: list[Instance]
    frame_count: _Count | None = None
    fps: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    version: Any = None
    video_path: str | None = None


@dataclass(frozen=True)
class SplitFiles:
    """The files of a split."""

    split: str
    files: Sequence[Location]
    versioned: bool  # whether they have to have an entry "version"
    segments: bool  # only parts of the videos are labelled, those that a relation covers
    title: str
    listing: Listing  # in which the files were found


def _video_file(path: Location, content: bytes) -> VideoFileContent:
    """What is in a file. Raises DataError naming the file, the place in it and the value."""
    content = content.removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(content, type=VideoFileContent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        try:
            return as_type(parse_json(content), VideoFileContent)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error


@dataclass
class _Rows:
    """Rows of all videos of a split so far."""

    video_id: list[str]
    video_file: list[str]
    fps: list[float]
    frame_key: list[str]
    columns: dict[str, list[Array]]
    things: list[str]  # class of every node, by name
    predicates: list[str]  # of every interval, by name


def parse_split(part: SplitFiles, faults: Faults, facts: Counter[str]) -> tuple[_Rows, set[str], set[str]]:
    """The rows of a split, and the names of classes and predicates in it. Files that cannot be used
    are left out and named in ``faults``."""
    names = ("frame_video", "frame_number", "frame_size", "frame_labelled", "node_frame", "node_box", "node_identity",
             "interval_video", "interval_subject", "interval_object", "interval_begin", "interval_end")  # fmt: skip
    rows = _Rows([], [], [], [], {name: [] for name in names}, [], [])
    classes, predicates, seen, frames = set[str](), set[str](), dict[str, Location](), 0
    for path, found in zip(part.files, read_each(part.files, LARGEST, part.listing), strict=True):
        try:
            if isinstance(found, DataError):
                raise found
            content = _video_file(path, found)
            _check_version(path, content, part)
            if content.video_id in seen:
                raise DataError(
                    f"{path}: video_id is {short(content.video_id)}, as in {seen[content.video_id].name}; ids are unique."
                )
            if not content.trajectories:
                raise DataError(f"{path}: trajectories is empty; there must be a list for every frame.")
        except DataError as error:
            faults.add("file that cannot be used", str(error))
            continue
        seen[content.video_id] = path
        frames += _add(rows, content, path, part, faults, facts, frames)
        classes |= {thing.category for thing in content.things}
        predicates |= {instance.predicate for instance in content.relation_instances}
    return rows, classes, predicates


def _check_version(path: Location, content: VideoFileContent, part: SplitFiles) -> None:
    if (content.version is not None) != part.versioned:
        what = "lacks 'version', which every file of VidOR has" if part.versioned else "has 'version', which is VidOR's"
        raise DataError(f"{path}: {what}; this folder is read as {part.title}.")


def _add(
    rows: _Rows,
    content: VideoFileContent,
    path: Location,
    part: SplitFiles,
    faults: Faults,
    facts: Counter[str],
    first: int,
) -> int:
    """Add a video; returns its number of frames. first: frames before it."""
    video, count = len(rows.video_id), len(content.trajectories)
    category: dict[int, str] = {}
    for thing in content.things:
        if thing.tid in category:
            faults.add("tid that occurs twice", f"{path}: subject/objects: tid {thing.tid} occurs twice.")
        category.setdefault(thing.tid, thing.category)
    facts["frames beyond the trajectories, passed over"] += max(0, (content.frame_count or count) - count)
    frame_of, tids, boxes = list[int](), list[int](), list[tuple[float, float, float, float]]()
    taken: set[tuple[int, int]] = set()
    for f, sightings in enumerate(content.trajectories):
        for i, sighting in enumerate(sightings):
            box, where = sighting.bbox, f"{path}: trajectories[{f}][{i}]"
            if sighting.tid not in category:
                faults.add("unknown tid", f"{where}.tid is {sighting.tid}, which subject/objects lacks.")
            elif (f, sighting.tid) in taken:
                faults.add(
                    "two boxes of a track in a frame", f"{where}: tid {sighting.tid} has another box in this frame."
                )
            elif not (box.xmin <= box.xmax and box.ymin <= box.ymax):
                corners = [box.xmin, box.ymin, box.xmax, box.ymax]
                faults.add("box without size", f"{where}.bbox is {corners}, not xmin <= xmax and ymin <= ymax.")
            else:
                taken.add((f, sighting.tid))
                frame_of.append(f)
                tids.append(sighting.tid)
                boxes.append((box.xmin, box.ymin, box.xmax, box.ymax))
    kept = _instances(content, path, category, count, faults, facts)
    covered = np.zeros(count, np.bool_)
    for instance, end in kept:
        covered[instance.begin_fid : end] = True
        lacking = [
            f
            for f in range(instance.begin_fid, end)
            for t in (instance.subject_tid, instance.object_tid)
            if (f, t) not in taken
        ]
        facts["frames of a relation in which a thing has no box, passed over"] += len(set(lacking))
    corner = np.array(boxes, np.float32).reshape(-1, 4)
    facts["boxes of one pixel's width or height"] += int((corner[:, :2] == corner[:, 2:]).any(1).sum())
    place = _place(content, path)
    add: dict[str, Array] = {
        "frame_video": np.full(count, video),
        "frame_number": np.arange(1, count + 1),
        "frame_size": np.tile(np.array([content.width, content.height], np.float32), (count, 1)),
        "frame_labelled": covered if part.segments else np.ones(count, np.bool_),
        "node_frame": np.array(frame_of, np.int64) + first,
        "node_box": corner,
        "node_identity": np.array(tids, np.int64),
        "interval_video": np.full(len(kept), video),
        "interval_subject": np.array([i.subject_tid for i, _ in kept], np.int64),
        "interval_object": np.array([i.object_tid for i, _ in kept], np.int64),
        "interval_begin": np.array([i.begin_fid + 1 for i, _ in kept], np.int64),
        "interval_end": np.array([end + 1 for _, end in kept], np.int64),
    }
    for name, array in add.items():
        rows.columns[name].append(array)
    rows.things += [category[tid] for tid in tids]
    rows.predicates += [instance.predicate for instance, _ in kept]
    rows.video_id.append(content.video_id)
    rows.video_file.append(f"{'video' if part.versioned else 'videos'}/{place}.mp4")
    rows.fps.append(content.fps or np.nan)
    rows.frame_key += [f"frames/{place}/{f:06d}" for f in range(count)]
    facts["videos"] += 1
    facts["tracks"] += len(category)
    facts["relation instances"] += len(kept)
    facts["frames"] += count
    return count


def _instances(
    content: VideoFileContent, path: Location, category: dict[int, str], count: int, faults: Faults, facts: Counter[str]
) -> list[tuple[Instance, int]]:
    """The usable relation instances, each with its end, which is cut where the trajectories end."""
    kept = []
    for i, instance in enumerate(content.relation_instances):
        where = f"{path}: relation_instances[{i}]"
        unknown = [n for n in ("subject_tid", "object_tid") if getattr(instance, n) not in category]
        if unknown:
            value = getattr(instance, unknown[0])
            faults.add(f"unknown {unknown[0]}", f"{where}.{unknown[0]} is {value}, which subject/objects lacks.")
        elif instance.subject_tid == instance.object_tid:
            faults.add(
                "relation of a thing to itself", f"{where}: subject_tid and object_tid are both {instance.subject_tid}."
            )
        elif instance.end_fid <= instance.begin_fid:
            text = f"end_fid is {instance.end_fid} and begin_fid {instance.begin_fid}; the end is exclusive and comes later"
            faults.add("relation without a frame", f"{where}: {text}.")
        elif instance.begin_fid >= count:
            faults.add(
                "relation beyond the trajectories", f"{where}.begin_fid is {instance.begin_fid} of {count} frames."
            )
        else:
            facts["relations cut at the end of the trajectories"] += instance.end_fid > count
            kept.append((instance, min(instance.end_fid, count)))
    return kept


def _place(content: VideoFileContent, path: Location) -> str:
    """Where a video lies below its folder: VidOR's in a folder for its group, as its annotations."""
    return f"{path.parent.name}/{path.stem}" if content.version is not None else path.stem


def split_table(rows: _Rows, split: str, schema: Schema) -> RelationTable:
    """The rows as a table. Raises DataError if there is no video."""
    if not rows.video_id:
        raise DataError(f"the {split} split has no usable video.")
    class_of = {name: i for i, name in enumerate(schema.vocabulary.objects)}
    predicate_of = {name: i for i, name in enumerate(schema.vocabulary.predicates)}
    columns = {name: np.concatenate(parts) for name, parts in rows.columns.items()}
    nothing = np.zeros(0, np.int64)
    table, _ = RelationTable.of(
        schema,
        split,
        video_id=rows.video_id,
        video_file=rows.video_file,
        fps=rows.fps,
        frame_video=columns.pop("frame_video"),
        frame_key=rows.frame_key,
        node_frame=columns.pop("node_frame"),
        relation_video=nothing,
        interval_video=columns.pop("interval_video"),
        columns={
            **columns,
            "node_class": np.array([class_of[name] for name in rows.things], np.int64),
            "interval_predicate": np.array([predicate_of[name] for name in rows.predicates], np.int64),
            "relation_subject": nothing,
            "relation_object": nothing,
            "relation_predicate": nothing,
        },
    )
    return table


def track_schema(
    name: str, title: str, found: tuple[set[str], set[str]], published: tuple[tuple[str, ...], tuple[str, ...]]
) -> Schema:
    """The published classes and predicates if those that were found are among them, else those that
    were found; sorted in both cases, as the authors' tools number them."""
    objects, predicates = (
        names if among <= set(names) else tuple(sorted(among)) for among, names in zip(found, published, strict=True)
    )
    if not objects or not predicates:
        raise DataError(f"{title}: no file has a {'thing' if not objects else 'relation'}.")
    groups = (PredicateGroup(GROUP, predicates, kind="multi"),)
    return relation_schema(name, title, (BACKGROUND, *objects), objects, groups)
