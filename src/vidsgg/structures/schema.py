"""What a data set is, so that no code outside ``datasets/`` asks which one it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from vidsgg.errors import DataError, short
from vidsgg.structures.vocabulary import Vocabulary

FORMAT, VERSION = "vidsgg.schema", 1
Mode = Literal["predcls", "sgcls", "sgdet"]
MODES: tuple[Mode, ...] = ("predcls", "sgcls", "sgdet")


@dataclass(frozen=True)
class Schema:
    """Classes and predicates of a data set, and the rules by which its graphs are made.

    Raises DataError if two fields contradict each other.
    """

    name: str  #: short name, as in files
    vocabulary: Vocabulary  #: classes and predicates
    #: ``entity``: subjects are nodes with a box. ``action``: a subject is the verb of a label unit; it
    #: has no box and at most a clip feature.
    subject_kind: Literal["entity", "action"]
    #: What a label belongs to: one frame, or an event with the frames named in ``slots``.
    unit: Literal["frame", "event"] = "frame"
    slots: tuple[str, ...] = ("frame",)  #: names of the frames of a unit, such as ("pre", "pnr", "post")
    modes: tuple[str, ...] = MODES  #: the tasks that the annotations allow
    subject_given: tuple[str, ...] = MODES  #: modes in which the subject's class is read, not predicted
    #: ``relative``: the files have relative boxes without an image size. Loading scales them by a
    #: nominal size, so their pixels have no meaning.
    box_unit: Literal["pixel", "relative"] = "pixel"
    #: Width of every feature in the data set's own files, by ``object`` and ``action``; empty if
    #: features come from the frames.
    features: Mapping[str, int] = field(default_factory=dict)
    has_frames: bool = True  #: whether the data set has pictures
    title: str = ""  #: display name; by default ``name``
    #: True: a frame has one subject, which is related to every node of another class. False: every
    #: node of a subject class is a subject.
    one_subject: bool = False
    mutual: bool = True  #: without ``one_subject``: whether a subject may be the object of another subject
    #: Object classes that the published detector finds too often: in SGDET their boxes get a second
    #: class (``ops.cleaning``).
    often_wrong: tuple[str, ...] = ()
    once_per_frame: tuple[str, ...] = ()  #: classes of which a frame keeps only its best detection
    #: ``annotated``: the pairs of a frame are those with a label. ``ordered``: all pairs that the
    #: rules allow; a pair without a label is a negative.
    pairing: Literal["annotated", "ordered"] = "annotated"
    #: With ``ordered``: most pairs of a frame that are used, see ``ops.pairing.kept_pairs``; 0: all.
    max_pairs: int = 0
    #: Length of a box's side when overlaps are measured: x2 - x1 + 1 or x2 - x1.
    overlap: Literal["plus_one", "plain"] = "plus_one"

    def __post_init__(self) -> None:
        where = f"schema {short(self.name)}"
        if self.subject_kind not in ("entity", "action"):
            raise DataError(f"{where}: subject_kind is {short(self.subject_kind)}; use 'entity' or 'action'.")
        if self.unit not in ("frame", "event"):
            raise DataError(f"{where}: unit is {short(self.unit)}; use 'frame' or 'event'.")
        if self.unit == "frame" and len(self.slots) != 1:
            raise DataError(f"{where}: a unit of one frame has one slot, not {self.slots}.")
        for mode in (*self.modes, *self.subject_given):
            if mode not in MODES:
                raise DataError(f"{where}: unknown mode {short(mode)}; use some of {', '.join(MODES)}.")
        if self.one_subject and (self.subject_kind != "entity" or len(self.vocabulary.subjects) != 1):
            raise DataError(
                f"{where}: one_subject needs boxes of one subject class, not {self.vocabulary.subjects[:5]}."
            )
        if self.pairing not in ("annotated", "ordered") or self.overlap not in ("plus_one", "plain"):
            raise DataError(
                f"{where}: pairing is {short(self.pairing)} and overlap {short(self.overlap)}; use 'annotated' or"
                " 'ordered', and 'plus_one' or 'plain'."
            )
        if self.pairing == "ordered" and (self.subject_kind != "entity" or self.one_subject):
            raise DataError(f"{where}: pairing 'ordered' needs subjects with a box, of which a frame may have several.")
        if self.max_pairs < 0:
            raise DataError(f"{where}: max_pairs is {self.max_pairs}; give 0 for all pairs, or how many.")
        for rule in ("often_wrong", "once_per_frame"):
            for name in getattr(self, rule):
                if name not in self.vocabulary.objects[1:]:
                    raise DataError(f"{where}: {rule} names {short(name)}, which is not among the object classes.")
        if self.subject_kind == "entity":
            for subject in self.vocabulary.subjects:
                if subject not in self.vocabulary.objects:
                    raise DataError(f"{where}: subject {short(subject)} has a box but is not among the object classes.")
        object.__setattr__(self, "features", MappingProxyType(dict(self.features)))
        object.__setattr__(self, "title", self.title or self.name)

    # a MappingProxyType does not pickle; worker processes need schemas that do
    def __reduce__(self) -> tuple[object, ...]:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return _schema, (values | {"features": dict(self.features)},)

    @property
    def subject_has_box(self) -> bool:
        return self.subject_kind == "entity"

    def hides_actions(self, mode: str) -> bool:
        """Whether subjects are actions whose class is to be predicted in ``mode``."""
        return self.subject_kind == "action" and mode not in self.subject_given

    def of_own_videos(self) -> Schema:
        """The same classes in people's own videos, where a frame has as many subjects as there are:
        that it has one is a rule of published protocols."""
        return replace(self, one_subject=False, mutual=self.mutual and not self.one_subject, once_per_frame=())

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and checkpoints; ``from_dict`` makes an equal schema of them."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {"format": FORMAT, "version": VERSION, **values, "vocabulary": _plain_vocabulary(self.vocabulary)} | {
            name: list(value) if isinstance(value, tuple) else dict(value)
            for name, value in values.items()
            if isinstance(value, (tuple, Mapping))
        }

    @staticmethod
    def from_dict(document: object) -> Schema:
        """The schema of the values that ``to_dict`` returned.

        Version 0.1.0 wrote schemas without a version and without the last five fields, which then
        have their defaults; see ``datasets.older``.

        Raises:
            DataError: a field is missing or wrong, or the version is unknown.
        """
        if not isinstance(document, Mapping):
            raise DataError(f"schema: expected a table, got {type(document).__name__}.")
        values = dict(document)
        kind, version = values.pop("format", FORMAT), values.pop("version", None)
        if version is None and "objects" in values:
            values["vocabulary"] = {name: values.pop(name, None) for name in ("objects", "subjects", "groups")}
        elif kind != FORMAT or version != VERSION:
            raise DataError(
                f"schema: is {short(str(kind)[:40])} version {str(version)[:20]}; this program reads {short(FORMAT)}"
                f" version {VERSION}."
            )
        unknown = sorted(str(name)[:40] for name in set(values) - {f.name for f in fields(Schema)})
        if unknown:
            raise DataError(f"schema: has fields that this program does not know: {', '.join(unknown)}.")
        try:
            return msgspec.convert(values, Schema)
        except msgspec.ValidationError as error:
            raise DataError(f"schema: {str(error).rstrip('.')}.") from error

    def same_classes(self, other: Schema) -> bool:
        """Whether a model for one reads and says the same as a model for the other."""
        return self.vocabulary == other.vocabulary and self.subject_kind == other.subject_kind

    def object_ids(self, names: Sequence[str]) -> tuple[int, ...]:
        """Indices of object classes, increasing."""
        return tuple(sorted(map(self.vocabulary.objects.index, names)))


def _plain_vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    groups = [
        {f.name: list(value) if isinstance(value := getattr(group, f.name), tuple) else value for f in fields(group)}
        for group in vocabulary.groups
    ]
    return {"objects": list(vocabulary.objects), "subjects": list(vocabulary.subjects), "groups": groups}


def _schema(values: dict[str, Any]) -> Schema:
    return Schema(**values)
