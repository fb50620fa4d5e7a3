"""Videos of things with boxes and of relations between any two of them, as flat columns.

What labels of frames and of intervals have in common: both become the labelled pairs of frames when
a video is built. Intervals stay intervals until then, since a million frames with a label each are
too many to keep.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.io.columns import Texts, check_starts, texts_from_columns, texts_to_columns
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.instances import RelationInstance, TrackRelation
from vidsgg.structures.schema import Schema

# Arrays of the table: their type, their width if they are no plain column, and what their rows are.
_COLUMNS: dict[str, tuple[Any, int, str]] = {
    "fps": (np.float64, 0, "video"),
    "frame_number": (np.int32, 0, "frame"),
    "frame_size": (np.float32, 2, "frame"),
    "frame_labelled": (np.bool_, 0, "frame"),
    "node_box": (np.float32, 4, "node"),
    "node_class": (np.int32, 0, "node"),
    "node_identity": (np.int32, 0, "node"),
    "relation_subject": (np.int32, 0, "relation"),
    "relation_object": (np.int32, 0, "relation"),
    "relation_predicate": (np.int32, 0, "relation"),
    "interval_subject": (np.int32, 0, "interval"),
    "interval_object": (np.int32, 0, "interval"),
    "interval_predicate": (np.int32, 0, "interval"),
    "interval_begin": (np.int32, 0, "interval"),
    "interval_end": (np.int32, 0, "interval"),
}
_TEXTS = ("video_id", "video_file", "frame_key")
# What is cut into runs, and into runs for what.
_STARTS = {"frame": "video", "node": "frame", "relation": "video", "interval": "video"}


@dataclass(frozen=True, eq=False)
class RelationTable:
    """All videos of one split. V videos, F frames, N nodes, L relations of frames, I intervals.

    video_id, video_file (V): the file that frames are read from, "" for none. frame_key (F): the
    picture below the folder. columns: fps (V,), NaN where unknown; frame_number (F,), increasing
    within a video; frame_size (F, 2); frame_labelled (F,): whether relations that are not listed do
    not hold; node_box (N, 4) xyxy; node_class (N,); node_identity (N,), -1 for none;
    relation_subject, relation_object (L,): nodes, counted over the split; relation_predicate (L,);
    interval_subject, interval_object (I,): identities; interval_predicate; interval_begin,
    interval_end (I,): frame numbers, the end exclusive. start: of frames, relations and intervals
    for each video, of nodes for each frame. Raises DataError for columns that contradict each
    other.
    """

    schema: Schema
    split: str
    video_id: Texts
    video_file: Texts
    frame_key: Texts
    columns: Mapping[str, Array]
    start: Mapping[str, Array]

    def __post_init__(self) -> None:
        columns, rows = dict(self.columns), {"video": len(self.video_id)}
        for name, cut in _STARTS.items():
            start = np.asarray(self.start[name], np.int64)
            rows[name] = int(start[-1]) if len(start) else 0
            check_starts(f"{name}s", start, rows[name])
            if len(start) != rows[cut] + 1:
                raise DataError(f"{name}s are cut for {len(start) - 1} {cut}s, there are {rows[cut]}.")
        for name, (kind, width, of) in _COLUMNS.items():
            array = columns[name] = np.asarray(columns[name], kind)
            if array.shape != ((rows[of], width) if width else (rows[of],)):
                raise DataError(f"column {name} has the shape {array.shape}; there are {rows[of]} {of}s.")
        if len(self.frame_key) != rows["frame"] or len(self.video_file) != rows["video"]:
            raise DataError("the texts are not as many as the frames and videos.")
        vocabulary = self.schema.vocabulary
        for name, low, high in (
            ("node_class", 1, len(vocabulary.objects)),
            ("relation_subject", 0, rows["node"]),
            ("relation_object", 0, rows["node"]),
            ("relation_predicate", 0, len(vocabulary.predicates)),
            ("interval_predicate", 0, len(vocabulary.predicates)),
        ):
            array = columns[name]
            if len(array) and not (array.min() >= low and array.max() < high):
                raise DataError(f"column {name} points outside {low}..{high - 1}.")
        object.__setattr__(self, "columns", columns)

    def __len__(self) -> int:
        return len(self.video_id)

    @classmethod
    def of(
        cls,
        schema: Schema,
        split: str,
        *,
        video_id: Sequence[str],
        video_file: Sequence[str],
        fps: Sequence[float],
        frame_video: Array,
        frame_key: Sequence[str],
        node_frame: Array,
        relation_video: Array,
        interval_video: Array,
        columns: Mapping[str, Array],
    ) -> tuple[RelationTable, Array]:
        """Rows in any order as a table, and where each node went. frame_video (F,), node_frame
        (N,), relation_video (L,), interval_video (I,): what a row belongs to. columns: as the
        table's, their indices counting the given rows. Frames are sorted by video and number, nodes
        by frame and otherwise left in order.
        """
        frames = np.lexsort((columns["frame_number"], frame_video))
        frame_at = _places(frames)
        of_node = frame_at[node_frame] if len(node_frame) else np.zeros(0, np.int64)
        nodes = np.argsort(of_node, kind="stable")
        node_at = _places(nodes)
        relations, intervals = (np.argsort(v, kind="stable") for v in (relation_video, interval_video))
        order = {"frame": frames, "node": nodes, "relation": relations, "interval": intervals}
        sorted_columns: dict[str, Array] = {"fps": np.asarray(fps, np.float64)}
        for name, (kind, width, rows) in _COLUMNS.items():
            if name == "fps":
                continue
            array = np.asarray(columns[name], kind).reshape((-1, width) if width else (-1,))[order[rows]]
            if name in ("relation_subject", "relation_object"):
                array = node_at[array]
            sorted_columns[name] = array
        videos = len(video_id)
        table = cls(
            schema,
            split,
            Texts.of(video_id),
            Texts.of(video_file),
            Texts.of([frame_key[i] for i in frames.tolist()]),
            sorted_columns,
            {
                "frame": _runs(frame_video, videos),
                "node": _runs(of_node, len(frames)),
                "relation": _runs(relation_video, videos),
                "interval": _runs(interval_video, videos),
            },
        )
        return table, node_at

    def rows(self, name: str, index: int) -> slice:
        """Rows of video ``index``: of "frame", "node", "relation" or "interval"."""
        if name == "node":
            frames = self.start["frame"]
            return slice(int(self.start["node"][frames[index]]), int(self.start["node"][frames[index + 1]]))
        return slice(int(self.start[name][index]), int(self.start[name][index + 1]))

    def intervals(self, index: int) -> list[TrackRelation]:
        """The relations over time of a video, as listed."""
        rows = self.rows("interval", index)
        parts = (
            self.columns[f"interval_{name}"][rows].tolist()
            for name in ("subject", "object", "predicate", "begin", "end")
        )
        return [TrackRelation(*row) for row in zip(*parts, strict=True)]

    def labels(self, index: int) -> tuple[Array, Array, Array]:
        """(subject, object, predicate) of everything that holds in the frames of a video: nodes
        counted within the video. Each once, by subject, object, predicate."""
        rows, first = self.rows("relation", index), self.rows("node", index).start
        parts = [
            [self.columns[f"relation_{name}"][rows].astype(np.int64) for name in ("subject", "object", "predicate")]
        ]
        parts[0][0], parts[0][1] = parts[0][0] - first, parts[0][1] - first
        parts += self._unrolled(index)
        subject, obj, predicate = (np.concatenate([part[i] for part in parts]) for i in range(3))
        nodes, predicates = self.rows("node", index), len(self.schema.vocabulary.predicates)
        size = max(nodes.stop - nodes.start, 1)
        key = np.unique((subject * size + obj) * predicates + predicate)
        return key // predicates // size, key // predicates % size, key % predicates

    def _unrolled(self, index: int) -> list[list[Array]]:
        """What each interval of a video says of its frames in which both things have a box."""
        intervals = self.intervals(index)
        if not intervals:
            return []
        frames, nodes = self.rows("frame", index), self.rows("node", index)
        numbers = self.columns["frame_number"][frames]
        identity = self.columns["node_identity"][nodes]
        counts = np.diff(self.start["node"][frames.start : frames.stop + 1])
        frame_of = np.repeat(np.arange(len(numbers)), counts)
        known, column = np.unique(identity, return_inverse=True)
        node_at = np.full((len(numbers), len(known)), -1, np.int64)  # node of a thing in a frame
        node_at[frame_of, column] = np.arange(len(identity))
        place = {int(ident): i for i, ident in enumerate(known)}
        begins, ends = (
            np.searchsorted(numbers, self.columns[f"interval_{n}"][self.rows("interval", index)])
            for n in ("begin", "end")
        )
        parts = []
        for relation, begin, end in zip(intervals, begins.tolist(), ends.tolist(), strict=True):
            if relation.subject not in place or relation.object not in place:
                continue
            subject, obj = node_at[begin:end, place[relation.subject]], node_at[begin:end, place[relation.object]]
            both = (subject >= 0) & (obj >= 0)
            subject, obj = subject[both], obj[both]
            parts.append([subject, obj, np.full(len(subject), relation.predicate, np.int64)])
        return parts

    def relation_instances(self, index: int) -> list[RelationInstance]:
        """The relations over time of a video with the boxes of their things, for the metrics of
        relation detection. Frames count from 0, and boxes are inclusive.

        In frames that the files do not list, boxes lie on the line between the sightings around
        them; a relation is cut to the listed frames. Raises DataError naming video, track and frame
        if a thing has no box in a listed frame of its relation.
        """
        frames, nodes = self.rows("frame", index), self.rows("node", index)
        frame = np.repeat(
            self.columns["frame_number"][frames], np.diff(self.start["node"][frames.start : frames.stop + 1])
        )
        box = self.columns["node_box"][nodes].astype(np.float64)
        if self.schema.overlap == "plain":
            box[:, 2:] -= 1
        identity, klass = self.columns["node_identity"][nodes], self.columns["node_class"][nodes]
        rows_of = {ident: np.flatnonzero(identity == ident) for ident in np.unique(identity).tolist()}
        vocabulary, found = self.schema.vocabulary, []

        listed = self.columns["frame_number"][frames]

        def of(track: int, wanted: Array) -> tuple[str, Array]:
            rows = rows_of[track]
            lacking = np.setdiff1d(listed[(listed >= wanted[0]) & (listed <= wanted[-1])], frame[rows])
            if len(lacking):
                raise DataError(
                    f"video {short(self.video_id[index])}: track {track} has no box in frame {lacking[0] - 1}, in which a"
                    " relation of it holds."
                )
            corners = [np.interp(wanted, frame[rows], box[rows, side]) for side in range(4)]
            return vocabulary.objects[klass[rows[0]]], np.stack(corners, axis=1)

        for relation in self.intervals(index):
            within = listed[(listed >= relation.begin) & (listed < relation.end)]
            if not len(within):
                continue
            begin, end = int(within[0]), int(within[-1]) + 1
            subject, obj = (of(track, np.arange(begin, end)) for track in (relation.subject, relation.object))
            triplet = (subject[0], vocabulary.predicates[relation.predicate], obj[0])
            found.append(RelationInstance(triplet, begin - 1, end - 1, subject[1], obj[1]))
        return found

    def annotation(self, index: int, frames: Array | None = None) -> VideoAnnotation:
        """The ground truth of a video, in its frames at the positions ``frames``, increasing; by
        default all whose relations are labelled. Raises DataError as VideoAnnotation does, and if
        no frame is left.
        """
        rows, nodes = self.rows("frame", index), self.rows("node", index)
        columns, schema = self.columns, self.schema
        kept = np.flatnonzero(columns["frame_labelled"][rows]) if frames is None else np.asarray(frames, np.int64)
        if not len(kept):
            raise DataError(f"video {short(self.video_id[index])} has no frame whose relations are labelled.")
        counts = np.diff(self.start["node"][rows.start : rows.stop + 1])
        frame_of = np.repeat(np.arange(rows.stop - rows.start), counts)
        new_frame = np.full(rows.stop - rows.start, -1, np.int64)
        new_frame[kept] = np.arange(len(kept))
        kept_node = new_frame[frame_of] >= 0
        new_node = np.cumsum(kept_node) - 1
        subject, obj, predicate = self.labels(index)
        there = kept_node[subject] & kept_node[obj] if len(subject) else np.zeros(0, np.bool_)
        subject, obj, predicate = new_node[subject[there]], new_node[obj[there]], predicate[there]
        size = max(int(kept_node.sum()), 1)
        pair, row = np.unique(subject * size + obj, return_inverse=True)
        hot = np.zeros((len(pair), len(schema.vocabulary.predicates)), np.bool_)
        hot[row, predicate] = True
        node_frame = new_frame[frame_of[kept_node]]
        fps = float(columns["fps"][index])
        keys = self.frame_key.span(rows.start, rows.stop)
        video = self.video_id[index]
        labels, offset = {}, 0
        for group in schema.vocabulary.groups:
            labels[group.name] = hot[:, offset : offset + len(group)]
            offset += len(group)
        return VideoAnnotation(
            schema=schema,
            video_id=video,
            source_id=video,
            split=self.split,
            fps=None if np.isnan(fps) else fps,
            frame_key=tuple(keys[i] for i in kept.tolist()),
            frame_number=columns["frame_number"][rows][kept],
            frame_unit=np.arange(len(kept)),
            frame_slot=np.zeros(len(kept)),
            frame_size=columns["frame_size"][rows][kept],
            node_box=self._drawable(columns["node_box"][nodes][kept_node]),
            node_class=columns["node_class"][nodes][kept_node],
            node_frame=node_frame,
            node_identity=columns["node_identity"][nodes][kept_node],
            action_class=np.zeros(0),
            pair_subject=pair // size,
            pair_object=pair % size,
            pair_frame=node_frame[pair // size] if len(pair) else np.zeros(0),
            labels=labels,
        )

    def _drawable(self, box: Array) -> Array:
        """Boxes with two corners apart: of inclusive ones, a box of one pixel has them at one
        place, and gets a side of 1."""
        if self.schema.overlap == "plain":
            return box
        box = box.copy()
        box[:, 2:] += box[:, :2] == box[:, 2:]
        return box

    def in_terms_of(self, schema: Schema) -> RelationTable:
        """The same videos with the classes and predicates of another schema, by name.

        Raises DataError naming a class or predicate that it lacks.
        """
        theirs = schema.vocabulary
        moved = {}
        for what, mine, other in (
            ("class", self.schema.vocabulary.objects, theirs.objects),
            ("predicate", self.schema.vocabulary.predicates, theirs.predicates),
        ):
            place = {name: i for i, name in enumerate(other)}
            lacking = [name for name in mine if name not in place]
            if lacking:
                raise DataError(
                    f"the {self.split} split has the {what} {short(lacking[0])}, which the training split does not have;"
                    f" give all files of a data set the same list of {'categories' if what == 'class' else 'predicates'}."
                )
            moved[what] = np.array([place[name] for name in mine], np.int32)
        columns = dict(self.columns)
        columns["node_class"] = moved["class"][columns["node_class"]]
        for name in ("relation_predicate", "interval_predicate"):
            columns[name] = moved["predicate"][columns[name]]
        return replace(self, schema=schema, columns=columns)

    def take(self, videos: Sequence[int]) -> list[int]:
        """Positions of videos that have a frame whose relations are labelled, of those given."""
        labelled, start = np.concatenate([[0], np.cumsum(self.columns["frame_labelled"])]), self.start["frame"]
        return [i for i in videos if labelled[start[i + 1]] > labelled[start[i]]]

    def digest(self) -> str:
        """SHA-256 of everything in it, in hexadecimal."""
        digest = hashlib.sha256(repr(self.schema.to_dict()).encode())
        for array in (self.video_id.data, self.frame_key.data, *self.start.values(), *self.columns.values()):
            digest.update(np.ascontiguousarray(array).view(np.uint8).data)
        return digest.hexdigest()

    def to_columns(self) -> dict[str, Array]:
        """Everything but schema and split as arrays by name."""
        return {
            **{f"columns.{name}": array for name, array in self.columns.items()},
            **{f"start.{name}": array for name, array in self.start.items()},
            **texts_to_columns({name: getattr(self, name) for name in _TEXTS}),
        }

    @classmethod
    def from_columns(cls, schema: Schema, split: str, arrays: Mapping[str, Array]) -> RelationTable:
        """What ``to_columns`` gave. Raises KeyError or DataError for anything else."""
        return cls(
            schema,
            split,
            texts_from_columns(arrays, "video_id"),
            texts_from_columns(arrays, "video_file"),
            texts_from_columns(arrays, "frame_key"),
            {name: arrays[f"columns.{name}"] for name in _COLUMNS},
            {name: arrays[f"start.{name}"] for name in _STARTS},
        )


def _places(order: Array) -> Array:
    """Where each row went: the inverse of ``order``."""
    place: Array = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _runs(owner: Array, owners: int) -> Array:
    """(owners + 1,) where the rows of each begin once they are sorted by owner."""
    counts = np.bincount(np.asarray(owner, np.int64), minlength=owners) if len(owner) else np.zeros(owners, np.int64)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
