"""From world coordinates to pixels: the camera, and what draws shapes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

from vidsgg.datasets.synthetic.body import Points
from vidsgg.datasets.synthetic.looks import Colour

# Pictures are drawn this much larger and then reduced, which smooths all edges.
OVERSAMPLE = 2


@dataclass(frozen=True)
class View:
    """Where the camera stands: pixel = scale * world + shift."""

    scale: float
    shift: Points

    def pixels(self, points: Points) -> Points:
        return points * self.scale + self.shift

    def box(self, xyxy: Points) -> Points:
        return np.concatenate([self.pixels(xyxy[:2]), self.pixels(xyxy[2:])])


class Pen:
    """Draws world shapes on a picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, view: View) -> None:
        self.draw, self.view = draw, view

    def poly(self, points: Points, colour: Colour) -> None:
        self.draw.polygon(self.view.pixels(points).ravel().tolist(), fill=colour)

    def rect(self, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        self.poly(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), colour)

    def disc(self, centre: Points, radius: float, colour: Colour) -> None:
        x, y = self.view.pixels(centre).tolist()
        r = radius * self.view.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def limb(self, joints: list[Points], radius: float, colour: Colour) -> None:
        points = [tuple(self.view.pixels(joint).tolist()) for joint in joints]
        self.draw.line(points, fill=colour, width=max(1, round(2 * radius * self.view.scale)), joint="curve")
        for joint in joints:
            self.disc(joint, radius, colour)
