"""From the story of a room to pictures and boxes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidsgg.datasets.synthetic import body, looks
from vidsgg.datasets.synthetic.backdrop import Backdrop, Picture
from vidsgg.datasets.synthetic.body import Points, Pose
from vidsgg.datasets.synthetic.pen import Pen
from vidsgg.datasets.synthetic.people import draw_arm, draw_trunk, new_palette
from vidsgg.datasets.synthetic.placement import Placement, between, drawn_box, turned
from vidsgg.datasets.synthetic.rooms.story import RoomMoment, RoomStory

# Shapes of a container that begin below this share of its height hide what is in it.
_FRONT = 0.15


class RoomScene:
    """Draws the frames of one story. Everything random is drawn once, here, from ``rng``."""

    def __init__(self, story: RoomStory, rng: np.random.Generator, width: int, height: int) -> None:
        self.story = story
        self.looks = [looks.look(thing.kind.look, rng) for thing in story.things]
        self._palettes = [new_palette(rng) for _ in range(story.people)]
        scale = min(width / story.wide, 0.72 * height)
        self.backdrop = Backdrop(rng, width, height, scale, height * float(rng.uniform(0.84, 0.9)), 0.0, story.frames)

    def boxes(self, moment: RoomMoment) -> Points:
        """(people + things, 4) xyxy in pixels of everything that is drawn, not cut at the picture's
        border."""
        view = self.backdrop.views[moment.frame]
        people = [body.skeleton(pose).box for pose in moment.poses]
        things = [drawn_box(look, at) for look, at in zip(self.looks, moment.placements, strict=True)]
        return np.stack([view.box(box) for box in (*people, *things)])

    def frames(self) -> Iterator[Picture]:
        """Every picture of the video, RGB (height, width, 3)."""
        moments = self.story.moments
        after = 0
        for frame in range(self.story.frames):
            while moments[after].frame < frame:
                after += 1
            a, b = moments[max(after - 1, 0)], moments[after]
            t = (frame - a.frame) / (b.frame - a.frame) if b.frame > a.frame else 0.0
            yield self._draw(frame, a, b, t)

    def _draw(self, frame: int, a: RoomMoment, b: RoomMoment, t: float) -> Picture:
        canvas, pen = self.backdrop.empty(frame)
        near = b if t >= 0.5 else a
        poses = [body.blend(p, q, t) for p, q in zip(a.poses, b.poses, strict=True)]
        things = [between(p, q, t) for p, q in zip(a.placements, b.placements, strict=True)]
        layers = [(0.0, p, "body") for p in range(len(poses))]
        layers += [(things[i].dz, i, "thing") for i, rest in enumerate(near.rests) if rest.how == "floor"]
        for _, number, what in sorted(layers):
            if what == "body":
                self._person(pen, near, number, poses[number], things)
            else:
                self._thing(pen, near, number, things)
        return self.backdrop.picture(canvas)

    def _person(self, pen: Pen, near: RoomMoment, p: int, pose: Pose, things: list[Placement]) -> None:
        joints, palette = body.skeleton(pose), self._palettes[p]
        draw_trunk(pen, palette, joints, pose)
        for i, rest in enumerate(near.rests):
            if rest.how == "hold" and rest.of == p:
                self._thing(pen, near, i, things)
        for i in (0, 1) if pose.facing >= 0 else (1, 0):  # the farther arm first
            draw_arm(pen, palette, joints, i)

    def _thing(self, pen: Pen, near: RoomMoment, i: int, things: list[Placement]) -> None:
        """A thing with what is in it and on it."""
        at, inside = things[i], self.story.things[i].open
        shapes = [(turned(shape.points, at), shape) for shape in self.looks[i]]
        for points, shape in shapes:
            pen.poly(points, shape.colour)
        if inside:  # a dark opening behind what is in it
            x1, y1, x2, _ = at.box
            inset, depth = 0.08 * at.width, (_FRONT + 0.1) * at.height
            pen.poly(np.array([[x1 + inset, y1], [x2 - inset, y1], [x2, y1 + depth], [x1, y1 + depth]]), (24, 20, 22))
        for j, rest in enumerate(near.rests):
            if rest.of == i and rest.how in ("on", "inside"):
                self._thing(pen, near, j, things)
        if inside:
            for points, shape in shapes:
                if shape.points[:, 1].min() > _FRONT - 0.5:
                    pen.poly(points, shape.colour)
