"""What can be said about a video: the classes of things and the predicates between them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from vidsgg.errors import DataError, short

BACKGROUND = "__background__"

Kind = Literal["single", "multi"]
Direction = Literal["subject->object", "object->subject"]


def _check_names(where: str, names: tuple[str, ...]) -> None:
    if not names:
        raise DataError(f"{where} is empty; give at least one name.")
    seen: set[str] = set()
    for position, name in enumerate(names):
        if not name or name != name.strip():
            raise DataError(
                f"{where}: name {position} is {short(name)}; remove the empty line or the white space around it."
            )
        if name in seen:
            raise DataError(f"{where}: {short(name)} occurs twice (again at position {position}); keep one of them.")
        seen.add(name)


@dataclass(frozen=True)
class PredicateGroup:
    """Predicates that compete with each other for a pair.

    The last three fields tell how to read the group. They change neither labels nor features, so
    comparisons ignore them. Raises DataError if two fields contradict each other.
    """

    name: str  #: name of the group
    predicates: tuple[str, ...]  #: names of its predicates
    #: ``single``: exactly one predicate of the group holds for a pair (softmax, cross entropy).
    #: ``multi``: any number (sigmoid).
    kind: Kind = "multi"
    #: How the triplet is written. Action Genome's spatial predicates point from the object to the person.
    direction: Direction = "subject->object"
    #: Predicates that hold for only one pair of a label unit, such as EASG's direct object ``dobj``.
    exclusive: tuple[str, ...] = ()
    #: The predicate of a ``multi`` group which says that none of the others holds, such as Action
    #: Genome's ``not_contacting``.
    negative: str | None = field(default=None, compare=False)
    #: Least probability (0..1) of predicates that are shown in graphs of people's own videos.
    shown_from: float = field(default=0.5, compare=False)
    #: Predicates that are shown only on request, because they say that nothing holds or is known.
    on_request: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        where = f"predicate group {short(self.name)}"
        _check_names(where, self.predicates)
        if self.kind not in ("single", "multi"):
            raise DataError(f"{where}: kind is {short(self.kind)}; use 'single' or 'multi'.")
        if self.direction not in ("subject->object", "object->subject"):
            raise DataError(
                f"{where}: direction is {short(self.direction)}; use 'subject->object' or 'object->subject'."
            )
        for name in self.exclusive:
            if name not in self.predicates:
                raise DataError(
                    f"{where}: exclusive predicate {short(name)} is not one of its predicates {self.predicates}."
                )
        for name in self.on_request:
            if name not in self.predicates:
                raise DataError(
                    f"{where}: {short(name)}, shown on request, is not one of its predicates {self.predicates}."
                )
        if not 0 <= self.shown_from <= 1:
            raise DataError(f"{where}: shown_from is {self.shown_from}, not a probability.")
        if self.negative is not None and (self.kind != "multi" or self.negative not in self.predicates):
            raise DataError(
                f"{where}: the negative predicate {short(self.negative)} must be one of {self.predicates} and the kind"
                f" 'multi', not {short(self.kind)}."
            )

    def __len__(self) -> int:
        return len(self.predicates)


@dataclass(frozen=True)
class Vocabulary:
    """Classes of objects and subjects, and the predicate groups.

    Raises DataError if a name is empty or occurs twice.
    """

    objects: tuple[str, ...]  #: class names by index; index 0 is always ``__background__``
    #: Classes of subjects. For subjects with a box these are names from ``objects`` (Action Genome:
    #: person); for actions they are verbs (EASG), indexed from 0.
    subjects: tuple[str, ...]
    #: In order; the global id of a predicate is its group's offset plus its index in the group.
    groups: tuple[PredicateGroup, ...]

    def __post_init__(self) -> None:
        _check_names("object classes", self.objects)
        _check_names("subject classes", self.subjects)
        if self.objects[0] != BACKGROUND:
            raise DataError(f"object classes: index 0 is {short(self.objects[0])}; it must be {short(BACKGROUND)}.")
        _check_names("predicate groups", tuple(group.name for group in self.groups))
        _check_names("predicates", self.predicates)

    @cached_property
    def predicates(self) -> tuple[str, ...]:
        """All predicate names by global id."""
        return tuple(name for group in self.groups for name in group.predicates)

    @cached_property
    def offsets(self) -> dict[str, int]:
        """Global id of the first predicate of every group."""
        offsets, start = {}, 0
        for group in self.groups:
            offsets[group.name] = start
            start += len(group)
        return offsets

    def group(self, name: str) -> PredicateGroup:
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(f"no predicate group {short(name)}; there are {[g.name for g in self.groups]}")
