"""What is in a room, moment by moment: where people and things are, and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass

from vidsgg.datasets.synthetic.body import Pose
from vidsgg.datasets.synthetic.placement import Placement
from vidsgg.datasets.synthetic.rooms.kinds import KINDS_OF_ROOMS, PERSON, RoomKind

PLACE = ("on", "inside", "next_to")
ACT = ("hold", "look_at", "sit_on", "walk_to")


@dataclass(frozen=True)
class RoomThing:
    """One thing of the video. width, height: in body heights. open: of containers, whether things
    can be inside; a closed one bears them."""

    name: str
    width: float
    height: float
    open: bool = False

    @property
    def kind(self) -> RoomKind:
        return KINDS_OF_ROOMS[self.name]


@dataclass(frozen=True)
class Rest:
    """Where a thing is. how: "floor"; "on" or "inside" the thing ``of``; "hold" by the person
    ``of``."""

    how: str
    of: int = -1


@dataclass(frozen=True)
class RoomMoment:
    """One annotated moment. frame: index in the video, from 0. poses: of the people. placements and
    rests: of the things. relations: (subject, predicate, object); people are counted first, things
    after them."""

    frame: int
    poses: tuple[Pose, ...]
    placements: tuple[Placement, ...]
    rests: tuple[Rest, ...]
    relations: tuple[tuple[int, str, int], ...]


@dataclass(frozen=True)
class RoomStory:
    """A whole video of ``frames`` pictures. wide: how much of the room is seen, in body heights."""

    people: int
    things: tuple[RoomThing, ...]
    moments: tuple[RoomMoment, ...]
    frames: int
    wide: float

    @property
    def classes(self) -> tuple[str, ...]:
        """Of people and things, in the order of relations."""
        return (PERSON,) * self.people + tuple(thing.name for thing in self.things)
