"""Which relations hold, read off the geometry of a scene.

The rules live in the person's own frame: *ahead* is where the body faces, the picture's depth when
it faces the viewer. So the same pair of boxes is "in front of" or "on the side of" depending on how
the person stands, as for people who label videos.
"""

from __future__ import annotations

import numpy as np

from vidsgg.datasets.synthetic.body import HEAD_RADIUS, Points, Skeleton
from vidsgg.datasets.synthetic.placement import Placement

# Angles in degrees between the face's direction and the thing; between the two, nobody can tell.
LOOKING, NOT_LOOKING = 24.0, 46.0
# Sectors around the person, in degrees from straight ahead; they overlap, and there two predicates
# hold.
FRONT_UNTIL, SIDE_FROM, SIDE_UNTIL, BEHIND_FROM = 55.0, 40.0, 140.0, 125.0
# A face that is turned to the viewer by more than this looks at nothing in the scene.
_TO_THE_VIEWER = 0.45


def gaze_angle(head: Points, gaze: Points, thing: Placement) -> float:
    """Degrees between the face's direction and the thing; 180 if the face is turned to the
    viewer."""
    length = float(np.hypot(*gaze))
    way = thing.centre - head
    if length < _TO_THE_VIEWER:
        return 180.0
    cosine = float(gaze @ way) / (length * max(float(np.hypot(*way)), 1e-6))
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def attention(angle: float) -> str:
    """Attention predicate for an angle of ``gaze_angle``."""
    if angle <= LOOKING:
        return "looking_at"
    return "unsure" if angle < NOT_LOOKING else "not_looking_at"


def spatial(body: Skeleton, facing: float, thing: Placement) -> tuple[str, ...]:
    """Spatial predicates of a thing relative to the person, at least one."""
    if thing.enclosing:
        return ("in",)
    found = []
    dx = thing.x - float(body.hip[0])
    if thing.y < body.head[1] - HEAD_RADIUS:
        found.append("above")
    over_it = abs(dx) < thing.width / 2 + 0.05 and abs(thing.dz) < 0.3
    if thing.bearing or (over_it and thing.y > float(body.hip[1]) + 0.12):
        found.append("beneath")
    ahead, aside = (facing * dx, thing.dz) if abs(facing) > 0.5 else (thing.dz, dx)
    if np.hypot(ahead, aside) > 0.07 or not found:
        angle = float(np.degrees(np.arctan2(abs(aside), ahead)))
        if angle <= FRONT_UNTIL:
            found.append("in_front_of")
        if angle >= BEHIND_FROM:
            found.append("behind")
        if SIDE_FROM <= angle <= SIDE_UNTIL:
            found.append("on_the_side_of")
    return tuple(found)
