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
    """What a model reads, and which tasks it solves."""

    #: The tasks that it solves, by the kind of the schema's subjects, ``entity`` or ``action``. It does
    #: not support a kind that is missing.
    modes: Mapping[str, tuple[str, ...]]
    visual: bool = True  #: it reads features of the pictures, if there are any
    #: It is fitted by one pass of ``observe(clip)`` over the training videos instead of gradient descent.
    counting: bool = False
    #: Names of its module lists whose layers ``-grad_checkpointing`` may compute twice.
    recomputable: tuple[str, ...] = ()
    #: In SGDET it reads raw detections with open pairs, and classifies, cleans and pairs them itself;
    #: ``any`` if it may copy any of them, see ``ops/detections.py``.
    raw_detections: RawDetections = False
    classes: bool = True  #: it reads the classes of subjects and objects
    pictures: bool = False  #: it reads the pictures themselves (``Clip.pictures``) and needs no detector
    #: It compares the subjects of a frame. Other models see one subject at a time if a frame has several.
    all_subjects: bool = False
    #: Its result for a frame depends on this many frames before it; None if on more of the video.
    looks_back: int | None = None
    layout: bool = False  #: it must read boxes and classes alone (``-features layout``)

    def as_layout(self, model: str) -> Capabilities:
        """The capabilities of the network if it reads boxes and classes alone. Raises ConfigError if
        it cannot."""
        if self.pictures:
            raise ConfigError(
                f"option -features: model {model!r} reads the pictures themselves and cannot read boxes and classes"
                " alone; leave 'layout' out, or use another model."
            )
        return replace(self, visual=False, raw_detections=False, layout=True)

    def check(self, model: str, mode: str, schema: Schema) -> None:
        """Check that the model works in a mode on a data set. Raises ConfigError naming what is
        missing."""
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
                "option -features: with 'layout' a model reads boxes and classes alone, and mode 'sgcls' hides the"
                " classes of given boxes, which only pictures reveal; use mode predcls, or sgdet, where the detector"
                " finds them."
            )

    def needs_detector(self, mode: str) -> bool:
        """Whether a mode needs a detector: for features, or to find objects and classes."""
        return not self.pictures and (self.visual or mode != "predcls")

    def reads_boxes(self, mode: str) -> bool:
        """Whether boxes and classes are all that it reads, so that any detector of boxes will do."""
        return not (self.visual or self.pictures) and mode != "sgcls"
