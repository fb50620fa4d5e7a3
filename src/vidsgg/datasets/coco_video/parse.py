"""A file of COCO-video with relations becomes a table; everything that is wrong with it is gathered
with its place.

Ids are looked up, never positions. An entry with a fault is left out, and so is what refers to it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
import numpy as np

from vidsgg.datasets.coco_video.records import ENTRY, NEEDED, CocoVideo
from vidsgg.datasets.faults import Faults
from vidsgg.datasets.relation_sets import Parsed, relation_schema
from vidsgg.datasets.relation_table import RelationTable
from vidsgg.errors import DataError, short
from vidsgg.io.coco_masks import mask_box
from vidsgg.io.files import read_bytes
from vidsgg.io.locations import Location
from vidsgg.io.names import is_one_name
from vidsgg.io.untrusted import as_type, parse_json
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup

NAME, TITLE = "coco_video", "COCO-video with relations"
LARGEST = 1 << 34  # bytes of a file
_ALONE = "relation"  # the group of predicates that name none
Document = TypeVar("Document", bound=msgspec.Struct)
_MISSING = np.iinfo(np.int64).min  # stands for an id that is not given


def parse_coco_video(path: Location, split: str) -> Parsed:
    """Read a file. Raises DataError if it is no such file at all, or has no usable frame."""
    with _without_collector():
        faults = Faults()
        document = read_document(path, faults)
        return DocumentReader(path.name, split, document, faults).read()


def read_document(path: Location, faults: Faults) -> CocoVideo:
    """The entries that are of the right types. Raises DataError if the file is not JSON, or lacks a
    list."""
    return read_lists(path, faults, CocoVideo, NEEDED, ENTRY)


def read_lists(
    path: Location,
    faults: Faults,
    document: type[Document],
    needed: Sequence[str],
    entry: Mapping[str, type[msgspec.Struct]],
) -> Document:
    """A JSON file of lists of entries. needed: lists that have to be there. entry: the type of each
    list's entries. Raises DataError if the file is not JSON, or lacks a list."""
    content = read_bytes(path, LARGEST).removeprefix(b"\xef\xbb\xbf")
    try:
        return msgspec.json.decode(content, type=document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # a ValidationError too
        return document(**_by_entry(path, content, faults, needed, entry))


def _by_entry(
    path: Location, content: bytes, faults: Faults, needed: Sequence[str], entry: Mapping[str, type[msgspec.Struct]]
) -> dict[str, Any]:
    """The same, an entry after the other, so that each that is wrong is named."""
    try:
        document = parse_json(content)
    except DataError as error:
        raise DataError(f"{path}: {error}") from error
    if not isinstance(document, dict):
        raise DataError(f"{path}: is {short(document)}; expected an object with the lists {', '.join(needed)}.")
    lists: dict[str, Any] = {}
    for name, kind in entry.items():
        entries = document.get(name, [] if name not in needed else None)
        if not isinstance(entries, list):
            what = "lacks" if name not in document else f"has {short(entries)} for"
            raise DataError(f"{path}: {what} the list {name!r}; a file has the lists {', '.join(needed)}.")
        lists[name] = []
        for i, item in enumerate(entries):
            try:
                lists[name].append(as_type(item, kind, f"{path.name}: {name}[{i}]: "))
            except DataError as error:
                fatal = "categories" in name or "predicate" in name
                faults.add(f"{name} entry of wrong form", str(error), fatal=fatal)
    return lists


@contextmanager
def _without_collector() -> Iterator[None]:
    """Python's cycle collector would go through millions of new objects again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Ids:
    """Rows by id. ``rows(ids)``: the row of each, -1 for an id that is unknown or whose entry is
    left out."""

    def __init__(self, ids: Array, good: Array) -> None:
        self._order = np.argsort(ids, kind="stable")
        self._ids, self._good = ids[self._order], good

    def rows(self, ids: Array) -> Array:
        if not len(self._ids):
            return np.full(len(ids), -1, np.int64)
        at = np.searchsorted(self._ids, ids).clip(max=len(self._ids) - 1)
        row = self._order[at]
        return np.where((self._ids[at] == ids) & self._good[row], row, -1)

    def known(self, ids: Array) -> Array:
        """(n,) bool: whether an entry has the id, usable or not."""
        return np.isin(ids, self._ids)


class DocumentReader:
    """One file, or another format's entries in the form of one. form, title: of the format.
    Messages name the lists as ``lists`` says."""

    def __init__(
        self,
        name: str,
        split: str,
        document: CocoVideo,
        faults: Faults,
        *,
        form: str = NAME,
        title: str = TITLE,
        lists: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.file, self.split, self.document, self.faults = name, split, document, faults
        self.form, self.title, self.lists = form, title, lists
        self.facts: dict[str, int] = {}

    def read(self) -> Parsed:
        schema, classes, predicates = self._schema()
        video_of, names, files, fps = self._videos()
        frames = self._frames(video_of, names, files, fps)
        nodes = self._nodes(frames, classes)
        subjects = {schema.vocabulary.objects.index(name) for name in schema.vocabulary.subjects}
        framed, interval = self._relations(frames, nodes, predicates, subjects, video_of)
        columns = {**frames.columns, **nodes.columns, **framed, **interval}
        table, node_at = RelationTable.of(
            schema,
            self.split,
            video_id=names,
            video_file=files,
            fps=fps,
            frame_video=frames.video,
            frame_key=frames.key,
            node_frame=nodes.frame,
            relation_video=columns.pop("relation_video"),
            interval_video=columns.pop("interval_video"),
            columns=columns,
        )
        self._check_single(table, node_at, nodes.node_id)
        occupied = np.diff(table.start["frame"])
        self.facts["videos"] = int((occupied > 0).sum())
        self.facts["videos without an image, left out"] = int((occupied == 0).sum())
        return Parsed(table, self.faults, self.facts)

    # ---- classes and predicates

    def _schema(self) -> tuple[Schema, dict[int, int], dict[int, int]]:
        """The schema, and the indices of categories and predicates by id."""
        categories = sorted(self._distinct("categories", self.document.categories), key=lambda c: c.id)
        for category in categories:
            if category.name == BACKGROUND:
                self._fatal("categories", category.id, f"is named {BACKGROUND!r}, which is added by itself; remove it")
        categories = [c for c in categories if c.name != BACKGROUND]
        predicates, groups = self._groups()
        if not categories or not groups:
            raise DataError(
                f"{self.file}: has no usable {'category' if not categories else 'predicate'}; 'vidsgg data check' lists what"
                " is wrong."
            )
        objects = (BACKGROUND, *(category.name for category in categories))
        subjects = tuple(c.name for c in categories if c.subject) or objects[1:]
        schema = relation_schema(self.form, self.title, objects, subjects, groups, "plain")
        place = {name: i for i, name in enumerate(schema.vocabulary.predicates)}
        return (
            schema,
            {category.id: i for i, category in enumerate(categories, 1)},
            {predicate.id: place[predicate.name] for predicate in predicates},
        )

    def _groups(self) -> tuple[list[Any], tuple[PredicateGroup, ...]]:
        """The usable predicates, and the groups in order: as listed, else as they first occur."""
        predicates = self._distinct("predicates", self.document.predicates)
        listed = {group.name: group for group in self._distinct("predicate_groups", self.document.predicate_groups)}
        order = list(listed) or list(dict.fromkeys(p.group or _ALONE for p in predicates))
        members: dict[str, list[str]] = {name: [] for name in order}
        usable = []
        for predicate in sorted(predicates, key=lambda p: p.id):
            group = predicate.group or _ALONE
            if group not in members:
                text = f"is of the group {short(group)}, which is not among predicate_groups: {short(order)}"
                self._fatal("predicates", predicate.id, text)
                continue
            members[group].append(predicate.name)
            usable.append(predicate)
        groups = []
        for name in order:
            said = listed.get(name)
            if not members[name]:
                self._fatal("predicate_groups", name, "has no predicate; give it one, or remove it")
                continue
            try:
                groups.append(
                    PredicateGroup(
                        name,
                        tuple(members[name]),
                        kind=said.kind if said else "multi",
                        direction=said.direction if said else "subject->object",
                        exclusive=said.exclusive if said else (),
                        negative=said.negative if said else None,
                    )
                )
            except DataError as error:
                self._fatal("predicate_groups", name, f"contradicts itself: {str(error).rstrip('.')}")
        kept = {name for group in groups for name in group.predicates}
        return [p for p in usable if p.name in kept], tuple(groups)

    def _distinct(self, name: str, entries: Sequence[Any]) -> list[Any]:
        """Entries with ids and names of their own; the first of two keeps its place."""
        kept, ids, names = [], set[int](), set[str]()
        for entry in entries:
            ident = getattr(entry, "id", entry.name)
            if name != "predicate_groups" and ident in ids:
                self._fatal(name, ident, "occurs twice; ids are unique within a list")
            elif entry.name != entry.name.strip() or not entry.name.strip():
                self._fatal(name, ident, f"has the name {short(entry.name)}; remove the white space around it")
            elif entry.name in names:
                self._fatal(name, ident, f"has the name {short(entry.name)}, which another has too; names are unique")
            else:
                kept.append(entry)
            ids.add(ident)
            names.add(entry.name)
        return kept

    def _fatal(self, name: str, ident: object, text: str) -> None:
        name = self.lists.get(name, name)
        self.faults.add(f"{name}: {_kind(text)}", f"{self.file}: {name} id {short(ident)} {text}.", fatal=True)

    def _fault(self, name: str, ident: object, text: str, kind: str) -> None:
        name = self.lists.get(name, name)
        self.faults.add(f"{name}: {kind}", f"{self.file}: {name} id {short(ident)}: {text}.")

    # ---- videos and frames

    def _videos(self) -> tuple[dict[int, int], list[str], list[str], list[float]]:
        """Rows of videos by id; names, files and rates of the rows."""
        rows: dict[int, int] = {}
        names, files, fps, seen = list[str](), list[str](), list[float](), set[int]()
        for video in self.document.videos:
            if video.id in seen:
                self._fault("videos", video.id, "occurs twice; ids are unique within a list", "id that occurs twice")
            elif video.name != video.name.strip() or not video.name.strip():
                text = f"name is {short(video.name)}; remove the white space around it"
                self._fault("videos", video.id, text, "name with white space around it")
            elif video.name in names:
                text = f"name is {short(video.name)}, which another has too; names are unique"
                self._fault("videos", video.id, text, "name that occurs twice")
            elif video.file_name is not None and not is_place_below(video.file_name):
                text = f"file_name is {short(video.file_name)}; expected a path below the folder of the file"
                self._fault("videos", video.id, text, "file_name that leaves the folder")
            else:
                rows[video.id] = len(names)
                names.append(video.name)
                files.append(video.file_name or "")
                fps.append(video.fps or np.nan)
            seen.add(video.id)
        return rows, names, files, fps

    def _frames(self, video_of: dict[int, int], names: list[str], files: list[str], fps: list[float]) -> _Frames:
        images = self.document.images
        ids = np.array([image.id for image in images], np.int64)
        good = self._first_of_id("images", ids)
        known = {video.id for video in self.document.videos}
        taken, single = set(names), {}
        places: set[tuple[int, int]] = set()
        video, number = np.full(len(images), -1, np.int64), np.zeros(len(images), np.int64)
        for i, image in enumerate(images):
            if not good[i]:
                continue
            good[i] = False
            if not is_place_below(image.file_name):
                text = f"file_name is {short(image.file_name)}; expected a path below the folder of the file"
                self._fault("images", image.id, text, "file_name that leaves the folder")
            elif image.video_id is None:
                if image.file_name in taken:
                    text = f"file_name is {short(image.file_name)}, which another picture or video has for a name"
                    self._fault("images", image.id, text, "file_name that occurs twice")
                    continue
                taken.add(image.file_name)
                single[i], good[i] = image.file_name, True
                video[i], number[i] = len(names), image.frame_id or 0
                names.append(image.file_name)
                files.append("")
                fps.append(np.nan)
            elif image.video_id not in video_of:
                what = "that video cannot be used" if image.video_id in known else "no video has this id"
                self._fault("images", image.id, f"video_id is {image.video_id}; {what}", "unknown video_id")
            elif image.frame_id is None:
                text = "lacks 'frame_id', which images with a video_id need"
                self._fault("images", image.id, text, "lacks frame_id")
            elif (video_of[image.video_id], image.frame_id) in places:
                text = f"frame_id is {image.frame_id}, which another image of video {image.video_id} has too"
                self._fault("images", image.id, text, "frame_id that occurs twice in a video")
            else:
                video[i], number[i], good[i] = video_of[image.video_id], image.frame_id, True
                places.add((video_of[image.video_id], image.frame_id))
        if not good.any():
            raise DataError(f"{self.file}: has no usable image; 'vidsgg data check' lists what is wrong with it.")
        in_video = np.array([image.video_id is not None for image in images], np.bool_) & good
        lowest = int(number[in_video].min()) if in_video.any() else 1
        shift = 1 if lowest == 0 else 0
        number = np.where(in_video, number + shift, np.maximum(number, 1))
        kept = np.flatnonzero(good)
        place = np.full(len(images), -1, np.int64)
        place[kept] = np.arange(len(kept))
        self.facts["images"] = len(kept)
        labelled = np.array([images[i].relations_labelled for i in kept], np.bool_)
        self.facts["images whose relations are not labelled"] = int((~labelled).sum())
        return _Frames(
            _Ids(ids, good),
            place,
            video[kept],
            [images[i].file_name for i in kept],
            shift,
            {
                "frame_number": number[kept],
                "frame_size": np.array([(images[i].width, images[i].height) for i in kept], np.float32),
                "frame_labelled": labelled,
            },
        )

    def _first_of_id(self, name: str, ids: Array) -> Array:
        """(n,) bool: all but entries whose id another had before."""
        first = np.zeros(len(ids), np.bool_)
        first[np.unique(ids, return_index=True)[1]] = True
        for i in np.flatnonzero(~first):
            self._fault(name, int(ids[i]), "occurs twice; ids are unique within a list", "id that occurs twice")
        return first

    # ---- things

    def _nodes(self, frames: _Frames, classes: dict[int, int]) -> _Nodes:
        entries = self.document.annotations
        ids = np.array([a.id for a in entries], np.int64)
        good = self._first_of_id("annotations", ids)
        image_id = np.array([a.image_id for a in entries], np.int64)
        image = frames.ids.rows(image_id)
        self._refer("annotations", ids, good, "image_id", image_id, image, frames.ids, "image")
        klass = np.array([classes.get(a.category_id, -1) for a in entries], np.int64)
        for i in np.flatnonzero(good & (klass < 0)):
            text = f"category_id is {entries[i].category_id}; no usable category has this id"
            self._fault("annotations", int(ids[i]), text, "unknown category_id")
        good &= klass >= 0
        box = self._boxes(good, image, frames)
        track = np.array([-1 if a.track_id is None else a.track_id for a in entries], np.int64)
        frame = np.where(image >= 0, frames.place[image], -1) if len(entries) else np.zeros(0, np.int64)
        video = np.where(frame >= 0, frames.video[frame], -1) if len(entries) else np.zeros(0, np.int64)
        self._check_tracks(ids, good, track, klass, frame, video)
        kept = np.flatnonzero(good)
        place = np.full(len(entries), -1, np.int64)
        place[kept] = np.arange(len(kept))
        self.facts["boxes"] = len(kept)
        self.facts["boxes with a track"] = int((track[kept] >= 0).sum())
        return _Nodes(
            _Ids(ids, good),
            place,
            frame[kept],
            video[kept],
            ids[kept],
            {"node_box": box[kept], "node_class": klass[kept], "node_identity": track[kept]},
        )

    def _refer(
        self, name: str, ids: Array, good: Array, entry: str, given: Array, rows: Array, known: _Ids, what: str
    ) -> None:
        """Faults of references to nothing; ``good`` becomes false there."""
        bad = np.flatnonzero(good & (rows < 0))
        there = known.known(given[bad])
        for i, exists in zip(bad.tolist(), there.tolist(), strict=True):
            ident = int(given[i])
            if ident == _MISSING:
                self._fault(name, int(ids[i]), f"lacks {entry!r}", f"lacks {entry}")
            else:
                why = f"that {what} cannot be used" if exists else f"no {what} has this id"
                self._fault(name, int(ids[i]), f"{entry} is {ident}; {why}", f"unknown {entry}")
        good &= rows >= 0

    def _boxes(self, good: Array, image: Array, frames: _Frames) -> Array:
        """(N, 4) xyxy float32, inside their pictures; ``good`` becomes false where there is none."""
        entries = self.document.annotations
        nothing = (0.0, 0.0, 1.0, 1.0)
        given = np.array([nothing if a.bbox is None else a.bbox for a in entries], np.float64).reshape(-1, 4)
        for i in [i for i, a in enumerate(entries) if a.bbox is None and good[i]]:
            try:
                picture = self.document.images[int(image[i])]
                given[i] = mask_box(entries[i].segmentation, picture.width, picture.height)
            except DataError as error:
                self._fault("annotations", entries[i].id, str(error).rstrip("."), "neither a box nor a readable mask")
                good[i] = False
        with np.errstate(over="ignore"):
            whole = np.concatenate([given[:, :2], given[:, :2] + given[:, 2:]], axis=1)
        for i in np.flatnonzero(good & ~((given[:, 2:] > 0).all(1) & (np.abs(whole) < 1e9).all(1))).tolist():
            text = f"bbox is {short(given[i].tolist())}; expected x, y, width, height with positive sides"
            self._fault("annotations", entries[i].id, text, "box without size")
            good[i] = False
        size = np.tile(frames.columns["frame_size"].astype(np.float64), 2)
        limit = size[frames.place[image]] if len(entries) else np.zeros((0, 4))
        cut: Array = np.clip(whole, 0, limit).astype(np.float32)
        inside = (cut[:, :2] < cut[:, 2:]).all(1)
        for i in np.flatnonzero(good & ~inside).tolist():
            text = f"bbox is {short(given[i].tolist())}; it lies outside its picture of {limit[i, 0]:g} x {limit[i, 1]:g} pixels"
            self._fault("annotations", entries[i].id, text, "box outside its picture")
        self.facts["boxes cut at the edge of the picture"] = int(
            (good & inside & (np.abs(cut - whole) > 1e-3).any(1)).sum()
        )
        good &= inside
        return cut

    def _check_tracks(self, ids: Array, good: Array, track: Array, klass: Array, frame: Array, video: Array) -> None:
        """A track has one class, and one box in a frame; the first of two stays."""
        rows = np.flatnonzero(good & (track >= 0))
        thing = (video[rows] << 31) + track[rows]
        _, first, inverse = np.unique(thing, return_index=True, return_inverse=True)
        usual = klass[rows][first][inverse]
        for i in rows[usual != klass[rows]]:
            text = f"track_id is {track[i]}, which is of another category in this video before"
            self._fault("annotations", int(ids[i]), text, "track of two categories")
            good[i] = False
        rows = np.flatnonzero(good & (track >= 0))
        spot = np.stack([frame[rows], track[rows]])
        once = np.zeros(len(rows), np.bool_)
        once[np.unique(spot, axis=1, return_index=True)[1]] = True
        for i in rows[~once]:
            text = f"track_id is {track[i]}, of which its image has another box"
            self._fault("annotations", int(ids[i]), text, "two boxes of a track in one image")
            good[i] = False

    # ---- relations

    def _relations(
        self, frames: _Frames, nodes: _Nodes, predicates: dict[int, int], subjects: set[int], video_of: dict[int, int]
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        entries = self.document.relations
        ids = np.array([r.id for r in entries], np.int64)
        good = self._first_of_id("relations", ids)
        predicate = np.array([predicates.get(r.predicate_id, -1) for r in entries], np.int64)
        for i in np.flatnonzero(good & (predicate < 0)):
            text = f"predicate_id is {entries[i].predicate_id}; no usable predicate has this id"
            self._fault("relations", int(ids[i]), text, "unknown predicate_id")
        good &= predicate >= 0
        of_frame = np.array([r.image_id is not None for r in entries], np.bool_)
        over_time = np.array([r.video_id is not None for r in entries], np.bool_)
        for i in np.flatnonzero(good & (of_frame == over_time)):
            text = "has both an image_id and a video_id" if of_frame[i] else "has neither an image_id nor a video_id"
            self._fault("relations", int(ids[i]), f"{text}; it is of one frame or over time", "neither or both kinds")
        good &= of_frame != over_time
        framed = self._framed(np.flatnonzero(good & of_frame), ids, predicate, frames, nodes, subjects)
        interval = self._intervals(np.flatnonzero(good & over_time), ids, predicate, frames, nodes, subjects, video_of)
        return framed, interval

    def _framed(
        self, rows: Array, ids: Array, predicate: Array, frames: _Frames, nodes: _Nodes, subjects: set[int]
    ) -> dict[str, Array]:
        entries = [self.document.relations[i] for i in rows.tolist()]
        ids, predicate, good = ids[rows], predicate[rows], np.ones(len(rows), np.bool_)
        image_id = np.array([r.image_id for r in entries], np.int64)
        image = frames.ids.rows(image_id)
        self._refer("relations", ids, good, "image_id", image_id, image, frames.ids, "image")
        ends = []
        for name in ("subject_id", "object_id"):
            given = np.array([_MISSING if (v := getattr(r, name)) is None else v for r in entries], np.int64)
            row = nodes.ids.rows(given)
            self._refer("relations", ids, good, name, given, row, nodes.ids, "annotation")
            end = np.where(row >= 0, nodes.place[row], -1) if len(nodes.place) else row
            own = np.where(end >= 0, nodes.frame[end], -1) if len(nodes.frame) else end
            wanted = np.where(image >= 0, frames.place[image], -2)
            for i in np.flatnonzero(good & (own != wanted)):
                text = f"{name} is {given[i]}, which is in another image than {image_id[i]}"
                self._fault("relations", int(ids[i]), text, f"{name} of another image")
            good &= own == wanted
            ends.append(end)
        subject, obj = ends
        for i in np.flatnonzero(good & (subject == obj)):
            text = f"subject_id and object_id are both {entries[i].subject_id}; a thing has no relation to itself"
            self._fault("relations", int(ids[i]), text, "of a thing to itself")
        good &= subject != obj
        self._check_subjects(ids, good, nodes.columns["node_class"][subject] if len(nodes.place) else subject, subjects)
        video = nodes.video[subject[good]] if len(nodes.place) else np.zeros(0, np.int64)
        key = (subject[good] * max(len(nodes.frame), 1) + obj[good]) * (predicate.max(initial=0) + 1) + predicate[good]
        self.facts["relations of a frame"] = int(good.sum())
        self.facts["relations of a frame that stand twice, merged"] = int(good.sum()) - len(np.unique(key))
        return {
            "relation_video": video,
            "relation_subject": subject[good],
            "relation_object": obj[good],
            "relation_predicate": predicate[good],
        }

    def _check_subjects(self, ids: Array, good: Array, klass: Array, subjects: set[int]) -> None:
        allowed = np.isin(klass, list(subjects))
        for i in np.flatnonzero(good & ~allowed):
            text = 'its subject is of a category that has no "subject": true, while others have'
            self._fault("relations", int(ids[i]), text, "subject of a category that may not be one")
        good &= allowed

    def _intervals(
        self,
        rows: Array,
        ids: Array,
        predicate: Array,
        frames: _Frames,
        nodes: _Nodes,
        subjects: set[int],
        video_of: dict[int, int],
    ) -> dict[str, Array]:
        tracks = self._tracks(frames, nodes)
        known = {video.id for video in self.document.videos}
        parts: dict[str, list[int]] = {name: [] for name in ("video", "subject", "object", "predicate", "begin", "end")}
        passed = 0
        for i in rows.tolist():
            r, ident = self.document.relations[i], int(ids[i])
            needed = ("subject_track_id", "object_track_id", "begin_frame", "end_frame")
            lacking = [name for name in needed if getattr(r, name) is None]
            if lacking:
                text = f"lacks {lacking[0]!r}, which relations with a video_id need"
                self._fault("relations", ident, text, f"lacks {lacking[0]}")
                continue
            if r.video_id not in video_of:
                why = "that video cannot be used" if r.video_id in known else "no video has this id"
                self._fault("relations", ident, f"video_id is {r.video_id}; {why}", "unknown video_id")
                continue
            video = video_of[r.video_id]
            numbers, things = tracks[video]
            unknown = [n for n in needed[:2] if getattr(r, n) not in things]
            begin, end = r.begin_frame + frames.shift, r.end_frame + frames.shift
            low, high = np.searchsorted(numbers, (begin, end))
            if unknown:
                text = f"{unknown[0]} is {getattr(r, unknown[0])}; video {r.video_id} has no box with this track_id"
                self._fault("relations", ident, text, f"unknown {unknown[0]}")
            elif r.subject_track_id == r.object_track_id:
                text = f"subject_track_id and object_track_id are both {r.subject_track_id}"
                self._fault("relations", ident, f"{text}; a thing has no relation to itself", "of a thing to itself")
            elif end <= begin:
                text = (
                    f"end_frame is {r.end_frame} and begin_frame {r.begin_frame}; the end is exclusive and comes later"
                )
                self._fault("relations", ident, text, "interval without a frame")
            elif low == high:
                text = f"frames {r.begin_frame} to {r.end_frame - 1} hold no image of video {r.video_id}"
                self._fault("relations", ident, text, "interval that meets no image")
            elif things[r.subject_track_id][0] not in subjects:
                text = 'its subject is of a category that has no "subject": true, while others have'
                self._fault("relations", ident, text, "subject of a category that may not be one")
            else:
                one, other = things[r.subject_track_id][1], things[r.object_track_id][1]
                both = np.intersect1d(one[(one >= low) & (one < high)], other, assume_unique=True)
                passed += int(high - low) - len(both)
                values = (video, r.subject_track_id, r.object_track_id, int(predicate[i]), begin, end)
                for name, value in zip(parts, values, strict=True):
                    parts[name].append(value)
        self.facts["relations over time"] = len(parts["video"])
        self.facts["images within a relation over time that lack a box of it, passed over"] = passed
        return {f"interval_{name}": np.array(values, np.int64) for name, values in parts.items()}

    def _tracks(self, frames: _Frames, nodes: _Nodes) -> dict[int, tuple[Array, dict[int, tuple[int, Array]]]]:
        """For each video: the numbers of its frames, and of every track its class and the positions
        of the frames with a box of it."""
        number = frames.columns["frame_number"]
        order = np.lexsort((number, frames.video))
        position = np.empty(len(order), np.int64)
        video, first = np.unique(frames.video[order], return_index=True)
        found: dict[int, tuple[Array, dict[int, tuple[int, Array]]]] = {}
        for v, begin, end in zip(video.tolist(), first.tolist(), [*first[1:].tolist(), len(order)], strict=True):
            position[order[begin:end]] = np.arange(end - begin)
            found[v] = number[order[begin:end]], {}
        for v in range(len(self.document.videos)):
            found.setdefault(v, (np.zeros(0, np.int64), {}))
        identity = nodes.columns["node_identity"]
        rows = np.flatnonzero(identity >= 0)
        rows = rows[np.lexsort((position[nodes.frame[rows]], identity[rows], nodes.video[rows]))]
        if len(rows):
            change = np.flatnonzero((np.diff(nodes.video[rows]) != 0) | (np.diff(identity[rows]) != 0)) + 1
            for part in np.split(rows, change):
                klass = int(nodes.columns["node_class"][part[0]])
                found[int(nodes.video[part[0]])][1][int(identity[part[0]])] = klass, position[nodes.frame[part]]
        return found

    def _check_single(self, table: RelationTable, node_at: Array, node_id: Array) -> None:
        """Of a group of kind "single" exactly one predicate holds for every pair with a label."""
        vocabulary = table.schema.vocabulary
        singles = [group for group in vocabulary.groups if group.kind == "single"]
        if not singles:
            return
        ident = np.empty(len(node_id), np.int64)
        ident[node_at] = node_id
        for index in range(len(table)):
            subject, obj, predicate = table.labels(index)
            first = table.rows("node", index).start
            size = max(int(subject.max(initial=0)), int(obj.max(initial=0))) + 1
            pair, row = np.unique(subject * size + obj, return_inverse=True)
            for group in singles:
                offset = vocabulary.offsets[group.name]
                mine = (predicate >= offset) & (predicate < offset + len(group))
                count = np.bincount(row[mine], minlength=len(pair))
                for p in np.flatnonzero(count != 1):
                    ends = [int(ident[first + n]) for n in (pair[p] // size, pair[p] % size)]
                    self.faults.add(
                        f"pair without exactly one predicate of {group.name}",
                        f"{self.file}: annotations {ends[0]} and {ends[1]}, which relations join, have {count[p]} predicates"
                        f" of the group {short(group.name)}; its kind 'single' asks for one. Use 'multi' when in doubt.",
                        fatal=True,
                    )


@dataclass
class _Frames:
    """place: row among the usable images of each image, -1 for none. shift: frame_number -
    frame_id."""

    ids: _Ids
    place: Array
    video: Array
    key: list[str]
    shift: int
    columns: dict[str, Array]


@dataclass
class _Nodes:
    """place: row among the usable annotations of each annotation, -1 for none."""

    ids: _Ids
    place: Array
    frame: Array
    video: Array
    node_id: Array
    columns: dict[str, Array]


def is_place_below(path: str) -> bool:
    """Whether a path out of a file leads to a place below a folder, on every system."""
    parts = path.split("/")
    return len(path) <= 1000 and all(map(is_one_name, parts))


def _kind(text: str) -> str:
    """A fault's text without the values in it, as the name of its kind."""
    return text.partition(";")[0].partition(", which")[0].split(" is named ")[0][:80]
