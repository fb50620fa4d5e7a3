"""The story of one video: which things there are, and key by key what the person does with them.

Contacts follow the transition frequencies of the real data (``frequencies``); body, hands and
things are then put where these contacts happen, and the labels are read off that geometry
(``relations``). A contact that cannot be reached does not happen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vidsgg.datasets.action_genome import ATTENTION, SPATIAL
from vidsgg.datasets.action_genome_counts import frequencies
from vidsgg.datasets.synthetic import body
from vidsgg.datasets.synthetic.body import Points, Pose, Skeleton
from vidsgg.datasets.synthetic.one_person import relations
from vidsgg.datasets.synthetic.one_person.things import BEARING, GRIP, HAND, KINDS, MOUTH, OPENING, SEAT, WORN, Kind
from vidsgg.datasets.synthetic.placement import Placement

# How much of the step from one key to the next is drawn from the class's overall frequencies
# instead of what follows a contact: the transition tables are means over videos and would drift
# away from the overall frequencies otherwise.
_FORGET = 0.1
_APART = 0.7
_ACTING = ("wiping", "writing_on", "twisting")


@dataclass(frozen=True)
class Thing:
    """One object of the video. width, height: in body heights."""

    name: str
    width: float
    height: float

    @property
    def kind(self) -> Kind:
        return KINDS[self.name]


@dataclass(frozen=True)
class Relations:
    """Predicates of one thing at one key, by group."""

    attention: str
    spatial: tuple[str, ...]
    contacting: tuple[str, ...]


@dataclass(frozen=True)
class Key:
    """One annotated moment. frame: index in the video, from 0. Placements and relations stand in
    the order of the things."""

    frame: int
    pose: Pose
    placements: tuple[Placement, ...]
    relations: tuple[Relations, ...]


@dataclass(frozen=True)
class Plinth:
    """What a thing that is not held stands on: its top at (x, y), at depth dz."""

    x: float
    y: float
    dz: float
    width: float


@dataclass(frozen=True)
class Story:
    """A whole video: ``frames`` pictures, keys at some of them."""

    things: tuple[Thing, ...]
    keys: tuple[Key, ...]
    plinths: tuple[Plinth, ...]
    frames: int


def write_story(rng: np.random.Generator, keys: int) -> Story:
    """A story of ``keys`` annotated moments, two to five pictures apart."""
    director = _Director(rng, _choose_things(rng))
    gaps = rng.integers(2, 6, keys)
    frames = np.cumsum(gaps) - 1
    story = [director.key(int(frame)) for frame in frames]
    return Story(
        tuple(director.things), tuple(story), tuple(director.plinths), int(frames[-1]) + 1 + int(rng.integers(1, 4))
    )


def _choose_things(rng: np.random.Generator) -> list[Thing]:
    """One to five things of different classes that fit into one room."""
    wanted = int(rng.choice(5, p=[0.09, 0.31, 0.34, 0.19, 0.07])) + 1
    names = list(KINDS)
    weights = np.array([KINDS[name].weight for name in names])
    room = {"support": 1, "low": 1, "tall": 2, "portable": 2 + int(rng.random() < 0.2)}
    chosen: list[Thing] = []
    for i in rng.choice(len(names), len(names), replace=False, p=weights / weights.sum()):
        kind = KINDS[names[i]]
        if room[kind.role] == 0:
            continue
        room[kind.role] -= 1
        chosen.append(Thing(names[i], float(rng.uniform(*kind.width)), float(rng.uniform(*kind.height))))
        if len(chosen) == wanted:
            break
    return chosen


def _draw_spatial(rng: np.random.Generator, thing: Thing) -> tuple[str, ...]:
    """Spatial predicates to aim for, by the class's frequencies; never two that exclude each
    other."""
    shares = dict(zip(SPATIAL, frequencies()[thing.name].spatial, strict=True))
    if thing.name != "doorway":  # only a doorway encloses the person by where it stands; the others by being worn
        shares["in"] = 0.0
    while True:
        found = tuple(name for name, share in shares.items() if rng.random() < share)
        contradiction = (
            {"in_front_of", "behind"} <= set(found)
            or {"above", "beneath"} <= set(found)
            or ("in" in found and len(found) > 1)
        )
        if found and not contradiction:
            return found


def _offset(
    rng: np.random.Generator, slot: Collection[str], facing: int, reach_x: float, reach_z: float, near: bool
) -> Points:
    """(dx, dz) from the person that realises the sectors named in ``slot``, at most ``reach_x``
    aside and ``reach_z`` deep.

    near: whether depth, where the slot leaves it open, goes towards the viewer.
    """
    front, behind, side = ("in_front_of" in slot, "behind" in slot, "on_the_side_of" in slot)
    if front:
        low, high = (43, 52) if side else (0, 36)
    elif behind:
        low, high = (128, 137) if side else (147, 180)
    elif side:
        low, high = 62, 116
    else:
        return np.array([rng.uniform(-0.04, 0.04), 0.0])
    angle = np.radians(rng.uniform(low, high))
    ahead, aside = np.cos(angle), np.sin(angle)
    seen_from_the_side = (facing * ahead, aside if near else -aside)
    way = np.array(seen_from_the_side if facing else (aside * rng.choice((-1, 1)), ahead))
    reached: Points = way * min(reach_x / max(abs(way[0]), 1e-6), reach_z / max(abs(way[1]), 1e-6))
    return reached


class _Director:
    """Carries the state of the world from key to key."""

    def __init__(self, rng: np.random.Generator, things: Sequence[Thing]) -> None:
        self.rng = rng
        self.things = list(things)
        self.slots = [_draw_spatial(rng, thing) for thing in things]
        self.plinths: list[Plinth] = []
        # A tall thing in front of somebody who faces the viewer would hide the person: then the
        # person faces it, seen from the side.
        tall_ahead = any(
            t.kind.role == "tall" and "in_front_of" in slot for t, slot in zip(things, self.slots, strict=True)
        )
        self.facing = int(rng.choice((-1, 1))) if tall_ahead or rng.random() < 0.4 else 0
        self.may_turn = not tall_ahead
        # some arrive first
        self.x = float(rng.choice((-1, 1)) * rng.uniform(0.35, 0.55)) if rng.random() < 0.15 else 0.0
        self.head_side = int(rng.choice((-1, 1)))
        self.stride = int(rng.choice((-1, 1)))
        self.gaze = np.array([float(self.facing), 0.2])
        self.contacts: list[tuple[str, ...]] = [() for _ in things]
        self.looks = [self._draw_attention(thing) for thing in things]
        self.grips: list[Points | None] = [None for _ in things]
        # Furniture first: what stands on a table needs the table.
        order = sorted(range(len(things)), key=lambda i: things[i].kind.role == "portable")
        self.sites: dict[int, Placement] = {}
        for i in order:
            self.sites[i] = self._site(things[i], self.slots[i])

    # -- where things stand
    # -------------------------------------------------------------------------------------------------

    def _site(self, thing: Thing, slot: Collection[str]) -> Placement:
        rng, w, h = self.rng, thing.width, thing.height
        role = thing.kind.role
        if role == "support":
            aside = 0.3 * w if "on_the_side_of" in slot else 0.12
            dx, dz = _offset(rng, slot, self.facing, aside if "beneath" in slot else w / 2 + 0.2, 0.26, near=False)
            return Placement(dx, 0.06 - h / 2 + 0.12 * dz + (h / 2 if thing.name == "floor" else 0.0), dz, w, h)
        if role == "tall":
            if "in" in slot:
                dx, dz = float(rng.uniform(-0.05, 0.05)), -0.04
            else:
                dx, dz = _offset(rng, slot, self.facing, w / 2 + float(rng.uniform(0.2, 0.42)), 0.36, near=False)
                dz = min(dz, -0.05)
            base = (
                float(rng.uniform(1.0, 1.1)) - h / 2 + 0.08 if "above" in slot else float(rng.uniform(*thing.kind.base))
            )
            return Placement(dx, -base - h / 2 + (0.12 * dz if base < 0.05 else 0.0), dz, w, h)
        if role == "low":
            dx, dz = _offset(rng, slot, self.facing, w / 2 + float(rng.uniform(0.08, 0.25)), 0.36, near=True)
            return Placement(dx, 0.12 * dz - h / 2 + 0.02, dz, w, h)
        return self._portable_site(thing, slot)

    def _portable_site(self, thing: Thing, slot: Collection[str]) -> Placement:
        rng, w, h = self.rng, thing.width, thing.height
        dx, dz = _offset(
            rng, slot, self.facing, float(rng.uniform(0.28, 0.42)), float(rng.uniform(0.2, 0.3)), near=True
        )
        if "beneath" in slot or h > 0.5:  # brooms and vacuum cleaners stand on the floor as well
            dx = float(np.clip(dx, -w / 2, w / 2)) if "beneath" in slot else dx
            return Placement(dx, 0.04 + 0.12 * dz - h / 2, dz, w, h)
        if "above" in slot:
            y = -1.03 - h / 2
        else:
            for i, other in enumerate(self.things):
                table = self.sites.get(i)
                if (
                    other.kind.role == "low"
                    and table is not None
                    and ("in_front_of" in slot) == ("in_front_of" in self.slots[i])
                ):
                    x = float(np.clip(dx, table.box[0] + w / 2, table.box[2] - w / 2))
                    if self.facing == 0 and "on_the_side_of" not in slot:
                        x = float(np.clip(x, -0.7 * table.dz, 0.7 * table.dz))
                    return Placement(x, float(table.box[1]) - h / 2 + 0.02, table.dz + 0.01, w, h)
            y = -float(rng.uniform(0.30, 0.46)) - h / 2 + 0.12 * dz
        self.plinths.append(Plinth(float(dx), y + h / 2, float(dz), w * 0.55 + 0.05))
        return Placement(float(dx), y, float(dz), w, h)

    # -- what happens -------------------------------------------------------------------------------------------------------

    def _draw_attention(self, thing: Thing) -> str:
        return str(self.rng.choice(ATTENTION, p=np.array(shares := frequencies()[thing.name].attention) / sum(shares)))

    def _odds(self, i: int) -> dict[str, float]:
        """Probability of every contact of thing ``i`` at the next key."""
        table = frequencies()[self.things[i].name]
        rows: list[Mapping[str, float]] = [table.following[c] for c in self.contacts[i] if c in table.following]
        if not rows:
            return dict(table.contacting)
        names = {name for row in rows for name in row} | set(table.contacting)
        return {
            name: (
                (1 - _FORGET) * sum(row.get(name, 0.0) for row in rows) / len(rows)
                + _FORGET * table.contacting.get(name, 0.0)
            )
            for name in sorted(names)
        }

    def _possible(self, i: int, bearing: str, hands: int) -> set[str]:
        """Contacts that thing ``i`` can have, given what bears the person and the hands that are
        free."""
        thing = self.things[i]
        role, slot = thing.kind.role, self.slots[i]
        found = {"not_contacting", "other_relationship"}
        if hands:
            found |= {"touching", "wiping", "holding", "twisting", "writing_on"}
        if role == "support":
            if "beneath" in slot:
                found |= {*BEARING, "leaning_on"}
        elif role == "tall":
            found |= {"leaning_on"} if bearing == "" else set()
        elif role == "portable":
            if hands:
                found |= {*MOUTH} | ({"carrying"} if bearing in ("", "standing_on") else set())
            if thing.kind.wraps or thing.name == "shoe":
                found |= {"wearing"}
            if thing.kind.wraps:
                found |= {"covered_by"}
            found |= {"have_it_on_the_back"} if bearing != "lying_on" else set()
            if thing.name == "pillow" and bearing:
                found |= {"lying_on"} if bearing == "lying_on" else {"leaning_on"}
        return found

    def _draw_contacts(self, i: int, bearing: str, hands: int) -> tuple[str, ...]:
        rng = self.rng
        possible = self._possible(i, bearing, hands)
        odds = {name: p for name, p in self._odds(i).items() if name in possible and p > 0}
        # Contacts that find no hand or are out of reach end as "not contacting" too; drawing it
        # less often makes up for that.
        apart = _APART * odds.pop("not_contacting", 0.0)
        some = 1 - float(np.prod([1 - p for p in odds.values()]))
        if not odds or rng.random() * (some + apart) < apart:
            return ("not_contacting",)
        names = list(odds)
        shares = np.array([odds[name] for name in names])
        drawn = [name for name, p in odds.items() if rng.random() < p] or [
            str(rng.choice(names, p=shares / shares.sum()))
        ]

        def one_of(*rivals: Collection[str]) -> None:
            """Keep the contacts of one family of those that exclude each other."""
            present = [family for family in rivals if set(family) & set(drawn)]
            if len(present) > 1:
                p = np.array([max(odds[c] for c in family if c in drawn) for family in present])
                keep = present[int(rng.choice(len(present), p=p / p.sum()))]
                drawn[:] = [c for c in drawn if c in keep or not any(c in family for family in present)]

        # The frequencies let somebody who lies also sit; whoever lies stays lying then.
        if kept := set(BEARING) & set(drawn) & set(self.contacts[i]):
            drawn[:] = [c for c in drawn if c not in BEARING or c in kept]
        one_of(*((c,) for c in BEARING))
        if self.things[i].kind.role == "portable":
            one_of(*((c,) for c in WORN), HAND, ("other_relationship",), ("leaning_on",), ("lying_on",))
            one_of(("carrying",), ("holding", *MOUTH), ("writing_on",))
            if set(MOUTH) & set(drawn) and "holding" not in drawn:
                drawn.append("holding")
        elif "leaning_on" in drawn and self.things[i].kind.role == "support" and not set(BEARING) & set(drawn):
            drawn.remove("leaning_on")
        used = [c for c in ("touching", *_ACTING) if c in drawn]
        for name in used[: max(0, len(used) + bool(set(GRIP) & set(drawn)) - hands)]:
            drawn.remove(name)
        return tuple(drawn) or ("not_contacting",)

    def key(self, frame: int) -> Key:
        """The next annotated moment."""
        rng = self.rng
        wanted = self._plan()
        bearer = next(
            (i for i, c in enumerate(wanted) if self.things[i].kind.role == "support" and set(BEARING) & set(c)), None
        )
        moved = self._walk(wanted, bearer)
        if self.may_turn and bearer is None and rng.random() < 0.04:
            self.facing = int(rng.choice([f for f in (-1, 0, 1) if f != self.facing]))
            self.grips = [None for _ in self.things]
        pose = self._posture(wanted, bearer, moved)
        placements = [self._place(i, wanted[i], pose) for i in range(len(self.things))]
        pose, contacts = self._hands(wanted, pose, placements)
        self.contacts = contacts
        joints = body.skeleton(pose)
        self._look(joints, placements)
        pose = replace(pose, gaze=self.gaze)
        # Somebody who lies faces upwards; ahead is then where the viewer is.
        facing = 0 if abs(pose.lean) > 1 else self.facing
        found = [
            Relations(
                relations.attention(relations.gaze_angle(joints.head, self.gaze, placement)),
                relations.spatial(joints, facing, placement),
                contact,
            )
            for placement, contact in zip(placements, contacts, strict=True)
        ]
        return Key(frame, pose, tuple(placements), tuple(found))

    def _plan(self) -> list[tuple[str, ...]]:
        """Contacts to aim for: what bears the person first, then what is already in the hands, as
        long as there are hands."""
        rng, things = self.rng, self.things
        wanted: list[tuple[str, ...]] = [("not_contacting",) for _ in things]
        bearing, hands, worn = "", 2, False
        rank = {
            i: (things[i].kind.role != "support", not set(self.contacts[i]) & set(HAND), rng.random())
            for i in range(len(things))
        }
        for i in sorted(rank, key=lambda i: rank[i]):
            drawn = self._draw_contacts(i, bearing, hands)
            if worn and set(drawn) & {"wearing", "covered_by"}:  # one robe or blanket at a time
                drawn = ("not_contacting",)
            worn |= bool(set(drawn) & {"wearing", "covered_by"}) and things[i].kind.wraps
            if things[i].kind.role == "support":
                bearing = next((c for c in drawn if c in BEARING), "")
            hands -= bool(set(GRIP) & set(drawn)) + sum(c in drawn for c in ("touching", *_ACTING))
            hands = max(hands, 0)
            wanted[i] = drawn
        return wanted

    def _walk(self, wanted: Sequence[tuple[str, ...]], bearer: int | None) -> bool:
        """Move the person along; True if it walks."""
        rng = self.rng
        free = bearer is None or self.things[bearer].name == "floor"
        if any("carrying" in c for c in wanted) and free:
            if abs(self.x + self.stride * 0.2) > 0.42:
                self.stride = -self.stride
            self.x += self.stride * float(rng.uniform(0.13, 0.22))
            return True
        if abs(self.x) < 0.02:
            return False
        step = float(np.clip(-self.x, -0.25, 0.25))
        if free and rng.random() < 0.35 and abs(self.x) < 0.3:  # stays where it is for a while
            return False
        self.x = self.x + step if free else 0.0
        return True

    def _posture(self, wanted: Sequence[tuple[str, ...]], bearer: int | None, moved: bool) -> Pose:
        rng, f, x = self.rng, self.facing, self.x
        side = np.array([-1.0, 1.0])
        act = next((c for c in wanted[bearer] if c in BEARING), "") if bearer is not None else ""
        site = self.sites[bearer] if bearer is not None else None
        seat = (
            max(0.03, -float(site.y) + site.height / 2 - (1 - SEAT[self.things[bearer].name]) * site.height)
            if site and bearer is not None
            else 0.0
        )
        if bearer is not None and self.things[bearer].name == "floor":
            seat = 0.03
        lean, thigh = float(rng.normal(0, 0.02)), 1.0
        if act == "lying_on" and site is not None:
            head = self.head_side
            hip = np.array([site.x - head * 0.12, -seat - 0.05])
            feet = hip + np.array([[-head * 0.45, 0.015], [-head * 0.44, -0.03]])
            hands = hip + np.array([[head * 0.02, 0.02], [head * 0.05, -0.05]])
            return Pose(hip, head * (np.pi / 2 - 0.08), 0.0, self.gaze, hands, feet, 1.0)
        if act == "sitting_on":
            hip = np.array([x, -seat - 0.05])
            low = seat < 0.12
            if f:
                feet = np.stack(
                    [x + f * np.array([0.30, 0.36]) if low else x + f * np.array([0.17, 0.25]), [-0.03, -0.03]], 1
                )
            else:
                feet = np.stack([x + side * (0.17 if low else 0.08), [-0.03, -0.03]], 1)
                thigh = 0.55
            hands = np.stack([hip[0] + (f * np.array([0.15, 0.19]) if f else 0.13 * side), [hip[1] - 0.03] * 2], 1)
        elif self._must_kneel(wanted, bearer, act):
            hip = np.array([x, -0.27])
            feet = np.stack([x - f * 0.2 + side * (0.03 if f else 0.09), [-0.03, -0.03]], 1)
            thigh = 1.0 if f else 0.6
            hands = np.stack([x + (f * np.array([0.12, 0.16]) if f else 0.17 * side), [hip[1]] * 2], 1)
        else:
            raised = seat if act == "standing_on" and seat > 0.1 else 0.0
            stride = 0.13 if moved else 0.03 if f else 0.075
            hip = np.array([x, body.STANDING_HIP - raised])
            feet = np.stack([x + side * stride + 0.03 * f, [-0.03 - raised] * 2], 1)
            hands = np.stack([x + (f * np.array([0.03, 0.07]) if f else 0.18 * side), [hip[1] + 0.05] * 2], 1)
        if any("leaning_on" in c for c in wanted):
            lean = self._lean(wanted)
        for i, contact in enumerate(wanted):  # a foot or a knee against it
            if (
                "other_relationship" in contact
                and self.things[i].kind.role != "portable"
                and self.things[i].name != "floor"
            ):
                leg = 0 if self.sites[i].x < x else 1
                feet[leg] = self.sites[i].nearest(hip + np.array([0.0, 0.22]))
        return Pose(hip, lean, float(f), self.gaze, hands, feet, thigh)

    def _must_kneel(self, wanted: Sequence[tuple[str, ...]], bearer: int | None, act: str) -> bool:
        """Whether a standing person has to go down for what it wants to touch."""
        if act == "standing_on":
            return False
        for i, contact in enumerate(wanted):
            low = self.things[i].name == "floor" or float(self.sites[i].box[1]) > -0.36
            reaches = set(contact) & {
                "touching",
                *_ACTING,
                "other_relationship" if self.things[i].name == "floor" else "touching",
            }
            if low and reaches and not set(contact) & set(GRIP) and bearer in (None, i):
                return True
        return False

    def _lean(self, wanted: Sequence[tuple[str, ...]]) -> float:
        """Angle of a spine that leans on something: backwards on what is behind, else towards
        it."""
        i = next(i for i, c in enumerate(wanted) if "leaning_on" in c)
        if self.facing:
            return -0.24 * self.facing
        return 0.22 * (
            self.head_side if abs(self.sites[i].x - self.x) < 0.1 else float(np.sign(self.sites[i].x - self.x))
        )

    # -- where things are now
    # -----------------------------------------------------------------------------------------------

    def _place(self, i: int, contact: tuple[str, ...], pose: Pose) -> Placement:
        thing, site, f = self.things[i], self.sites[i], self.facing
        joints = body.skeleton(pose)
        flat = abs(pose.lean) > 1
        middle = (joints.neck + pose.hip) / 2
        if thing.kind.role != "portable":
            enclosing = "in" in self.slots[i] and abs(site.x - pose.hip[0]) < site.width / 2 - 0.1
            return replace(
                site,
                opened="holding" in contact and thing.name in OPENING,
                enclosing=enclosing,
                bearing=bool(set(contact) & set(BEARING)),
                angle=float(self.rng.choice((-0.5, 0.5))) if "twisting" in contact else 0.0,
            )
        if "wearing" in contact and thing.name == "shoe":
            foot = joints.feet[1]
            return Placement(float(foot[0]) + 0.03 * (f or 1), float(foot[1]) - 0.005, 0.1, thing.width, thing.height)
        if "wearing" in contact:
            width = 2 * body.shoulder_width(pose.facing) + 0.1
            return Placement(
                float(middle[0]), float(middle[1]), 0.03, width, body.TORSO + 0.1, pose.lean, enclosing=True
            )
        if "covered_by" in contact:
            if flat:
                return Placement(
                    float(pose.hip[0]) - 0.1 * self.head_side,
                    float(pose.hip[1]) - 0.02,
                    0.04,
                    0.75,
                    0.2,
                    enclosing=True,
                )
            top, foot = float(middle[1]), float(joints.feet[:, 1].max())
            return Placement(float(pose.hip[0]) + 0.05 * f, (top + foot) / 2, 0.04, 0.4, foot - top, enclosing=True)
        if "have_it_on_the_back" in contact:
            dx, dz = (-0.16 * f, -0.06) if f else (0.0, -0.15)
            return Placement(
                float(middle[0]) + dx, float(middle[1]) - 0.02, dz, thing.width * (1.0 if f else 1.5), thing.height
            )
        if "other_relationship" in contact:  # clamped under an arm
            side = f * 0.4 or (1.0 if site.x > 0 else -1.0)
            return Placement(
                float(joints.neck[0]) + 0.19 * side,
                float(joints.neck[1]) + 0.16,
                0.05,
                thing.width,
                thing.height,
                0.3 * side,
            )
        if "lying_on" in contact:
            return Placement(float(joints.head[0]), float(joints.head[1]) + 0.07, -0.06, thing.width, thing.height)
        if "leaning_on" in contact:
            return Placement(
                float(middle[0]) + np.sin(pose.lean) * 0.3,
                float(middle[1]),
                -0.1,
                thing.width * 1.2,
                thing.height * 1.1,
            )
        if set(contact) & set(GRIP):
            return self._held(i, contact, pose, joints)
        self.grips[i] = None
        if set(contact) & set(_ACTING):
            return replace(site, angle=float(self.rng.choice((-0.4, 0.4))) if "twisting" in contact else 0.0)
        return site

    def _held(self, i: int, contact: tuple[str, ...], pose: Pose, joints: Skeleton) -> Placement:
        rng, thing, f = self.rng, self.things[i], self.facing
        grip = self.grips[i]
        if grip is None or rng.random() < 0.1:
            slot = _draw_spatial(rng, thing)
            dx, dz = _offset(rng, slot, f, float(rng.uniform(0.18, 0.32)), 0.2, near=True)
            drop = -0.36 if "above" in slot else 0.42 if "beneath" in slot else float(rng.uniform(0.11, 0.25))
            if f == 0 and abs(dz) < 0.03:
                dz = 0.03
            grip = np.array([dx, dz, drop])
        self.grips[i] = grip
        dx, dz, drop = grip
        if abs(pose.lean) > 1:
            x, y = (joints.neck + pose.hip) / 2 + np.array([0.3 * dx, -0.16])
        else:
            x, y = (
                float(pose.hip[0]) + dx,
                float(joints.neck[1]) + drop - (0.5 * thing.height - 0.12 if thing.height > 0.5 else 0.0),
            )
        angle = float(rng.normal(0, 0.08))
        x, y = x + float(rng.normal(0, 0.008)), y + float(rng.normal(0, 0.008))
        if set(contact) & set(MOUTH):
            side = f or (1 if dx >= 0 else -1)
            goal = joints.head + np.array([0.07 * f + 0.03 * side, 0.08 + thing.height * 0.25])
            # Half way up it is only the neighbouring frames that tell a drink from a cup that is
            # held high.
            share = 1.0 if rng.random() < 0.7 else 0.55
            x, y = x + share * (goal[0] - x), y + share * (goal[1] - y)
            angle, dz = -0.5 * side * share, 0.12
        return Placement(float(x), float(y), float(dz), thing.width, thing.height, angle)

    # -- hands --------------------------------------------------------------------------------------------------------------

    def _goals(self, i: int, contact: tuple[str, ...], at: Placement, shoulder: Points) -> list[tuple[str, Points]]:
        """(contact, point) for every hand that thing ``i`` needs."""
        rng = self.rng
        portable = self.things[i].kind.role == "portable"
        goals = []
        gripped = bool(set(contact) & set(GRIP))
        if gripped and portable:
            side = float(np.sign(shoulder[0] - at.x)) or 1.0
            if set(contact) & set(MOUTH):
                goals.append(("holding", at.centre + np.array([0.0, 0.02])))
            else:
                goals.append(
                    (next(c for c in contact if c in GRIP), at.centre + np.array([side * 0.34 * at.width, 0.0]))
                )
        elif gripped:
            handle = at.nearest(shoulder + np.array([0.0, 0.18]))
            goals.append(("holding", handle + 0.05 * np.sign(at.centre - handle)))
        if "touching" in contact:
            point = (
                at.centre - np.array([0.0, at.height / 2])
                if gripped and portable
                else at.nearest(shoulder + np.array([0.0, 0.1]))
            )
            goals.append(("touching", point))
        for name in _ACTING:
            if name in contact:
                point = at.nearest(shoulder + np.array([0.0, 0.1]))
                inside = point + np.clip(at.centre - point, -0.1, 0.1)
                sway = 0.3 * at.width if name == "wiping" else 0.15 * at.width if name == "writing_on" else 0.0
                goals.append(
                    (
                        name,
                        inside
                        + np.array([rng.uniform(-1, 1) * min(sway, 0.1), rng.uniform(-0.3, 0.3) * min(sway, 0.1)]),
                    )
                )
        return goals

    def _hands(
        self, wanted: Sequence[tuple[str, ...]], pose: Pose, placements: list[Placement]
    ) -> tuple[Pose, list[tuple[str, ...]]]:
        """Send the hands to their goals; what they cannot reach does not happen. Returns the pose
        and the contacts that hold."""
        neck = pose.hip + body.TORSO * body.spine(pose.lean)
        goals = [
            (i, name, point) for i, c in enumerate(wanted) for name, point in self._goals(i, c, placements[i], neck)
        ]
        # Bend towards what stays in place and is a little too far.
        far = [point - neck for i, _, point in goals if self.grips[i] is None and np.hypot(*(point - neck)) > body.ARM]
        if far and abs(pose.lean) < 0.1:
            pose = replace(pose, lean=pose.lean + float(np.clip(far[0][0], -0.3, 0.3)))
        shoulders = body.skeleton(pose).shoulders
        hands, lost, free = pose.hands.copy(), [], [0, 1]
        for i, name, point in goals:
            distance = {h: float(np.hypot(*(point - shoulders[h]))) for h in free}
            hand = min(distance, key=lambda h: distance[h], default=None)
            if hand is None or distance[hand] > body.ARM + 0.04:
                lost.append((i, name))
                continue
            hands[hand] = point
            free.remove(hand)
        contacts = []
        for i, contact in enumerate(wanted):
            if any(j == i and name in (*GRIP,) for j, name in lost):
                gone = {*GRIP, "touching"}
                placements[i] = replace(self.sites[i], opened=False)
                self.grips[i] = None
            else:
                gone = {name for j, name in lost if j == i}
            left = tuple(c for c in contact if c not in gone)
            contacts.append(left or ("not_contacting",))
        for i, contact in enumerate(contacts):  # large things in both hands, if the other is free
            if (
                len(free) == 1
                and self.grips[i] is not None
                and self.things[i].width > 0.2
                and not set(contact) & {"touching", *MOUTH}
            ):
                other = placements[i].centre * 2 - hands[1 - free[0]]
                if np.hypot(*(other - shoulders[free[0]])) < body.ARM:
                    hands[free.pop()] = other
        return replace(pose, hands=hands), contacts

    # -- eyes ---------------------------------------------------------------------------------------------------------------

    def _look(self, joints: Skeleton, placements: Sequence[Placement]) -> None:
        """Turn the face to where most of the wished attention predicates come true."""
        rng = self.rng
        for i, thing in enumerate(self.things):
            if rng.random() < 0.25:
                self.looks[i] = self._draw_attention(thing)
        ways = [np.arctan2(*(p.centre - joints.head)[::-1]) for p in placements]
        angles = [w + rng.normal(0, 0.12) for w in ways]
        angles += [w + np.radians(sign * 35) for w in ways for sign in (-1, 1)] + list(rng.uniform(-np.pi, np.pi, 6))
        candidates = [self.gaze, 0.25 * self.gaze, *(np.array([np.cos(a), np.sin(a)]) for a in angles)]

        def worth(gaze: Points) -> float:
            value = float(rng.normal(0, 0.05)) + (0.2 if gaze is self.gaze else 0.0)
            for thing, placement, wish in zip(self.things, placements, self.looks, strict=True):
                angle = relations.gaze_angle(joints.head, gaze, placement)
                given = relations.attention(angle)
                value += (2.2 if wish == "looking_at" else 1.0) * (given == wish)
                # Nobody looks at a table because of what lies on it.
                value += 0.2 * float(np.log(max(frequencies()[thing.name].attention[ATTENTION.index(given)], 0.01)))
                # A gaze just at the border between two predicates could not be told from the
                # picture.
                value -= 0.6 * (min(abs(angle - relations.LOOKING), abs(angle - relations.NOT_LOOKING)) < 6)
            return value

        best = max(candidates, key=worth)
        length = float(np.hypot(*best))
        self.gaze = best / length * (0.25 if length < 0.5 else 1.0)
