"""Which recall is measured: one object that says everything, so that no two numbers are mixed
up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from vidsgg.errors import ConfigError
from vidsgg.structures.schema import Schema

Constraint = Literal["with", "semi", "no"]
SIDES = {"plus_one": "x2 - x1 + 1", "plain": "sides are x2 - x1"}  # how overlaps count them


@dataclass(frozen=True)
class Protocol:
    """How predictions of one task are turned into recall.

    name: the task in the words of the data set's own protocol.
    unit: what recall is averaged over, frames or events. Units without a true relation are left out
    of every average.
    match: "box+class", a candidate is right when predicate, both classes and both boxes agree;
    "class", the class triple is enough.
    iou: least overlap of a box with its true box (inclusive); None
    where boxes do not matter.
    constraints: "with", one predicate per pair and group; "semi", one of every single-label group
    and any number above
        ``semi_threshold`` (strictly) of the others; "no", as many as there are.
    ks: recall at these numbers of candidates, ascending.
    score: "product" or "sum" of the scores of subject, object and predicate.
    pool: Action Genome: the best ``pool`` candidates of a frame enter "no"; EASG: its caps on
    classes and relations are
        ceil(pool / ...).
    overlap: how the sides of boxes are counted: "plus_one", x2 - x1 + 1, or "plain", x2 - x1.
    subject_given, object_given: class matching only; whether these classes are read instead of
    predicted.
    """

    name: str
    unit: Literal["frame", "event"]
    match: Literal["box+class", "class"]
    iou: float | None
    constraints: tuple[Constraint, ...]
    ks: tuple[int, ...]
    score: Literal["product", "sum"]
    pool: int
    semi_threshold: float | None = None
    subject_given: bool = False
    object_given: bool = False
    overlap: Literal["plus_one", "plain"] = "plus_one"
    # Constraints whose candidates are not ordered by score but stay as they are made.
    unordered: tuple[Constraint, ...] = ()
    # Whether "no" takes a softmax of single-label probabilities once more.
    softmax_again: bool = False
    # A candidate that says the same as a better one goes if the product of the overlaps of both
    # boxes (sides + 1) is above this.
    suppress: float | None = None

    def __post_init__(self) -> None:
        if not self.ks or self.ks[0] < 1 or list(self.ks) != sorted(set(self.ks)):
            raise ConfigError(
                f"protocol {self.name!r}: ks is {self.ks}; give ascending positive numbers such as (10, 20, 50)."
            )
        if self.pool < self.ks[-1]:
            raise ConfigError(f"protocol {self.name!r}: pool is {self.pool}, less than the largest K {self.ks[-1]}.")
        if not self.constraints or len(set(self.constraints)) != len(self.constraints):
            raise ConfigError(
                f"protocol {self.name!r}: constraints are {self.constraints}; give each of those wanted once."
            )
        if (self.match == "box+class") != (self.iou is not None):
            raise ConfigError(
                f"protocol {self.name!r}: iou is {self.iou} for match {self.match!r}; only boxes have one."
            )
        if ("semi" in self.constraints) != (self.semi_threshold is not None):
            raise ConfigError(
                f"protocol {self.name!r}: semi_threshold is {self.semi_threshold} for constraints {self.constraints}."
            )

    def describe(self) -> str:
        """One line that tells exactly which recall this is."""
        match = (
            "class triples equal"
            if self.iou is None
            else f"predicate and classes equal, both boxes IoU >= {self.iou:g} ({SIDES[self.overlap]})"
        )
        words = {
            "with": "with = one predicate per pair and group",
            "semi": f"semi = also every one above {self.semi_threshold} of multi-label groups",
            "no": "no = any number",
        }
        return (
            f"{self.name}: R@K = share of the relations of each {self.unit} among its best K candidates, averaged over"
            f" {self.unit}s with a relation; {match}; score = {self.score} of subject, object and predicate;"
            f" {', '.join(words[constraint] for constraint in self.constraints)}{self._beside()}"
        )

    def _beside(self) -> str:
        """What is unlike other protocols, for ``describe``."""
        said = [f"; {', '.join(self.unordered)}: candidates are not sorted by score"] * bool(self.unordered)
        said += ["; no: softmax of single-label groups once more"] * self.softmax_again
        if self.suppress is not None:
            said.append(f"; of candidates that say the same those that overlap by more than {self.suppress} go")
        return "".join(said)


def named_protocol(name: Literal["own", "impartail", "oed"], schema: Schema, mode: str) -> Protocol:
    """The field's protocol, or how a method's authors score theirs on frames with one subject: only
    to be compared with their own tables.

    impartail: rohithpeddi/ImparTail ``lib/supervised/evaluation_recall.py``, where sorting is
    commented out. oed: guanw-pku/OED ``evaluate_recall.py``, with the suppression of its second
    stage. Raises ConfigError as ``protocol_for``, and for data of another shape.
    """
    own = protocol_for(schema, mode)
    if name == "own":
        return own
    if own.match != "box+class":
        raise ConfigError(
            f"option -protocol: {name} scores pairs of boxes, which data set {schema.name!r} does not have."
        )
    if name == "impartail":
        return replace(own, name=f"{mode}, as ImparTail scores", unordered=("with", "semi"), softmax_again=True)
    changes = {
        "name": f"{mode}, as OED scores",
        "overlap": "plain",
        "constraints": ("with", "no"),
        "semi_threshold": None,
    }
    suppression = {"suppress": 0.9, "pool": 500} if mode == "sgdet" else {}
    return replace(own, **changes, **suppression)  # type: ignore[arg-type]


def protocol_for(schema: Schema, mode: str) -> Protocol:
    """The field's protocol for a data set of this shape.

    Frames whose subjects have a box: Action Genome's (Ji et al. 2020, as evaluated by STTran).
    Events whose subject is an action: EASG's (Rodin et al. 2024). Raises ConfigError for a mode the
    schema lacks, or a shape without a protocol.
    """
    if mode not in schema.modes:
        raise ConfigError(f"data set {schema.name!r} has no mode {mode!r}; it has {', '.join(schema.modes)}.")
    if schema.unit == "frame" and schema.subject_kind == "entity":
        return Protocol(
            name=mode,
            unit="frame",
            match="box+class",
            iou=0.5,
            constraints=("with", "semi", "no"),
            ks=(10, 20, 50, 100) if schema.pairing == "annotated" else (20, 50, 100),
            score="product",
            pool=100,
            semi_threshold=0.9,
            overlap=schema.overlap,
        )
    if schema.unit == "event" and schema.subject_kind == "action":
        names = {
            "predcls": "edge classification",
            "sgcls": "scene graph classification",
            "sgdet": "action scene graph classification",
        }
        return Protocol(
            name=f"{mode} ({names[mode]})",
            unit="event",
            match="class",
            iou=None,
            constraints=("with", "no"),
            ks=(10, 20, 50),
            score="sum",
            pool=50,
            subject_given=mode in schema.subject_given,
            object_given=mode == "predcls",
        )
    raise ConfigError(
        f"data set {schema.name!r}: no recall is defined for units of one {schema.unit} with subjects of kind"
        f" {schema.subject_kind!r}; use frames with entities or events with actions."
    )
