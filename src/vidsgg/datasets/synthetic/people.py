"""How people are drawn: colours for every video, and a body in a pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.datasets.synthetic import looks
from vidsgg.datasets.synthetic.body import ARM_RADIUS, HAND_RADIUS, HEAD_RADIUS, LEG_RADIUS, Points, Pose, Skeleton
from vidsgg.datasets.synthetic.looks import Colour, tint
from vidsgg.datasets.synthetic.pen import Pen


@dataclass(frozen=True)
class Palette:
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour


def new_palette(rng: np.random.Generator) -> Palette:
    return Palette(
        skin=looks.paint(rng, (0.05, 0.09), (0.25, 0.6), (0.5, 0.98)),
        hair=looks.paint(rng, (0.0, 0.12), (0.2, 0.8), (0.08, 0.4)),
        shirt=looks.paint(rng, (0, 1), (0.3, 0.9), (0.45, 0.95)),
        trousers=looks.paint(rng, (0.5, 0.75) if rng.random() < 0.7 else (0, 1), (0.1, 0.6), (0.2, 0.55)),
        shoes=looks.paint(rng, (0, 1), (0.1, 0.4), (0.1, 0.5)),
    )


def draw_trunk(pen: Pen, p: Palette, joints: Skeleton, pose: Pose, straps: bool = False) -> None:
    """Legs, torso and head; with ``straps`` of something on the back."""
    for i in (0, 1):
        shade = tint(p.trousers, 0.85) if i == (0 if pose.facing >= 0 else 1) else p.trousers
        pen.limb([joints.hips[i], joints.knees[i], joints.feet[i]], LEG_RADIUS, shade)
        toe = joints.feet[i] + np.array([0.05 * (pose.facing + (0.4 if i else -0.4) * (1 - abs(pose.facing))), 0.015])
        pen.limb([joints.feet[i] + np.array([0, 0.015]), toe], 0.028, p.shoes)
    across = joints.shoulders[1] - joints.shoulders[0]
    across = across / max(float(np.hypot(*across)), 1e-6)
    pad = 0.045 * across
    pen.poly(
        np.stack(
            [
                joints.shoulders[0] - pad,
                joints.shoulders[1] + pad,
                joints.hips[1] + 0.8 * pad,
                joints.hips[0] - 0.8 * pad,
            ]
        ),
        p.shirt,
    )
    pen.disc(joints.shoulders[0], 0.045, p.shirt)
    pen.disc(joints.shoulders[1], 0.045, p.shirt)
    pen.limb([joints.hips[0], joints.hips[1]], 0.05, p.trousers)
    if straps:
        for i in (0, 1):
            pen.limb(
                [joints.shoulders[i], joints.hips[i] + 0.3 * (joints.shoulders[i] - joints.hips[i])],
                0.014,
                (40, 34, 30),
            )
    pen.limb([joints.neck, joints.head], 0.04, tint(p.skin, 0.85))
    _draw_head(pen, p, joints.head, pose.gaze)


def _draw_head(pen: Pen, p: Palette, head: Points, gaze: Points) -> None:
    """A dark head, a bright face that is turned towards the gaze, and a nose that points
    there."""
    r = HEAD_RADIUS
    length = max(float(np.hypot(*gaze)), 1e-6)
    way = gaze / length
    turn = min(length, 1.0)
    side = np.array([-way[1], way[0]])
    pen.disc(head, r, p.hair)
    face = head + 0.36 * r * turn * way
    pen.disc(face, 0.72 * r, p.skin)
    nose = head + way * r * (0.4 + 0.85 * turn)
    root = face + 0.25 * r * way
    if turn > 0.45:
        pen.poly(np.stack([root + 0.3 * r * side, nose, root - 0.3 * r * side]), (226, 96, 60))
    else:
        pen.disc(face, 0.14 * r, (226, 96, 60))
    if way[1] < 0.995 or turn < 0.5:
        # Eyes sit across the gaze, above the nose when it points to the viewer.
        for s in (-1, 1):
            eye = (
                face
                + s * 0.38 * r * (side if turn > 0.45 else np.array([1.0, 0.0]))
                + (0 if turn > 0.45 else np.array([0, -0.2 * r]))
            )
            pen.disc(eye, 0.2 * r, (255, 255, 255))
            pen.disc(eye + 0.09 * r * turn * way, 0.12 * r, (20, 20, 30))


def draw_arm(pen: Pen, p: Palette, joints: Skeleton, i: int) -> None:
    """Arm ``i`` of the two, as ``Skeleton`` orders them."""
    pen.limb([joints.shoulders[i], joints.elbows[i]], ARM_RADIUS + 0.006, tint(p.shirt, 0.75))
    pen.limb([joints.elbows[i], joints.hands[i]], ARM_RADIUS - 0.004, p.skin)
    pen.disc(joints.hands[i], HAND_RADIUS + 0.006, tint(p.skin, 0.5))
    pen.disc(joints.hands[i], HAND_RADIUS, p.skin)
