"""What a data set is, so that no code outside ``datasets/`` asks which one it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from vidsgg.errors import DataError
from vidsgg.structures.vocabulary import Vocabulary

MODES = ("predcls", "sgcls", "sgdet")


@dataclass(frozen=True)
class Schema:
    """The shape of a data set.

    subject_kind: "entity", subjects are nodes with a box (Action Genome's person); "action", a subject is the verb of a label
        unit, without a box and with a clip feature at most (EASG).
    unit: what a label belongs to: one frame, or an event that spans the frames named in ``slots``.
    slots: names of the frames of a unit, such as ("pre", "pnr", "post").
    modes: the tasks that the annotations allow. subject_given: the modes in which the subject's class is read, not predicted.
    box_unit: "pixel", or "relative" when the files hold boxes without an image size: those are scaled by a nominal size on
        loading, and one of their pixels then means nothing.
    features: width of every feature that the data set's files bring along: "object" and "action"; empty when features come
        from the frames.
    has_frames: whether pictures belong to the data set.
    """

    name: str
    vocabulary: Vocabulary
    subject_kind: Literal["entity", "action"]
    unit: Literal["frame", "event"] = "frame"
    slots: tuple[str, ...] = ("frame",)
    modes: tuple[str, ...] = MODES
    subject_given: tuple[str, ...] = MODES
    box_unit: Literal["pixel", "relative"] = "pixel"
    features: Mapping[str, int] = field(default_factory=dict)
    has_frames: bool = True

    def __post_init__(self) -> None:
        where = f"schema {self.name!r}"
        if self.subject_kind not in ("entity", "action"):
            raise DataError(f"{where}: subject_kind is {self.subject_kind!r}; use 'entity' or 'action'.")
        if self.unit not in ("frame", "event"):
            raise DataError(f"{where}: unit is {self.unit!r}; use 'frame' or 'event'.")
        if self.unit == "frame" and len(self.slots) != 1:
            raise DataError(f"{where}: a unit of one frame has one slot, not {self.slots}.")
        for mode in (*self.modes, *self.subject_given):
            if mode not in MODES:
                raise DataError(f"{where}: unknown mode {mode!r}; use some of {MODES}.")
        if self.subject_kind == "entity":
            for subject in self.vocabulary.subjects:
                if subject not in self.vocabulary.objects:
                    raise DataError(f"{where}: subject {subject!r} has a box but is not among the object classes.")
        object.__setattr__(self, "features", MappingProxyType(dict(self.features)))

    def __reduce__(self) -> tuple[object, ...]:  # a MappingProxyType does not pickle; worker processes need schemas that do
        return Schema, (
            self.name, self.vocabulary, self.subject_kind, self.unit, self.slots, self.modes,
            self.subject_given, self.box_unit, dict(self.features), self.has_frames,
        )  # fmt: skip

    @property
    def subject_has_box(self) -> bool:
        return self.subject_kind == "entity"
