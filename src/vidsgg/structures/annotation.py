"""The ground truth of one video, as flat arrays with index columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

import numpy as np

from vidsgg.errors import DataError, short
from vidsgg.structures.checks import Array, check_boxes, check_index, check_ordered, freeze
from vidsgg.structures.schema import Schema


@dataclass(frozen=True, eq=False)
class VideoAnnotation:
    """The ground truth of one video.

    Letters: F frames, N nodes, P pairs, U label units, C predicates of a group. Arrays are copied and
    made read-only. Raises DataError naming the video, the row and the value.
    """

    schema: Schema  #: classes, predicates and rules
    video_id: str  #: name in the data set
    source_id: str  #: name of the source video or clip
    split: str  #: ``train`` or ``test``
    fps: float | None  #: frames per second of the video file; None if unknown
    frame_key: tuple[str, ...]  #: F names of frames in the data set
    frame_number: Array  #: (F,) number in the video file, from 1
    frame_unit: Array  #: (F,) label unit, 0..U-1, never decreasing; one per frame if the schema's unit is ``frame``
    frame_slot: Array  #: (F,) index into the schema's slots
    frame_size: Array  #: (F, 2) width and height in pixels
    node_box: Array  #: (N, 4) float32, xyxy in pixels of the original frame
    node_class: Array  #: (N,) index into the vocabulary's objects, never 0
    node_frame: Array  #: (N,) frame, never decreasing
    node_identity: Array  #: (N,) equal for nodes of a unit that are the same object; -1 if unknown
    action_class: Array  #: (U,) index into the vocabulary's subjects; empty unless subjects are actions
    pair_subject: Array  #: (P,) node of the pair's frame, or row of the pair's action (its unit)
    pair_object: Array  #: (P,) node of the pair's frame
    pair_frame: Array  #: (P,) frame, never decreasing
    labels: Mapping[str, Array]  #: (P, C) bool per predicate group, multi-hot

    def __post_init__(self) -> None:
        where = f"video {short(self.video_id)}"

        def take(name: str, dtype: type, shape: tuple[int | None, ...]) -> Array:
            array = freeze(where, name, getattr(self, name), dtype, shape)
            object.__setattr__(self, name, array)
            return array

        object.__setattr__(self, "frame_key", tuple(self.frame_key))
        frames = len(self.frame_key)
        take("frame_number", np.int64, (frames,))
        unit = take("frame_unit", np.int64, (frames,))
        slot = take("frame_slot", np.int64, (frames,))
        size = take("frame_size", np.float32, (frames, 2))
        box = take("node_box", np.float32, (None, 4))
        nodes = len(box)
        klass = take("node_class", np.int64, (nodes,))
        node_frame = take("node_frame", np.int64, (nodes,))
        take("node_identity", np.int64, (nodes,))
        subject = take("pair_subject", np.int64, (None,))
        pairs = len(subject)
        obj = take("pair_object", np.int64, (pairs,))
        frame = take("pair_frame", np.int64, (pairs,))
        action = take("action_class", np.int64, (None,))

        if frames == 0:
            raise DataError(f"{where} has no frame; leave the video out.")
        if (size <= 0).any():
            raise DataError(f"{where}: frame_size holds {size.min()}; width and height must be positive.")
        vocabulary = self.schema.vocabulary
        check_ordered(where, "frame_unit", unit)
        if unit[0] != 0 or (np.diff(unit) > 1).any():
            raise DataError(
                f"{where}: frame_unit must count 0, 1, 2, ... without gaps, not {np.unique(unit)[:8].tolist()}..."
            )
        if self.schema.unit == "frame" and len(np.unique(unit)) != frames:
            raise DataError(f"{where}: two frames share a label unit, but the schema's unit is one frame.")
        check_index(where, "frame_slot", slot, len(self.schema.slots), into="the schema's slots")
        check_boxes(where, "node_box", box)
        check_index(
            where, "node_class", klass, len(vocabulary.objects), low=1, into="object classes, 0 is the background"
        )
        check_index(where, "node_frame", node_frame, frames, into="frames")
        check_ordered(where, "node_frame", node_frame)
        check_index(where, "pair_frame", frame, frames, into="frames")
        check_ordered(where, "pair_frame", frame)
        check_index(where, "pair_object", obj, nodes, into="nodes")
        self._same_frame(where, "pair_object", obj, node_frame)
        if self.schema.subject_has_box:
            if len(action):
                raise DataError(
                    f"{where}: action_class has {len(action)} rows, but subjects of {self.schema.name} are nodes with a"
                    " box."
                )
            check_index(where, "pair_subject", subject, nodes, into="nodes")
            self._same_frame(where, "pair_subject", subject, node_frame)
        else:
            if len(action) != self.units:
                raise DataError(
                    f"{where}: action_class has {len(action)} rows for {self.units} label units; it takes one each."
                )
            check_index(where, "action_class", action, len(vocabulary.subjects), into="subject classes")
            bad = np.flatnonzero(subject != unit[frame])
            if len(bad):
                raise DataError(
                    f"{where}: pair_subject[{bad[0]}] is {subject[bad[0]]}, but its frame lies in unit"
                    f" {unit[frame[bad[0]]]}."
                )

        if set(self.labels) != {group.name for group in vocabulary.groups}:
            wanted = [group.name for group in vocabulary.groups]
            raise DataError(f"{where}: labels are given for {sorted(self.labels)}, the schema's groups are {wanted}.")
        labels = {}
        for group in vocabulary.groups:
            hot = freeze(where, f"labels[{short(group.name)}]", self.labels[group.name], np.bool_, (pairs, len(group)))
            if group.kind == "single" and (hot.sum(1) != 1).any():
                i = int(np.flatnonzero(hot.sum(1) != 1)[0])
                raise DataError(
                    f"{where}: pair {i} has {int(hot[i].sum())} predicates of the single-label group"
                    f" {short(group.name)}; it takes one."
                )
            labels[group.name] = hot
        object.__setattr__(self, "labels", MappingProxyType(labels))

    def _same_frame(self, where: str, name: str, rows: Array, node_frame: Array) -> None:
        bad = np.flatnonzero(node_frame[rows] != self.pair_frame)
        if len(bad):
            i = int(bad[0])
            raise DataError(
                f"{where}: pair {i} lies in frame {self.pair_frame[i]}, its {name} in frame {node_frame[rows[i]]}."
            )

    def __getstate__(self) -> dict[str, object]:
        state = {f.name: getattr(self, f.name) for f in fields(self)}
        return {**state, "labels": dict(self.labels)}

    def __setstate__(self, state: dict[str, object]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "labels", MappingProxyType(dict(self.labels)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VideoAnnotation):
            return NotImplemented
        for f in fields(self):
            mine, theirs = getattr(self, f.name), getattr(other, f.name)
            if f.name == "labels":
                equal = mine.keys() == theirs.keys() and all(np.array_equal(mine[k], theirs[k]) for k in mine)
            elif isinstance(mine, np.ndarray):
                equal = np.array_equal(mine, theirs)
            else:
                equal = mine == theirs
            if not equal:
                return False
        return True

    __hash__ = None  # type: ignore[assignment]

    @property
    def frames(self) -> int:
        return len(self.frame_key)

    @property
    def nodes(self) -> int:
        return len(self.node_box)

    @property
    def pairs(self) -> int:
        return len(self.pair_frame)

    @property
    def units(self) -> int:
        return int(self.frame_unit[-1]) + 1
