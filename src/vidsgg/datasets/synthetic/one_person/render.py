"""From a story to pictures: room, things, person, light and camera."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vidsgg.datasets.synthetic import body, looks
from vidsgg.datasets.synthetic.backdrop import Backdrop, Picture
from vidsgg.datasets.synthetic.looks import tint
from vidsgg.datasets.synthetic.one_person.script import Key, Story
from vidsgg.datasets.synthetic.pen import Pen
from vidsgg.datasets.synthetic.people import draw_arm, draw_trunk, new_palette
from vidsgg.datasets.synthetic.placement import Placement, between, turned


class Scene:
    """Draws the frames of one story. Everything random is drawn once, here, from ``rng``.

    width, height: of the pictures, in pixels. looks: one per thing.
    """

    def __init__(self, story: Story, rng: np.random.Generator, width: int, height: int) -> None:
        self.story, self.width, self.height = story, width, height
        self.looks = [looks.look(thing.name, rng) for thing in story.things]
        self._palette = new_palette(rng)
        self._wooden = looks.paint(rng, (0.05, 0.12), (0.1, 0.4), (0.4, 0.7))
        # The person fills more or less of the picture; the camera looks at the middle of what there
        # is and drifts a little.
        scale = height * float(rng.uniform(0.6, 0.76))
        floor = height * float(rng.uniform(0.88, 0.93))
        boxes = np.array([[key.pose.hip[0] - 0.25, key.pose.hip[0] + 0.25] for key in story.keys])
        sides = [p.box[[0, 2]] for key in story.keys for p in key.placements]
        middle = (min(boxes.min(), *(s[0] for s in sides)) + max(boxes.max(), *(s[1] for s in sides))) / 2
        reach = width / 2 / scale - 0.3  # the person never leaves the picture
        middle = (
            float(np.clip(middle, boxes.max() - 0.25 - reach, boxes.min() + 0.25 + reach))
            if boxes.max() - boxes.min() < 2 * reach
            else 0.0
        )
        self.backdrop = Backdrop(rng, width, height, scale, floor, middle, story.frames)

    def frames(self) -> Iterator[Picture]:
        """Every picture of the video, RGB (height, width, 3)."""
        keys = self.story.keys
        after = 0
        for frame in range(self.story.frames):
            while after < len(keys) and keys[after].frame < frame:
                after += 1
            a, b = keys[max(after - 1, 0)], keys[min(after, len(keys) - 1)]
            t = (frame - a.frame) / (b.frame - a.frame) if b.frame > a.frame else 0.0
            yield self._draw(frame, a, b, float(np.clip(t, 0, 1)))

    def _draw(self, frame: int, a: Key, b: Key, t: float) -> Picture:
        t = t * t * (3 - 2 * t)  # start and stop gently
        pose = body.blend(a.pose, b.pose, t)
        near = b if t >= 0.5 else a
        things = [between(p, q, t) for p, q in zip(a.placements, b.placements, strict=True)]
        contacts = [r.contacting for r in near.relations]
        canvas, pen = self.backdrop.empty(frame)
        layers = [(plinth.dz - 0.005, i, "plinth") for i, plinth in enumerate(self.story.plinths)]
        layers += [(p.dz, i, "thing") for i, p in enumerate(things)]
        layers.sort()
        for dz, i, what in layers:
            if dz < 0:
                self._layer(pen, i, what, things)
        joints = body.skeleton(pose)
        back = [
            any(p.dz < 0 and np.hypot(*(p.nearest(hand) - hand)) < 0.08 and p.width < 0.4 for p in things)
            for hand in joints.hands
        ]
        for i in (0, 1):
            if back[i]:
                draw_arm(pen, self._palette, joints, i)
        straps = any("have_it_on_the_back" in c for c in contacts)
        draw_trunk(pen, self._palette, joints, pose, straps)
        for dz, i, what in layers:
            if dz >= 0:
                self._layer(pen, i, what, things)
        # The farther arm first: seen from the side, that is the one away from where the person
        # faces.
        for i in (0, 1) if pose.facing >= 0 else (1, 0):
            if not back[i]:
                draw_arm(pen, self._palette, joints, i)
        return self.backdrop.picture(canvas)

    def _layer(self, pen: Pen, i: int, what: str, things: list[Placement]) -> None:
        if what == "plinth":
            plinth = self.story.plinths[i]
            half, foot = plinth.width / 2, 0.02 + 0.12 * plinth.dz
            if plinth.y < -0.9:  # a bracket on the wall
                pen.rect(plinth.x - half, plinth.y, plinth.x + half, plinth.y + 0.03, self._wooden)
                return
            pen.rect(plinth.x - half * 0.5, plinth.y, plinth.x + half * 0.5, foot, tint(self._wooden, 0.75))
            pen.rect(plinth.x - half, plinth.y, plinth.x + half, plinth.y + 0.035, self._wooden)
            return
        at = things[i]
        for shape in self.looks[i]:
            pen.poly(turned(shape.points, at), shape.colour)
        if at.opened:  # a dark gap along the edge where the handle is
            x1, y1, x2, y2 = at.box
            pen.poly(
                np.array([[x1, y1], [x1 + 0.22 * at.width, y1 + 0.04], [x1 + 0.22 * at.width, y2 - 0.04], [x1, y2]]),
                (18, 16, 20),
            )
            pen.poly(
                np.array([[x2, y1], [x2 - 0.22 * at.width, y1 + 0.04], [x2 - 0.22 * at.width, y2 - 0.04], [x2, y2]]),
                (18, 16, 20),
            )
