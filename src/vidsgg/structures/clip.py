"""What a model reads: one or several videos flattened together, ragged, without padding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import Any, cast

import torch
from torch import Tensor

from vidsgg.errors import DataError
from vidsgg.structures.annotation import VideoAnnotation
from vidsgg.structures.schema import Schema

# Which index space the entries of a column point into; None for plain values. Concatenating clips
# shifts them accordingly.
_POINTS_INTO = {
    "frame_video": "videos", "frame_unit": "units", "frame_slot": None, "frame_size": None,
    "frame_number": None,
    "node_box": None, "node_class": None, "node_score": None, "node_frame": "frames", "node_identity": None,
    "action_class": None, "pair_subject": "subjects", "pair_object": "nodes", "pair_frame": "frames",
    "node_feature": None, "node_distribution": None, "node_target": None, "action_feature": None, "action_target": None,
    "pair_union": None, "pair_mask": None, "node_rows": None,
}  # fmt: skip

_TABLES = ("labels", "label_use")  # tables of pairs by predicate group


@dataclass(frozen=True, eq=False)
class Clip:
    """One or several videos, flattened, without padding.

    Letters: F frames, U label units, N nodes, P pairs, O object classes with the background at 0, D
    width of features, C predicates of a group. Indices count over the whole clip. Fields that a data
    set or mode does not have are None. Raises DataError if shapes or devices do not match.
    """

    schema: Schema  #: classes, predicates and rules
    video_ids: tuple[str, ...]  #: names of the videos
    frame_video: Tensor  #: (F,) long, video, never decreasing
    frame_unit: Tensor  #: (F,) long, label unit, never decreasing
    frame_slot: Tensor  #: (F,) long, place in the unit, an index into the schema's slots
    frame_size: Tensor  #: (F, 2) float, width and height in pixels
    node_box: Tensor  #: (N, 4) float, xyxy in pixels of the original frame
    node_class: Tensor  #: (N,) long, class that the model may read, -1 if it is not given
    node_score: Tensor  #: (N,) float, 0..1; 1 for given boxes
    node_frame: Tensor  #: (N,) long, frame, never decreasing
    node_identity: Tensor  #: (N,) long, equal for nodes of a unit that are the same object; -1 if unknown
    action_class: Tensor  #: (U,) long, verb if subjects are actions (-1 if it is not given), else empty
    pair_subject: Tensor  #: (P,) long, node, or row of the action
    pair_object: Tensor  #: (P,) long, node
    pair_frame: Tensor  #: (P,) long, frame, never decreasing
    frame_number: Tensor | None = None  #: (F,) long, number in the video file, from 1
    node_feature: Tensor | None = None  #: (N, D) RoI features
    node_distribution: Tensor | None = None  #: (N, O) the detector's class distribution, 0 for the background
    node_target: Tensor | None = None  #: (N,) long, class to learn, 0 for a box that is nothing
    action_feature: Tensor | None = None  #: (U, D) features of the actions
    action_target: Tensor | None = None  #: (U,) long, class of the action to learn
    pair_union: Tensor | None = None  #: (P, channels, 7, 7) features of the union box
    pair_mask: Tensor | None = None  #: (P, 2, 27, 27) subject and object in the union box, -0.5..0.5
    node_rows: Tensor | None = None  #: (N,) long, number of boxes of which each node is the mean
    labels: Mapping[str, Tensor] | None = None  #: (P, C) bool per predicate group, multi-hot
    #: (P, C) bool per predicate group: the entries of ``labels`` that losses read; a row without any is
    #: left out. None: all.
    label_use: Mapping[str, Tensor] | None = None
    pictures: tuple[Tensor, ...] | None = None  #: F pictures, RGB (H, W, 3) uint8, on the CPU
    classes_given: bool = True  #: whether the model may read ``node_class``
    #: Whether the model chooses the pairs, once it knows the classes. The pairs are then candidates:
    #: every two nodes of a frame once, the earlier one as subject; with raw detections also a node
    #: with itself (see ops/detections.py).
    pairs_open: bool = False

    def __post_init__(self) -> None:
        where = f"clip of {', '.join(self.video_ids[:3])}{', ...' if len(self.video_ids) > 3 else ''}"
        sizes = {
            "frame": len(self.frame_video),
            "node": len(self.node_box),
            "action": len(self.action_class),
            "pair": len(self.pair_frame),
        }
        for name in _POINTS_INTO:
            value = getattr(self, name)
            if value is None:
                continue
            if len(value) != sizes[name.split("_")[0]]:
                raise DataError(f"{where}: {name} has {len(value)} rows, expected {sizes[name.split('_')[0]]}.")
            if value.device != self.frame_video.device:
                raise DataError(
                    f"{where}: {name} is on {value.device}, frame_video on {self.frame_video.device}; move whole clips"
                    " with .to()."
                )
        for name in _TABLES:
            tables = getattr(self, name)
            if tables is None:
                continue
            for group in self.schema.vocabulary.groups:
                if tables[group.name].shape != (self.pairs, len(group)):
                    shape = tuple(tables[group.name].shape)
                    raise DataError(
                        f"{where}: {name}[{group.name!r}] has shape {shape}, expected {(self.pairs, len(group))}."
                    )
            object.__setattr__(self, name, MappingProxyType(dict(tables)))

    def __reduce__(self) -> tuple[object, ...]:  # mapping proxies do not pickle; worker processes send clips
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        values |= {name: dict(tables) for name in _TABLES if (tables := values[name]) is not None}
        return _rebuild, (values,)

    @property
    def videos(self) -> int:
        return len(self.video_ids)

    @property
    def frames(self) -> int:
        return len(self.frame_video)

    @property
    def units(self) -> int:
        return int(self.frame_unit[-1]) + 1

    @property
    def nodes(self) -> int:
        return len(self.node_box)

    @property
    def pairs(self) -> int:
        return len(self.pair_frame)

    @property
    def device(self) -> torch.device:
        return self.frame_video.device

    @staticmethod
    def from_annotation(annotation: VideoAnnotation, mode: str = "predcls", **features: Tensor) -> Clip:
        """Make the clip of one annotated video, with its labels.

        Args:
            annotation: the ground truth.
            mode: ``predcls``, ``sgcls`` or ``sgdet``. Outside ``predcls`` the classes of nodes are
                hidden, and the class of the action if the schema says so.
            features: further columns, such as ``node_feature``.

        Raises:
            DataError: the data set does not support the mode.
        """
        schema = annotation.schema
        if mode not in schema.modes:
            raise DataError(f"data set {schema.name!r} has no mode {mode!r}; it has {', '.join(schema.modes)}.")

        def tensor(array: Any) -> Tensor:
            return torch.from_numpy(array.copy())

        node_class, action_class = tensor(annotation.node_class), tensor(annotation.action_class)
        hidden_node, hidden_action = mode != "predcls", mode not in schema.subject_given
        return Clip(
            schema=schema,
            video_ids=(annotation.video_id,),
            frame_video=torch.zeros(annotation.frames, dtype=torch.int64),
            frame_unit=tensor(annotation.frame_unit),
            frame_slot=tensor(annotation.frame_slot),
            frame_size=tensor(annotation.frame_size),
            frame_number=tensor(annotation.frame_number),
            node_box=tensor(annotation.node_box),
            node_class=torch.full_like(node_class, -1) if hidden_node else node_class,
            classes_given=not hidden_node,
            node_score=torch.ones(annotation.nodes),
            node_frame=tensor(annotation.node_frame),
            node_identity=tensor(annotation.node_identity),
            action_class=torch.full_like(action_class, -1) if hidden_action else action_class,
            pair_subject=tensor(annotation.pair_subject),
            pair_object=tensor(annotation.pair_object),
            pair_frame=tensor(annotation.pair_frame),
            node_target=node_class,
            action_target=action_class,
            labels={name: tensor(hot) for name, hot in annotation.labels.items()},
            **cast(dict[str, Any], features),
        )

    @staticmethod
    def cat(clips: Sequence[Clip]) -> Clip:
        """Concatenate clips of one schema. Raises DataError if they do not fit together."""
        if not clips:
            raise DataError("no clips to put together")
        if len(clips) == 1:
            return clips[0]
        first = clips[0]
        if any(clip.schema != first.schema for clip in clips):
            raise DataError(
                f"clips of different data sets cannot share a batch: {sorted({clip.schema.name for clip in clips})}"
            )
        columns: dict[str, Any] = {}
        for name in ("classes_given", "pairs_open"):
            if len({getattr(clip, name) for clip in clips}) > 1:
                raise DataError(f"clips of one batch differ in {name}; put together clips of one mode")
            columns[name] = getattr(first, name)
        for name, into in _POINTS_INTO.items():
            values = [getattr(clip, name) for clip in clips]
            if any(value is None for value in values):
                if not all(value is None for value in values):
                    lacking = next(clip.video_ids for clip, value in zip(clips, values, strict=True) if value is None)
                    raise DataError(f"{name} is missing for {lacking} but given for other videos of the batch")
                columns[name] = None
                continue
            if into is not None:
                shift, shifted = 0, []
                for clip, value in zip(clips, values, strict=True):
                    shifted.append(value + shift)
                    shift += clip._size(into)
                values = shifted
            columns[name] = torch.cat(values)
        for name in _TABLES:
            tables = [table for clip in clips if (table := getattr(clip, name)) is not None]
            if tables and len(tables) < len(clips):
                raise DataError(f"{name} is missing for some videos of the batch but given for others")
            if tables:
                columns[name] = {g: torch.cat([table[g] for table in tables]) for g in tables[0]}
        if first.pictures is not None:
            columns["pictures"] = tuple(picture for clip in clips for picture in clip.pictures or ())
        return Clip(schema=first.schema, video_ids=tuple(v for clip in clips for v in clip.video_ids), **columns)

    def between(self, begin: int, end: int) -> Clip:
        """Frames ``begin`` to ``end`` (exclusive, at least one) of one video as a clip of their
        own, with their nodes and pairs."""
        first_unit, last_unit = self.frame_unit[[begin, end - 1]].tolist()
        rows = {"frame": slice(begin, end), "action": slice(first_unit, last_unit + 1)}
        for kind in ("node", "pair"):
            rows[kind] = slice(
                *torch.searchsorted(
                    getattr(self, f"{kind}_frame"), torch.tensor([begin, end], device=self.device)
                ).tolist()
            )
        start = {
            "videos": int(self.frame_video[begin]),
            "frames": begin,
            "units": first_unit,
            "nodes": rows["node"].start,
        }
        start["subjects"] = start["nodes" if self.schema.subject_has_box else "units"]
        columns: dict[str, Any] = {}
        for name, into in _POINTS_INTO.items():
            value = getattr(self, name)
            if value is not None:
                value = value[rows[name.split("_")[0]]]
                columns[name] = value if into is None else value - start[into]
        for name in _TABLES:
            if (tables := getattr(self, name)) is not None:
                columns[name] = {group: hot[rows["pair"]] for group, hot in tables.items()}
        if self.pictures is not None:
            columns["pictures"] = self.pictures[begin:end]
        return replace(self, video_ids=(self.video_ids[start["videos"]],), **columns)

    def with_pairs(self, rows: Tensor) -> Clip:
        """Some pairs (increasing rows) with their nodes, in the same frames."""
        kept = torch.zeros(self.nodes, dtype=torch.bool, device=self.device)
        kept[self.pair_subject[rows]] = True
        kept[self.pair_object[rows]] = True
        return self._among(kept, rows)

    def with_nodes(self, kept: Tensor) -> Clip:
        """Some nodes (N,) bool with the pairs between them, in the same frames; for subjects that are
        nodes."""
        return self._among(kept, torch.nonzero(kept[self.pair_subject] & kept[self.pair_object]).squeeze(1))

    def _among(self, kept: Tensor, rows: Tensor) -> Clip:
        """The pairs (increasing rows) among the nodes (N,) bool that are kept."""
        place = kept.cumsum(0) - 1
        columns: dict[str, Any] = {
            name: value[kept]
            for name in _POINTS_INTO
            if name.startswith("node_") and (value := getattr(self, name)) is not None
        }
        pairs = self.related_by(rows)
        columns |= {"pair_subject": place[pairs.pair_subject], "pair_object": place[pairs.pair_object]}
        return replace(pairs, **columns)

    def related_by(self, rows: Tensor) -> Clip:
        """The same clip with some of its pairs (increasing rows) alone."""
        columns: dict[str, Any] = {
            name: value[rows]
            for name in _POINTS_INTO
            if name.startswith("pair_") and (value := getattr(self, name)) is not None
        }
        for table in _TABLES:
            if (of_group := getattr(self, table)) is not None:
                columns[table] = {name: hot[rows] for name, hot in of_group.items()}
        return replace(self, **columns)

    def _size(self, space: str) -> int:
        if space == "subjects":
            return self.nodes if self.schema.subject_has_box else self.units
        return int(getattr(self, space))

    def to(self, device: torch.device | str) -> Clip:
        """The same clip on another device."""
        moved: dict[str, Any] = {
            name: v.to(device, non_blocking=True) for name in _POINTS_INTO if (v := getattr(self, name)) is not None
        }
        for name in _TABLES:
            if (tables := getattr(self, name)) is not None:
                moved[name] = {group: hot.to(device, non_blocking=True) for group, hot in tables.items()}
        return replace(self, **moved)


def _rebuild(values: dict[str, Any]) -> Clip:
    return Clip(**values)
