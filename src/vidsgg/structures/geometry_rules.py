"""What two boxes allow: the roles that predicates play for the model ``geometry``, and its constants with their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

# What a predicate says of a subject and a thing, as far as boxes can tell. A predicate without a role is as likely as it is counted.
Role: TypeAlias = Literal[
    "apart",  # they do not touch
    "touch",
    "hand",  # the thing is in a hand
    "mouth",  # it is in a hand and at the mouth
    "wear",  # it is worn or covers the subject
    "back",  # it is on the back
    "sit", "lie", "stand", "lean",  # the thing bears the subject
    "front", "beside", "below", "above",  # where the thing is, seen from the subject
    "look",  # the subject looks at it
]  # fmt: skip
BEARING: tuple[Role, ...] = ("sit", "lie", "stand", "lean")
HANDS: tuple[Role, ...] = ("hand", "mouth")  # what needs a hand


@dataclass(frozen=True)
class GeometryConstants:
    """All numbers of the rules. Lengths are parts of the subject's box (width w, height h), shares are of a box's area; see PairGeometry.

    They were tuned by eye on 44 frames of 12 real videos, with the boxes of a weak detector: a start and no truth.
    """

    # Touch, 0..1: how much the boxes look as if subject and thing touched.
    touch_cover: float = 0.35  # share of the thing inside the subject's box from which on touch is 1
    touch_near: float = 0.6  # touch of boxes that just meet; it falls with the gap
    touch_reach: float = 0.03  # gap by which it falls to 1/e of that
    touch_end: float = 0.1  # gap from which on there is no touch
    apart_touched: float = 0.8  # how much a full touch takes from "they do not touch"

    # Bearing: the thing carries the subject.
    bear_foot: float = 0.1  # the subject's lower end is at least so far in the thing, in heights of the thing
    bear_below: float = 0.55  # the thing ends at least so far below the subject's top, in h
    bear_width: float = 0.45  # the thing is at least so wide, in w
    bear_overlap: float = 0.4  # they overlap at least so far from left to right, in w
    bear_covered: float = 0.12  # share of the subject inside the thing, at least
    bear_not: float = 0.02  # factor of bearing where one of these does not hold
    sit: float = 0.9
    sit_upright: float = 0.35  # of somebody tall and thin whose feet are seen
    lie: float = 1.0  # of somebody who is wide, on a thing that one can lie on
    lie_wide: float = 1.4  # w / h from which on somebody is wide
    stand: float = 0.6  # of somebody thin whose feet are seen
    stand_thin: float = 0.5  # w / h up to which somebody is thin
    lean: float = 0.5
    feet_margin: float = (
        0.02  # of the picture's height: feet are seen if the subject's box ends so far above the picture's lower edge
    )

    # At the mouth: where the thing's centre is, in the subject's own coordinates.
    mouth_aside: float = 0.35  # at most so far from the middle, in w
    mouth_top: float = -0.05  # in h from the subject's top
    mouth_bottom: float = 0.38
    mouth_cover: float = 0.4  # share of the thing inside the subject's box, at least
    mouth_not: float = 0.05  # what is left of touch elsewhere

    # In a hand: small things are held, large ones are not.
    hand_ratio: float = 1.4  # less the thing's area in areas of the subject
    hand_least: float = 0.05
    back_cover: float = 0.5  # on the back: share of the thing inside the subject's box, at least
    back_bottom: float = 0.6  # and its centre is above this, in h

    # Several subjects and things.
    holder_cover: float = 0.2  # added to the cover where subjects compete for a thing
    holder_loses: float = 0.15  # what those keep that do not hold it
    hands_from: float = 0.3  # probability from which on a thing takes a hand
    hands: float = 2.0  # hands of a subject

    # Where the thing is. Within: its centre is within the subject's width. Beside: it is not, and the gap is small. Else far.
    beside_gap: float = 0.3
    front_cover: float = 0.5  # of a thing within: share inside the subject's box from which on ``front_covered`` counts
    front_covered: float = 2.0
    front_within: float = 1.0
    front_beside: float = 0.35
    front_far: float = 0.1
    side_within: float = 0.6
    side_beside: float = 6.0
    side_far: float = 12.0
    beneath_from: float = 0.9  # the thing begins below this, in h
    beneath: float = 10.0
    above: float = 8.0  # the thing ends above the subject's top
    above_not: float = 0.3
    sat_on: float = 0.5  # probability of sitting from which on a seat is beneath

    # Looking.
    look_gap: float = 0.15  # without a touch, from this gap on
    look_apart: float = 0.5  # looking counts so much


CONSTANTS = GeometryConstants()


@dataclass(frozen=True)
class GeometryRules:
    """Which predicate of a vocabulary plays which role, and which things bear somebody. Names that are not mentioned play none."""

    roles: Mapping[str, Role]
    bearing: tuple[str, ...] = ()  # classes of things that one sits, lies, stands or leans on
    too_short: tuple[str, ...] = ()  # those of them that nobody lies on
    constants: GeometryConstants = CONSTANTS
