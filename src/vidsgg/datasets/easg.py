"""EASG: egocentric action scene graphs (Rodin et al., CVPR 2024), from the authors' annotation
pickles.

A video is a clip; its label units are actions. The subject of every relation is the action's verb,
which has no box; each action has up to three key frames, named pre, pnr and post, and in each the
boxes of its objects. There are no pictures. The authors' files
have no test split: ``test`` is their ``val``, on which they score.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vidsgg.datasets.base import VideoDataset
from vidsgg.datasets.easg_features import FEATURE_FILES, ClipFeatures, MadeFeatures, RoiFeatures, mean_rows, width_of
from vidsgg.datasets.easg_files import SLOTS, VOCABULARY_FILES, MergedGraphs, clip_name, merge_graphs, read_names
from vidsgg.datasets.easg_layout import PICKLES, EasgLayout, find_layout
from vidsgg.errors import ConfigError, DataError, short
from vidsgg.io.images import Image
from vidsgg.io.locations import Location
from vidsgg.io.pickles import load_pickle
from vidsgg.ops.boxes import xywh_to_xyxy
from vidsgg.options import closest
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.checks import Array
from vidsgg.structures.schema import MODES, Schema
from vidsgg.structures.vocabulary import BACKGROUND, PredicateGroup, Vocabulary

# The files hold boxes relative to an image whose size they do not tell; 4:3 as the grid on which
# many of them were drawn.
NOMINAL_SIZE = (1440.0, 1080.0)  # width and height, pixels
FPS = 30.0
HANDS = ("left_hand", "right_hand", "both_hands")
MIN_SIDE = 1e-3  # of the image; smaller boxes are slips of the mouse


def easg_schema(layout: EasgLayout, split: str) -> Schema:
    """The schema of a data set's files, with the features that lie there. Raises DataError naming
    the file."""
    verbs, objects, relations = (read_names(layout.annotations / name) for name in VOCABULARY_FILES)
    return schema_of(
        verbs, objects, relations, {name: width_of(name, path) for name, path in feature_files(layout, split).items()}
    )


def schema_of(
    verbs: tuple[str, ...], objects: tuple[str, ...], relations: tuple[str, ...], features: Mapping[str, int]
) -> Schema:
    """EASG's schema with the given names. features: width of each that the files bring along."""
    return Schema(
        name="easg",
        title="EASG",
        vocabulary=Vocabulary(
            objects=(BACKGROUND, *objects),
            subjects=verbs,
            groups=(PredicateGroup("relation", relations, kind="multi", exclusive=("dobj",)),),
        ),
        subject_kind="action",
        unit="event",
        slots=SLOTS,
        modes=MODES,
        subject_given=("predcls", "sgcls"),
        box_unit="relative",
        features=features,
        has_frames=False,
    )


def feature_files(layout: EasgLayout, split: str) -> dict[str, Location]:
    """The authors' files of features that are there, by what they are of: "object" or "action"."""
    files = {name: layout.feature_file(file) for name, file in FEATURE_FILES[split].items()}
    return {name: path for name, path in files.items() if path is not None}


def _makers(files: Mapping[str, Location]) -> str:
    """Who made feature files that are not the authors'; "" if there are none. Raises DataError if
    the note beside them is damaged."""
    made = {path.name: MadeFeatures.beside(path.parent) for path in files.values()}
    ours = [note.made_by for name, note in made.items() if note is not None and name in note.widths]
    if not ours:
        return ""
    line, weights = (str(ours[0].get(name, "unknown")) for name in ("line", "weights"))
    return f"made by vidsgg with {short(line, 200)} (weights {short(weights[:12])}), not the authors'"


class EASG(VideoDataset):
    """One split of EASG, for ``predcls`` (the paper's edge classification), ``sgcls`` and ``sgdet``
    (action scene graph classification).

    Videos are clips, by name; units are (graph uid, verb), by frame of the point of no return, then
    verb; frames are the key frames in which the unit has a box; nodes of a frame are its objects by
    class, one for each, each in one pair with the unit's action. Entries of a unit are merged by
    class, their relations united. A node's identity is its object's rank by class in the unit.
    Nothing is in the order of the files, which tells the direct object.

    Boxes are scaled by NOMINAL_SIZE after repair: cut off at the image's edge; a box with a side
    under MIN_SIDE is dropped, unless the
    object would lose all its boxes: then these are grown to MIN_SIDE inside the image, so that no
    relation is lost. Several boxes of one object in one frame become their union for hands, and for
    other objects the largest one (not the first listed: the order of the list must not matter
    here).

    frame_number is the frame's number in the clip, as in the files. Files of the authors' features
    (see easg_layout, easg_features) come along through ``features``. Raises ConfigError for an
    unknown split or mode, DataError naming the file and the entry.
    """

    def __init__(self, root: Location, split: str, mode: str = "predcls") -> None:
        if split not in PICKLES:
            raise ConfigError(
                f"EASG has no split {short(split)}, only 'train' and 'test' (the authors'"
                f" val){closest(split, list(PICKLES))}"
            )
        if mode not in MODES:
            raise ConfigError(f"EASG has no mode {short(mode)}, only {', '.join(MODES)}{closest(mode, MODES)}")
        self.root, self.split, self.mode = root, split, mode
        self.layout = find_layout(self.root)
        self.feature_files = feature_files(self.layout, split)
        self.schema = easg_schema(self.layout, split)
        self.features_by = _makers(self.feature_files)
        vocabulary = self.schema.vocabulary
        path = self.layout.annotations / PICKLES[split]
        annotations = load_pickle(path)
        self.merged = merge_graphs(
            annotations, vocabulary.subjects, vocabulary.objects[1:], vocabulary.predicates, path
        )
        self._boxes = _repair(self.merged)
        self._table = _sorted_table(self.merged, self._boxes, vocabulary)
        self.video_ids = self._table.clips

    def report(self) -> Mapping[str, int]:
        """How many of everything there are, and what was merged and repaired."""
        merged, boxes, table = self.merged, self._boxes, self._table
        slots_with_box = np.bincount(table.frame_slot, minlength=len(SLOTS))
        return {
            "clips": len(table.clips),
            "graphs": len(set(merged.graph_uid)),
            "units": len(merged.verb),
            "frames": len(table.frame_unit),
            "pairs": len(merged.object_class),
            "triplets": int(merged.relations.sum()),
            "entries": len(merged.entry_key),
            "merged entries": len(merged.entry_key) - len(merged.object_class),
            "repeated entries": merged.repeated,
            "boxes": len(merged.boxes),
            "clipped boxes": int(boxes.clipped.sum()),
            "dropped boxes": int((~boxes.kept).sum()),
            "grown boxes": int(boxes.grown.sum()),
            **{f"units without {slot}": len(merged.verb) - int(slots_with_box[i]) for i, slot in enumerate(SLOTS)},
        }

    def in_mode(self, mode: str) -> EASG:
        if mode == self.mode:
            return self
        if mode not in MODES:
            return EASG(self.layout.root, self.split, mode)  # which says so
        same = copy(self)
        same.mode = mode
        return same

    def annotation(self, index: int) -> VideoAnnotation:
        t = self._table
        units, frames, nodes = t.spans(index)
        names = t.unit_uid[units]
        node_frame = t.node_frame[nodes] - frames.start
        frame_unit = t.frame_unit[frames] - units.start
        return VideoAnnotation(
            schema=self.schema,
            video_id=t.clips[index],
            source_id=t.clips[index],
            split=self.split,
            fps=FPS,
            frame_key=tuple(
                f"{names[u]}/{SLOTS[s]}"
                for u, s in zip(frame_unit.tolist(), t.frame_slot[frames].tolist(), strict=True)
            ),
            frame_number=t.frame_number[frames],
            frame_unit=frame_unit,
            frame_slot=t.frame_slot[frames],
            frame_size=np.tile(NOMINAL_SIZE, (len(frame_unit), 1)),
            node_box=t.node_box[nodes],
            node_class=t.node_class[nodes],
            node_frame=node_frame,
            node_identity=t.node_identity[nodes],
            action_class=t.unit_verb[units],
            pair_subject=frame_unit[node_frame],
            pair_object=np.arange(len(node_frame)),
            pair_frame=node_frame,
            labels={"relation": t.node_relations[nodes]},
        )

    def images(self, index: int, frames: Sequence[int] | None = None) -> list[Image]:
        raise DataError(
            f"{self.root}: EASG's annotations have no pictures; use models and runs that read features, boxes and"
            " classes."
        )

    def features(self, index: int) -> Mapping[str, Array]:
        """node_feature (N, D): mean over the node's boxes, those of repeated entries included;
        node_rows (N,): how many these are; action_feature (U, D).

        A column is there if its file is. Raises DataError naming the file and the annotation that
        it lacks or that does not fit.
        """
        columns: dict[str, Array] = {}
        units, _, nodes = self._table.spans(index)
        if self._roi_features is not None:
            rows = np.flatnonzero((self._table.box_node >= nodes.start) & (self._table.box_node < nodes.stop))
            values = self._roi_features.rows(self.merged, rows)
            columns["node_feature"] = mean_rows(
                values, self._table.box_node[rows] - nodes.start, nodes.stop - nodes.start
            )
            columns["node_rows"] = np.bincount(
                self._table.box_node[rows] - nodes.start, minlength=nodes.stop - nodes.start
            )
        if self._clip_features is not None:
            columns["action_feature"] = self._clip_features.rows(self._table.unit_action_key[units])
        return columns

    @cached_property
    def _roi_features(self) -> RoiFeatures | None:
        path = self.feature_files.get("object")
        return None if path is None else RoiFeatures(path, self.schema.features["object"])

    @cached_property
    def _clip_features(self) -> ClipFeatures | None:
        path = self.feature_files.get("action")
        return None if path is None else ClipFeatures(path, self.schema.features["action"])


@dataclass(frozen=True, eq=False)
class _Boxes:
    """Repaired boxes (B, 4) xyxy relative to the image, and what was done to each (B,) bool."""

    xyxy: Array
    clipped: Array
    kept: Array
    grown: Array


def _repair(merged: MergedGraphs) -> _Boxes:
    whole = xywh_to_xyxy(merged.boxes)
    xyxy = whole.clip(0, 1)
    kept = ((xyxy[:, 2:] - xyxy[:, :2]) >= MIN_SIDE).all(1)
    has_box = np.bincount(merged.box_object, kept, minlength=len(merged.object_class)) > 0
    grown = ~has_box[merged.box_object]
    low = np.minimum(xyxy[grown, :2], np.float32(1 - MIN_SIDE))
    xyxy[grown] = np.concatenate([low, np.maximum(xyxy[grown, 2:], low + np.float32(MIN_SIDE))], axis=1)
    return _Boxes(xyxy, clipped=(xyxy != whole).any(1), kept=kept | grown, grown=grown)


@dataclass(frozen=True, eq=False)
class _Table:
    """The split, sorted: C clips, U units, F frames, N nodes; indices count over the whole split.
    box_node (B,): -1 for dropped boxes."""

    clips: tuple[str, ...]
    clip_units: Array
    unit_uid: Array
    unit_verb: Array
    unit_action_key: Array
    frame_unit: Array
    frame_slot: Array
    frame_number: Array
    node_frame: Array
    node_class: Array
    node_identity: Array
    node_box: Array
    node_relations: Array
    box_node: Array

    def spans(self, clip: int) -> tuple[slice, slice, slice]:
        """Units, frames and nodes of a clip."""
        units = self.clip_units[clip : clip + 2].tolist()
        frames = np.searchsorted(self.frame_unit, units).tolist()
        nodes = np.searchsorted(self.node_frame, frames).tolist()
        return slice(*units), slice(*frames), slice(*nodes)


def _sorted_table(merged: MergedGraphs, boxes: _Boxes, vocabulary: Vocabulary) -> _Table:
    clips, graph_clip = np.unique([clip_name(uid) for uid in merged.graph_uid], return_inverse=True)
    unit_graph = np.lexsort((merged.verb, merged.frame_number[:, SLOTS.index("pnr")], graph_clip))
    unit_of_graph = _inverse(unit_graph)
    object_unit = unit_of_graph[merged.object_graph]

    by_class = np.lexsort((merged.object_class, object_unit))
    identity = _inverse(by_class) - np.searchsorted(object_unit[by_class], np.arange(len(unit_graph)))[object_unit]

    # Rows of one node, the largest box first; corners decide between boxes of equal area, never the
    # place in the file.
    rows = np.flatnonzero(boxes.kept)
    xyxy, thing, slot = boxes.xyxy[rows], merged.box_object[rows], merged.box_slot[rows]
    area = (xyxy[:, 2:] - xyxy[:, :2]).prod(1)
    order = np.lexsort((*xyxy.T, -area, identity[thing], slot, object_unit[thing]))
    rows, xyxy, thing, slot = rows[order], xyxy[order], thing[order], slot[order]
    new_node = np.diff(thing, prepend=-1).astype(np.bool_) | np.diff(slot, prepend=-1).astype(np.bool_)
    first = np.flatnonzero(new_node)
    node_thing, node_slot = thing[first], slot[first]
    node_class = merged.object_class[node_thing] + 1
    hands = [i for i, name in enumerate(vocabulary.objects) if name in HANDS]
    union = np.concatenate([np.minimum.reduceat(xyxy[:, :2], first), np.maximum.reduceat(xyxy[:, 2:], first)], axis=1)
    box = np.where(np.isin(node_class, hands)[:, None], union, xyxy[first])
    box_node = np.full(len(merged.boxes), -1, np.int64)
    box_node[rows] = np.cumsum(new_node) - 1

    frame_id = object_unit[node_thing] * len(SLOTS) + node_slot
    frames, node_frame = np.unique(frame_id, return_inverse=True)
    frame_unit, frame_slot = np.divmod(frames, len(SLOTS))
    return _Table(
        clips=tuple(clips.tolist()),
        clip_units=np.searchsorted(graph_clip[unit_graph], np.arange(len(clips) + 1)),
        unit_uid=np.array(merged.graph_uid)[unit_graph],
        unit_verb=merged.verb[unit_graph],
        unit_action_key=np.array(merged.action_key)[unit_graph],
        frame_unit=frame_unit,
        frame_slot=frame_slot,
        frame_number=merged.frame_number[unit_graph[frame_unit], frame_slot],
        node_frame=node_frame,
        node_class=node_class,
        node_identity=identity[node_thing],
        node_box=box * np.array([*NOMINAL_SIZE, *NOMINAL_SIZE], np.float32),
        node_relations=merged.relations[node_thing],
        box_node=box_node,
    )


def _inverse(order: Array) -> Array:
    rank: Array = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank
