"""Where a thing is, and how its shapes lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidsgg.datasets.synthetic import looks
from vidsgg.datasets.synthetic.body import Points


@dataclass(frozen=True)
class Placement:
    """Where a thing is. Lengths in body heights; (x, y) its centre, dz its depth towards the
    viewer.

    angle: radians. opened: its handle is pulled. enclosing: the person is inside of it. bearing:
    the person sits, stands or lies on it.
    """

    x: float
    y: float
    dz: float
    width: float
    height: float
    angle: float = 0.0
    opened: bool = False
    enclosing: bool = False
    bearing: bool = False

    @property
    def centre(self) -> Points:
        return np.array([self.x, self.y])

    @property
    def box(self) -> Points:
        """xyxy, not turned."""
        return np.array(
            [self.x - self.width / 2, self.y - self.height / 2, self.x + self.width / 2, self.y + self.height / 2]
        )

    def nearest(self, point: Points) -> Points:
        """The point of the box that is nearest to ``point``."""
        return np.clip(point, self.box[:2], self.box[2:])


def drawn_box(look: looks.Look, placement: Placement) -> Points:
    """xyxy in the world of everything that is drawn of a thing."""
    points = turned(np.concatenate([shape.points for shape in look]), placement)
    return np.concatenate([points.min(0), points.max(0)])


def turned(points: Points, at: Placement) -> Points:
    cos, sin = np.cos(at.angle), np.sin(at.angle)
    scaled = points * (at.width, at.height)
    return np.stack([scaled[:, 0] * cos - scaled[:, 1] * sin, scaled[:, 0] * sin + scaled[:, 1] * cos], 1) + at.centre


def between(a: Placement, b: Placement, t: float) -> Placement:
    """Where a thing is a share ``t`` of the way from ``a`` to ``b``."""

    def mix(p: float, q: float) -> float:
        return (1 - t) * p + t * q

    # What changes hands (or is put on) passes in front of or behind the person at once, not through
    # it.
    near = b if t >= 0.5 else a
    return Placement(
        mix(a.x, b.x), mix(a.y, b.y), near.dz, mix(a.width, b.width), mix(a.height, b.height), mix(a.angle, b.angle),
        near.opened, near.enclosing, near.bearing,
    )  # fmt: skip
