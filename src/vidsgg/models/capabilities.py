"""What a model can do, stated by its method and checked before a run starts. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from vidsgg.errors import ConfigError
from vidsgg.structures.schema import Schema

if TYPE_CHECKING:
    from vidsgg.ops.detections import RawDetections


@dataclass(frozen=True)
class Capabilities:
    """modes: the tasks it solves by the kind of the schema's subjects, "entity" or "action"; a kind
    that is missing it cannot read.
    visual: it reads features of the pictures where there are any. counting: it is fitted by one
    pass of ``observe(clip)`` over the training videos instead of gradient descent. recomputable:
    names of its module lists whose layers -grad_checkpointing may run twice.
    raw_detections: in SGDET it is scored on detections as they are found, with open pairs, and
    classifies, cleans and pairs them itself; "any" if it may copy any of them, see
    ``ops/detections.py``. classes: it reads the classes of subjects and objects. pictures: it reads the
    pictures themselves (``Clip.pictures``) and needs no detector.
    all_subjects: it compares the subjects of a frame; all others are shown one subject at a time
    where a frame has several. looks_back: frames before a frame's own from which its result follows;
    None where more of the video may decide it.
    layout: it could read features, but is to read boxes and classes alone (-features layout).
    """

    modes: Mapping[str, tuple[str, ...]]
    visual: bool = True
    counting: bool = False
    recomputable: tuple[str, ...] = ()
    raw_detections: RawDetections = False
    classes: bool = True
    pictures: bool = False
    all_subjects: bool = False
    looks_back: int | None = None
    layout: bool = False

    def as_layout(self, model: str) -> Capabilities:
        """What the network can do where it is made to read boxes and classes alone. Raises ConfigError
        if it cannot be."""
        if self.pictures:
            raise ConfigError(
                f"option -features: model {model!r} reads the pictures themselves, so there is nothing of it that could"
                " read boxes and classes alone; leave 'layout' out, or take another model."
            )
        return replace(self, visual=False, raw_detections=False, layout=True)

    def check(self, model: str, mode: str, schema: Schema) -> None:
        """Raises ConfigError naming what the model or the data set lacks."""
        if mode not in schema.modes:
            raise ConfigError(f"data set {schema.name!r} has no mode {mode!r}; it has {', '.join(schema.modes)}.")
        kind = schema.subject_kind
        if kind not in self.modes:
            raise ConfigError(f"model {model!r} does not work on {schema.name!r}, whose subjects are of kind {kind!r}.")
        if mode not in self.modes[kind]:
            raise ConfigError(
                f"model {model!r} has no mode {mode!r} on {schema.name!r}; it has {', '.join(self.modes[kind])}."
            )
        if self.layout and mode == "sgcls" and schema.subject_has_box:
            raise ConfigError(
                "option -features: with 'layout' a model reads boxes and classes alone, and mode 'sgcls' hides the classes"
                " of given boxes, which only pictures tell; use mode predcls, or sgdet, where the detector tells them."
            )

    def needs_detector(self, mode: str) -> bool:
        """Whether pictures have to be looked at: for the model's features, or because somebody has
        to guess what is in them."""
        return not self.pictures and (self.visual or mode != "predcls")

    def reads_boxes(self, mode: str) -> bool:
        """Whether boxes and classes are all that it reads, so that any detector of boxes will do."""
        return not (self.visual or self.pictures) and mode != "sgcls"
