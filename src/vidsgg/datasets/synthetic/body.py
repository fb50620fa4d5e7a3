"""The person: a pose in a few numbers, and the joints that follow from it.

World coordinates: x to the right, y down, the unit is the standing person's height, y = 0 is the
floor under the person. Depth ``dz`` counts towards the viewer, in the same unit, from the person.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

TORSO, NECK, HEAD_RADIUS = 0.29, 0.125, 0.125
THIGH, SHIN, UPPER_ARM, FOREARM = 0.235, 0.235, 0.20, 0.20
ARM, LEG = UPPER_ARM + FOREARM, THIGH + SHIN
SHOULDER, HIP = 0.115, 0.065
STANDING_HIP = -0.485
# Half the thickness of limbs, for drawing and for the person's box.
ARM_RADIUS, LEG_RADIUS, HAND_RADIUS = 0.03, 0.042, 0.036
# Seen from the side, shoulders and hips are this much narrower.
_PROFILE = 0.62


@dataclass(frozen=True)
class Pose:
    """What the script decides; everything blends linearly between key frames.

    hip (2,). lean: angle of the spine in radians, 0 is upright, positive to the right, a quarter
    turn is lying.
    facing: -1 left, 0 towards the viewer, 1 right. gaze (2,): direction of the face, shorter than
    one when it turns to the viewer. hands, feet (2, 2): where they want to be, first the one on the
    left of the picture. thigh: foreshortening of the thighs.
    """

    hip: Points
    lean: float
    facing: float
    gaze: Points
    hands: Points
    feet: Points
    thigh: float


def blend(a: Pose, b: Pose, t: float) -> Pose:
    """The pose a share ``t`` of the way from ``a`` to ``b``."""
    return Pose(*((1 - t) * getattr(a, f.name) + t * getattr(b, f.name) for f in fields(Pose)))


@dataclass(frozen=True)
class Skeleton:
    """Joints in world coordinates; pairs (2, 2) with the left of the picture first."""

    neck: Points
    head: Points
    shoulders: Points
    elbows: Points
    hands: Points
    hips: Points
    knees: Points
    feet: Points

    @property
    def hip(self) -> Points:
        middle: Points = self.hips.mean(0)
        return middle

    @property
    def box(self) -> Points:
        """xyxy of everything that is drawn of the person."""
        low = [
            self.head - HEAD_RADIUS,
            *(self.hands - HAND_RADIUS),
            *(self.elbows - ARM_RADIUS),
            *(self.shoulders - ARM_RADIUS),
        ]
        high = [
            self.head + HEAD_RADIUS,
            *(self.hands + HAND_RADIUS),
            *(self.elbows + ARM_RADIUS),
            *(self.shoulders + ARM_RADIUS),
        ]
        for joints in (self.hips, self.knees, self.feet):
            low += [*(joints - LEG_RADIUS)]
            high += [*(joints + LEG_RADIUS)]
        return np.concatenate([np.min(low, 0), np.max(high, 0)])


def spine(lean: float) -> Points:
    """Unit vector from the hip to the neck."""
    return np.array([np.sin(lean), -np.cos(lean)])


def shoulder_width(facing: float) -> float:
    """Distance of a shoulder from the spine, as seen."""
    return SHOULDER * (1 - _PROFILE * abs(facing))


def _bend(start: Points, goal: Points, first: float, second: float, preferred: Points) -> tuple[Points, Points]:
    """Middle joint and end of a limb of two bones that reaches for ``goal`` and bends towards
    ``preferred``."""
    way = goal - start
    distance = float(np.clip(np.hypot(*way), abs(first - second) + 1e-3, first + second - 1e-3))
    direction = way / max(float(np.hypot(*way)), 1e-6)
    along = (first**2 + distance**2 - second**2) / (2 * distance)
    aside = np.sqrt(max(first**2 - along**2, 0.0))
    normal = np.array([-direction[1], direction[0]])
    if normal @ preferred < 0:
        normal = -normal
    return start + along * direction + aside * normal, start + distance * direction


def skeleton(pose: Pose) -> Skeleton:
    """Joints of a pose; hands and feet stop where arms and legs end."""
    up = spine(pose.lean)
    across = np.array([-up[1], up[0]])
    neck = pose.hip + TORSO * up
    sides = np.array([[-1.0], [1.0]])
    shoulders = neck + 0.02 * -up + sides * shoulder_width(pose.facing) * across
    hips = pose.hip + sides * HIP * (1 - _PROFILE * abs(pose.facing)) * across
    elbows, hands, knees, feet = np.empty((4, 2, 2))
    for i, side in enumerate((-1.0, 1.0)):
        outwards = side * (1 - abs(pose.facing)) - 0.5 * pose.facing
        elbows[i], hands[i] = _bend(shoulders[i], pose.hands[i], UPPER_ARM, FOREARM, np.array([outwards, 1.0]))
        forward = np.array([pose.facing + 0.8 * side * (1 - abs(pose.facing)), -0.4])
        knees[i], feet[i] = _bend(hips[i], pose.feet[i], THIGH * pose.thigh, SHIN, forward)
    return Skeleton(neck, neck + NECK * up, shoulders, elbows, hands, hips, knees, feet)
