"""The story of one room: several people fetch things, carry them, put them on tables, into boxes
and beside each other, sit down and look at one another.

Nobody's relation follows from classes alone: of two cups on one table one is taken by one of three
people, and whether a book is in a box, on it or beside it is seen in the picture only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vidsgg.datasets.synthetic import body
from vidsgg.datasets.synthetic.body import Points, Pose
from vidsgg.datasets.synthetic.placement import Placement
from vidsgg.datasets.synthetic.rooms.kinds import KINDS_OF_ROOMS
from vidsgg.datasets.synthetic.rooms.story import Rest, RoomMoment, RoomStory, RoomThing

_STRIDE = 0.34  # body heights that a person walks from one moment to the next
_EVERY = 4  # pictures between two moments
_REACH = 0.27  # how far from a thing a person stands who takes it or puts it down
_NEAR = 0.1  # things on one surface with a smaller gap between them are next to each other
_SIDE_BY_SIDE = 0.6  # so are people whose hips are nearer than this
_OPENING = 0.45  # how deep things in a container stand below its upper edge, as a share of its height
_SEAT = 0.46  # height of a chair's seat, as a share of the chair's


@dataclass
class _Person:
    """x: of the hips. facing: -1 or 1. held, seat: things, or None. eyes: number of the person or
    thing that is looked at. steps: what is done next, (word, number, x)."""

    x: float
    facing: int
    eyes: int
    held: int | None = None
    seat: int | None = None
    steps: list[tuple[str, int, float]] | None = None
    going: int | None = None  # number of what is walked to
    reach: Points | None = None  # where the hands are, if they do something


def write_room(rng: np.random.Generator, moments: int) -> RoomStory:
    """A story of ``moments`` annotated moments, one in every four pictures."""
    director = _Room(rng)
    told = [director.moment(_EVERY * i) for i in range(moments)]
    return RoomStory(
        len(director.people), tuple(director.things), tuple(told), _EVERY * (moments - 1) + 1, director.wide
    )


def _choose_things(rng: np.random.Generator, wide: float) -> list[RoomThing]:
    """A table or a shelf, perhaps both, a chair, one or two containers, and two to four things to
    carry; of some classes two."""

    def some(roles: Sequence[str], count: int) -> list[RoomThing]:
        names = [name for name, kind in KINDS_OF_ROOMS.items() if kind.role in roles]
        weights = np.array([KINDS_OF_ROOMS[name].weight for name in names])
        found = []
        for name in rng.choice(names, count, p=weights / weights.sum()).tolist():
            kind = KINDS_OF_ROOMS[name]
            size = (float(rng.uniform(*kind.width)), float(rng.uniform(*kind.height)))
            found.append(RoomThing(name, *size, open=kind.role == "container" and rng.random() < 0.75))
        return found

    surfaces = some(["surface"], 1 + int(rng.random() < 0.5))
    chairs = some(["seat"], int(rng.random() < 0.75))
    while sum(thing.width for thing in (*surfaces, *chairs)) > wide - 0.9:
        (chairs or surfaces).pop()
    return [
        *surfaces,
        *chairs,
        *some(["container"], 1 + int(rng.random() < 0.5)),
        *some(["portable"], 2 + int(rng.integers(3))),
    ]


class _Room:
    """Carries the state of the room from moment to moment."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.wide = float(rng.uniform(2.6, 2.9))
        self.things = _choose_things(rng, self.wide)
        people = 2 + int(rng.random() < 0.4)
        self.rests = [Rest("floor") for _ in self.things]
        self.x = self._stand_furniture()
        self.people = [_Person(x, int(rng.choice((-1, 1))), 0) for x in self._apart(people)]
        for p, person in enumerate(self.people):
            person.eyes = self._someone_else(p)
        for i in self._movable(containers=True):
            self._lay(i, floor=self.things[i].kind.role == "container" and rng.random() < 0.6)
        for i in self._movable(containers=False):
            self._lay(i, floor=False)

    # -- where things are

    def _movable(self, *, containers: bool) -> list[int]:
        role = "container" if containers else "portable"
        return [i for i, thing in enumerate(self.things) if thing.kind.role == role]

    def _stand_furniture(self) -> list[float]:
        """x of every thing: furniture side by side in any order, the rest is laid later."""
        rng, x = self.rng, [0.0 for _ in self.things]
        standing = [i for i, thing in enumerate(self.things) if thing.kind.role in ("surface", "seat")]
        spare = self.wide - 0.5 - sum(self.things[i].width for i in standing)
        gaps = rng.dirichlet(np.ones(len(standing) + 1)) * spare
        at = -self.wide / 2 + 0.25
        for gap, i in zip(gaps, rng.permutation(standing).tolist(), strict=False):
            at += float(gap)
            x[i] = at + self.things[i].width / 2
            at += self.things[i].width
        return x

    def _apart(self, people: int) -> list[float]:
        places = np.linspace(-self.wide / 2 + 0.35, self.wide / 2 - 0.35, people)
        return [float(x) for x in self.rng.permutation(places) + self.rng.normal(0, 0.05, people)]

    def _lay(self, i: int, *, floor: bool) -> None:
        """Put a thing somewhere where there is room for it."""
        hosts = [] if floor else [h for h in self.rng.permutation(len(self.things)).tolist() if self._can_bear(h, i)]
        # What has something else on it is chosen more often, so that things come to lie side by side.
        hosts.sort(key=lambda h: -sum(rest.of == h for rest in self.rests) * float(self.rng.random() < 0.5))
        for host in hosts:
            if (x := self._room_on(host, i)) is not None:
                self.rests[i] = Rest("inside" if self.things[host].open else "on", host)
                self.x[i] = x
                return
        self.rests[i], self.x[i] = Rest("floor"), self._room_on_floor(i)

    def _can_bear(self, host: int, i: int) -> bool:
        """Whether thing ``i`` may be put on or into ``host``: never two deep, and nothing large."""
        thing, other = self.things[i], self.things[host]
        if host == i or other.kind.role in ("seat", "portable") or self.rests[host].how == "hold":
            return False
        if other.kind.role == "container":
            return thing.kind.role == "portable" and thing.width < other.width - 0.1
        return True

    def _room_on(self, host: int, i: int) -> float | None:
        """x for thing ``i`` on or in ``host``, or None if it is full."""
        thing, other = self.things[i], self.things[host]
        margin = (0.05 if other.open else 0.0) + thing.width / 2
        low, high = self.x[host] - other.width / 2 + margin, self.x[host] + other.width / 2 - margin
        neighbours = [
            j for j, rest in enumerate(self.rests) if rest.of == host and rest.how in ("on", "inside") and j != i
        ]
        for _ in range(8 if low < high else 0):
            x = float(self.rng.uniform(low, high))
            if neighbours and self.rng.random() < 0.5:  # beside what is there
                j = int(self.rng.choice(neighbours))
                gap = (self.things[j].width + thing.width) / 2 + float(self.rng.uniform(0.01, 0.07))
                x = self.x[j] + gap * float(self.rng.choice((-1, 1)))
            free = all(abs(x - self.x[j]) > (self.things[j].width + thing.width) / 2 for j in neighbours)
            if low <= x <= high and free:
                return x
        return None

    def _room_on_floor(self, i: int) -> float:
        others = [j for j, rest in enumerate(self.rests) if j != i and rest.how == "floor"]
        reach = self.wide / 2 - 0.3
        places = self.rng.uniform(-reach, reach, 12).tolist()
        small = [j for j in others if self.things[j].kind.role in ("container", "portable")]

        def room(x: float) -> float:
            return min(
                (abs(x - self.x[j]) - (self.things[j].width + self.things[i].width) / 2 for j in small), default=1.0
            )

        return float(max(places, key=lambda x: min(room(x), 0.02)))

    def _placement(self, i: int) -> Placement:
        thing, rest = self.things[i], self.rests[i]
        w, h, x = thing.width, thing.height, self.x[i]
        if rest.how == "hold":
            person = self.people[rest.of]
            hands = self._hands_of(person)
            low = -0.06 if thing.kind.role == "container" else -0.02
            return Placement(float(hands[0]) + person.facing * 0.06, float(hands[1]) + low, 0.06, w, h)
        if rest.how == "floor":
            dz = 0.2 if thing.kind.role in ("container", "portable") else -0.3
            return Placement(x, 0.12 * dz - h / 2 + 0.02, dz, w, h)
        host = self._placement(rest.of)
        top = float(host.box[1])
        if rest.how == "inside":
            return Placement(x, top + _OPENING * host.height - h / 2, host.dz + 0.001, w, h)
        return Placement(x, top + 0.03 - h / 2, host.dz + 0.01, w, h)

    # -- what people do

    def _someone_else(self, p: int) -> int:
        """Number of a person or a thing other than person ``p``."""
        others = [q for q in range(len(self.people)) if q != p]
        if self.rng.random() < 0.55:
            return int(self.rng.choice(others))
        return len(self.people) + int(self.rng.integers(len(self.things)))

    def _stand_by(self, person: _Person, x: float) -> float:
        """Where a person stands who handles something at ``x``: on the side that it comes from, if
        that is in the room."""
        side = 1.0 if person.x > x else -1.0
        reach = self.wide / 2 - 0.25
        return x + side * _REACH if abs(x + side * _REACH) <= reach else x - side * _REACH

    def _root(self, i: int) -> int:
        """What a thing stands on, and that on, down to the floor or into a hand."""
        while self.rests[i].how in ("on", "inside"):
            i = self.rests[i].of
        return i

    def _free(self, i: int) -> bool:
        """Whether nobody has a thing, what it is in, or anything in it, or is about to."""
        wanted = {step[1] for person in self.people for step in person.steps or () if step[0] in ("take", "put")}
        bearing = [j for j, rest in enumerate(self.rests) if rest.of == i and rest.how in ("on", "inside")]
        return self.rests[self._root(i)].how == "floor" and not wanted & {i, *bearing, self.rests[i].of}

    def _plan(self, p: int) -> list[tuple[str, int, float]]:
        """What person ``p`` does next, as (word, number of a person or thing, x)."""
        rng, person, count = self.rng, self.people[p], len(self.people)
        if person.held is not None:
            return self._put_down(p, person.held)
        dice = rng.random()
        movable = [
            i for i, thing in enumerate(self.things) if thing.kind.role in ("portable", "container") and self._free(i)
        ]
        movable = [i for i in movable if not any(r.of == i and r.how == "on" for r in self.rests)]
        if dice < 0.55 and movable:
            i = int(rng.choice(movable))
            at = self._root(i)
            return [("go", count + at, self._stand_by(person, self.x[i])), ("take", i, 0.0), ("wait", i + count, 0.0)]
        seats = [
            i
            for i, thing in enumerate(self.things)
            if thing.kind.role == "seat"
            and all(q.seat != i and (q.steps or [("", -1, 0.0)])[-1][1] != i for q in self.people)
        ]
        if dice < 0.78 and seats:
            i = int(rng.choice(seats))
            rest: list[tuple[str, int, float]] = [("sit", i, 0.0)]
            return [("go", count + i, self.x[i]), *rest * int(rng.integers(2, 5))]
        if dice < 0.9:
            q = int(rng.choice([q for q in range(count) if q != p]))
            side = 1.0 if person.x > self.people[q].x else -1.0
            place = float(np.clip(self.people[q].x + 0.42 * side, 0.25 - self.wide / 2, self.wide / 2 - 0.25))
            talk: list[tuple[str, int, float]] = [("wait", q, 0.0)]
            return [("go", q, place), *talk * int(rng.integers(1, 4))]
        return [("wait", self._someone_else(p), 0.0)] * int(rng.integers(1, 3))

    def _put_down(self, p: int, i: int) -> list[tuple[str, int, float]]:
        """Steps that end with thing ``i`` on something, in something or on the floor. The place is
        chosen when the person is there."""
        hosts = [
            h for h in range(len(self.things)) if self._can_bear(h, i) and self.rests[self._root(h)].how == "floor"
        ]
        if hosts and self.rng.random() < (0.9 if self.things[i].kind.role == "portable" else 0.5):
            vessels = [h for h in hosts if self.things[h].open]
            host = int(self.rng.choice(vessels if vessels and self.rng.random() < 0.5 else hosts))
            x = self._room_on(host, i)
            if x is not None:
                at = len(self.people) + self._root(host)
                return [
                    ("go", at, self._stand_by(self.people[p], x)),
                    ("put", i, float(host)),
                    ("wait", len(self.people) + i, 0.0),
                ]
        x = self._room_on_floor(i)
        return [("go", -1, self._stand_by(self.people[p], x)), ("put", i, -1.0), ("wait", len(self.people) + i, 0.0)]

    def _act(self, p: int) -> None:
        """One step of person ``p``."""
        person, count = self.people[p], len(self.people)
        person.going, person.reach, person.seat = None, None, None
        if not person.steps:
            person.steps = self._plan(p)
        word, number, x = person.steps[0]
        if word == "go":
            way = x - person.x
            if abs(way) > 0.02:
                person.facing = 1 if way > 0 else -1
                person.x += float(np.clip(way, -_STRIDE, _STRIDE))
                arrived = abs(way) <= _STRIDE
                if number >= 0:
                    person.eyes = number
                    person.going = None if arrived else number
                if not arrived:
                    return
            person.steps.pop(0)
            return
        person.steps.pop(0)
        if word == "take":
            if self.rests[self._root(number)].how != "floor":  # somebody was faster
                person.steps = []
                return
            self._turn_to(person, self.x[number])
            at = self._placement(number)
            self.rests[number] = Rest("hold", p)
            person.held, person.eyes = number, count + number
            person.reach = at.centre + np.array([-0.06 * person.facing, -0.04])
            self._carry_along(number)
        elif word == "put":
            self._set_down(person, number, int(x))
        elif word == "sit":
            person.seat, person.x = number, self.x[number]
            if self.rng.random() < 0.4 or person.eyes == count + number:
                person.eyes = self._someone_else(p)
        else:
            person.eyes = number

    def _turn_to(self, person: _Person, x: float) -> None:
        person.facing = 1 if x > person.x else -1

    def _set_down(self, person: _Person, i: int, host: int) -> None:
        x = self._room_on(host, i) if host >= 0 and self._can_bear(host, i) and self.rests[host].how != "hold" else None
        near = x is not None and abs(x - person.x) < 0.7
        if x is not None and near and self.rests[self._root(host)].how == "floor":
            self.rests[i], self.x[i] = Rest("inside" if self.things[host].open else "on", host), x
        else:
            self.rests[i], self.x[i] = Rest("floor"), person.x + person.facing * _REACH
        person.held, person.eyes = None, len(self.people) + i
        self._turn_to(person, self.x[i])
        at = self._placement(i)
        person.reach = at.centre + np.array([-0.06 * person.facing, -at.height / 2])
        self._carry_along(i)

    def _carry_along(self, i: int) -> None:
        """Move what is in a thing to where the thing is."""
        inside = [j for j, rest in enumerate(self.rests) if rest.of == i and rest.how in ("on", "inside")]
        for n, j in enumerate(inside):
            self.x[j] = self._placement(i).x + (n - (len(inside) - 1) / 2) * 0.09

    # -- what it looks like

    def _hands_of(self, person: _Person) -> Points:
        """Where the hands of somebody are who holds something."""
        if person.reach is not None:
            return person.reach
        hip = self._hip(person)
        return np.array([hip[0] + 0.22 * person.facing, hip[1] - 0.06])

    def _hip(self, person: _Person) -> Points:
        if person.seat is not None:
            return np.array([person.x, -_SEAT * self.things[person.seat].height - 0.05])
        low = person.reach is not None and person.reach[1] > -0.28
        return np.array([person.x, -0.27 if low else body.STANDING_HIP])

    def _pose(self, person: _Person) -> Pose:
        f, x, side = person.facing, person.x, np.array([-1.0, 1.0])
        hip = self._hip(person)
        lean = 0.0
        if person.reach is not None:
            lean = float(np.clip((person.reach[0] - x) * 0.8, -0.35, 0.35))
        if person.seat is not None:
            feet = np.stack([x + f * np.array([0.17, 0.25]), [-0.03, -0.03]], 1)
        elif hip[1] > -0.3:
            feet = np.stack([x - f * 0.2 + side * 0.03, [-0.03, -0.03]], 1)
        else:
            feet = np.stack([x + side * (0.13 if person.going is not None else 0.04) + 0.03 * f, [-0.03] * 2], 1)
        hands = np.stack([x + f * np.array([0.03, 0.07]), [hip[1] + 0.05] * 2], 1)
        if person.held is not None or person.reach is not None:
            both = person.held is not None and self.things[person.held].width > 0.24
            hands[1 if f > 0 else 0] = self._hands_of(person)
            if both or person.reach is None:
                hands[0 if f > 0 else 1] = self._hands_of(person) + np.array([0.0, 0.05])
        return Pose(hip, lean, 0.7 * f, self._gaze(person, hip, lean), hands, feet, 1.0)

    def _gaze(self, person: _Person, hip: Points, lean: float) -> Points:
        head = hip + (body.TORSO + body.NECK) * body.spine(lean)
        count = len(self.people)
        if person.eyes < count:
            other = self.people[person.eyes]
            goal = self._hip(other) + (body.TORSO + body.NECK) * body.spine(0.0)
        else:
            goal = self._placement(person.eyes - count).centre
        way: Points = (goal - head) / max(float(np.hypot(*(goal - head))), 1e-6)
        return way

    def _face_what_is_seen(self, person: _Person) -> None:
        """Somebody who stands or sits turns towards what is looked at."""
        if person.going is None and person.reach is None and person.held is None:
            count = len(self.people)
            x = self.people[person.eyes].x if person.eyes < count else self._placement(person.eyes - count).x
            if abs(x - person.x) > 0.05:
                self._turn_to(person, x)

    # -- what holds

    def _relations(self, placements: Sequence[Placement]) -> list[tuple[int, str, int]]:
        count, found = len(self.people), list[tuple[int, str, int]]()
        for p, person in enumerate(self.people):
            found.append((p, "look_at", person.eyes))
            if person.held is not None:
                found.append((p, "hold", count + person.held))
            if person.seat is not None:
                found.append((p, "sit_on", count + person.seat))
            if person.going is not None:
                found.append((p, "walk_to", person.going))
        for i, rest in enumerate(self.rests):
            if rest.how in ("on", "inside"):
                found.append((count + i, rest.how, count + rest.of))
        for one, other in self._neighbours(placements):
            found += [(one, "next_to", other), (other, "next_to", one)]
        return sorted(found)

    def _neighbours(self, placements: Sequence[Placement]) -> list[tuple[int, int]]:
        """People side by side, and things with one below them and a small gap between them."""
        count, found = len(self.people), []
        still = [p for p, person in enumerate(self.people) if person.going is None]
        found += [
            (p, q) for p in still for q in still if p < q and abs(self.people[p].x - self.people[q].x) < _SIDE_BY_SIDE
        ]
        for i, rest in enumerate(self.rests):
            for j in range(i):
                if rest.how == "hold" or rest != self.rests[j]:
                    continue
                one, other = placements[i].box, placements[j].box
                gap = max(one[0], other[0]) - min(one[2], other[2])
                if rest.how == "inside" or -0.02 < gap < _NEAR:
                    found.append((count + j, count + i))
        return found

    def moment(self, frame: int) -> RoomMoment:
        """The next annotated moment."""
        for p in self.rng.permutation(len(self.people)).tolist():
            self._act(p)
        for person in self.people:
            if person.held is not None:
                self._carry_along(person.held)
            self._face_what_is_seen(person)
        placements = tuple(self._placement(i) for i in range(len(self.things)))
        poses = tuple(self._pose(person) for person in self.people)
        return RoomMoment(frame, poses, placements, tuple(self.rests), tuple(self._relations(placements)))
