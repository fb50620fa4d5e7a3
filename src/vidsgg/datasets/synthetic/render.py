"""From a story to pictures: room, things, person, light and camera."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from vidsgg.datasets.synthetic import body, looks
from vidsgg.datasets.synthetic.body import ARM_RADIUS, HAND_RADIUS, HEAD_RADIUS, LEG_RADIUS, Pose, Skeleton
from vidsgg.datasets.synthetic.looks import Colour, tint
from vidsgg.datasets.synthetic.relations import Placement
from vidsgg.datasets.synthetic.script import Key, Story

Array = npt.NDArray[np.float64]
Picture = npt.NDArray[np.uint8]
# Pictures are drawn this much larger and then reduced, which smooths all edges.
_OVERSAMPLE = 2
_MARGIN = 12  # pixels around the room's picture that the camera may drift over


@dataclass(frozen=True)
class View:
    """Where the camera stands: pixel = scale * world + shift."""

    scale: float
    shift: Array

    def pixels(self, points: Array) -> Array:
        return points * self.scale + self.shift

    def box(self, xyxy: Array) -> Array:
        return np.concatenate([self.pixels(xyxy[:2]), self.pixels(xyxy[2:])])


@dataclass(frozen=True)
class _Palette:
    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour


def _palette(rng: np.random.Generator) -> _Palette:
    return _Palette(
        skin=looks.paint(rng, (0.05, 0.09), (0.25, 0.6), (0.5, 0.98)),
        hair=looks.paint(rng, (0.0, 0.12), (0.2, 0.8), (0.08, 0.4)),
        shirt=looks.paint(rng, (0, 1), (0.3, 0.9), (0.45, 0.95)),
        trousers=looks.paint(rng, (0.5, 0.75) if rng.random() < 0.7 else (0, 1), (0.1, 0.6), (0.2, 0.55)),
        shoes=looks.paint(rng, (0, 1), (0.1, 0.4), (0.1, 0.5)),
    )


def drawn_box(look: looks.Look, placement: Placement) -> Array:
    """xyxy in the world of everything that is drawn of a thing."""
    points = _turned(np.concatenate([shape.points for shape in look]), placement)
    return np.concatenate([points.min(0), points.max(0)])


def _turned(points: Array, at: Placement) -> Array:
    cos, sin = np.cos(at.angle), np.sin(at.angle)
    scaled = points * (at.width, at.height)
    return np.stack([scaled[:, 0] * cos - scaled[:, 1] * sin, scaled[:, 0] * sin + scaled[:, 1] * cos], 1) + at.centre


class Scene:
    """Draws the frames of one story. Everything random is drawn once, here, from ``rng``.

    width, height: of the pictures, in pixels. looks: one per thing.
    """

    def __init__(self, story: Story, rng: np.random.Generator, width: int, height: int) -> None:
        self.story, self.width, self.height = story, width, height
        self.looks = [looks.look(thing.name, rng) for thing in story.things]
        self._palette = _palette(rng)
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
        wave = rng.uniform(0, 2 * np.pi, 2)
        pace = rng.uniform(0.02, 0.07, 2)
        swing = rng.uniform(0, 5, 2)
        times = np.arange(story.frames)[:, None]
        self._drift = swing * np.sin(wave + pace * times)
        base = np.array([width / 2 - middle * scale, floor])
        self.views = [View(scale, base + drift) for drift in self._drift]
        room = _room(rng, width + 2 * _MARGIN, height + 2 * _MARGIN, floor + _MARGIN - 0.1 * scale)
        self._room = room.resize((room.width * _OVERSAMPLE, room.height * _OVERSAMPLE), Image.Resampling.BILINEAR)
        self._light = _light(rng, width, height)
        self._noise = rng.normal(0, 1.5, (height, width, 1)).astype(np.float32)

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
        things = [_between(p, q, t) for p, q in zip(a.placements, b.placements, strict=True)]
        contacts = [r.contacting for r in near.relations]
        k = _OVERSAMPLE
        left, top = (k * (_MARGIN - self._drift[frame])).round().astype(int)
        canvas = self._room.crop((left, top, left + k * self.width, top + k * self.height))
        pen = _Pen(ImageDraw.Draw(canvas), View(self.views[frame].scale * k, self.views[frame].shift * k))
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
                self._arm(pen, joints, i)
        straps = any("have_it_on_the_back" in c for c in contacts)
        self._torso(pen, joints, pose, straps)
        for dz, i, what in layers:
            if dz >= 0:
                self._layer(pen, i, what, things)
        # The farther arm first: seen from the side, that is the one away from where the person
        # faces.
        for i in (0, 1) if pose.facing >= 0 else (1, 0):
            if not back[i]:
                self._arm(pen, joints, i)
        small = np.asarray(canvas.reduce(k), dtype=np.float32)
        picture: npt.NDArray[np.uint8] = np.clip(small * self._light + self._noise, 0, 255).astype(np.uint8)
        return picture

    def _layer(self, pen: _Pen, i: int, what: str, things: list[Placement]) -> None:
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
            pen.poly(_turned(shape.points, at), shape.colour)
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

    def _torso(self, pen: _Pen, joints: Skeleton, pose: Pose, straps: bool) -> None:
        p = self._palette
        for i in (0, 1):
            shade = tint(p.trousers, 0.85) if i == (0 if pose.facing >= 0 else 1) else p.trousers
            pen.limb([joints.hips[i], joints.knees[i], joints.feet[i]], LEG_RADIUS, shade)
            toe = joints.feet[i] + np.array(
                [0.05 * (pose.facing + (0.4 if i else -0.4) * (1 - abs(pose.facing))), 0.015]
            )
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
        self._head(pen, joints.head, pose.gaze)

    def _head(self, pen: _Pen, head: Array, gaze: Array) -> None:
        """A dark head, a bright face that is turned towards the gaze, and a nose that points
        there."""
        p, r = self._palette, HEAD_RADIUS
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

    def _arm(self, pen: _Pen, joints: Skeleton, i: int) -> None:
        p = self._palette
        pen.limb([joints.shoulders[i], joints.elbows[i]], ARM_RADIUS + 0.006, tint(p.shirt, 0.75))
        pen.limb([joints.elbows[i], joints.hands[i]], ARM_RADIUS - 0.004, p.skin)
        pen.disc(joints.hands[i], HAND_RADIUS + 0.006, tint(p.skin, 0.5))
        pen.disc(joints.hands[i], HAND_RADIUS, p.skin)


class _Pen:
    """Draws world shapes on a picture."""

    def __init__(self, draw: ImageDraw.ImageDraw, view: View) -> None:
        self.draw, self.view = draw, view

    def poly(self, points: Array, colour: Colour) -> None:
        self.draw.polygon(self.view.pixels(points).ravel().tolist(), fill=colour)

    def rect(self, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        self.poly(np.array([[x1, y1], [x2, y1], [x2, y2], [x1, y2]]), colour)

    def disc(self, centre: Array, radius: float, colour: Colour) -> None:
        x, y = self.view.pixels(centre).tolist()
        r = radius * self.view.scale
        self.draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)

    def limb(self, joints: list[Array], radius: float, colour: Colour) -> None:
        points = [tuple(self.view.pixels(joint).tolist()) for joint in joints]
        self.draw.line(points, fill=colour, width=max(1, round(2 * radius * self.view.scale)), joint="curve")
        for joint in joints:
            self.disc(joint, radius, colour)


def _between(a: Placement, b: Placement, t: float) -> Placement:
    def mix(p: float, q: float) -> float:
        return (1 - t) * p + t * q

    # What changes hands (or is put on) passes in front of or behind the person at once, not through
    # it.
    near = b if t >= 0.5 else a
    return Placement(
        mix(a.x, b.x), mix(a.y, b.y), near.dz, mix(a.width, b.width), mix(a.height, b.height), mix(a.angle, b.angle),
        near.opened, near.enclosing, near.bearing,
    )  # fmt: skip


def _room(rng: np.random.Generator, width: int, height: int, horizon: float) -> Image.Image:
    """Wall and floor with a pattern, plants and other clutter that has no class."""
    wall = looks.paint(rng, (0, 1), (0.05, 0.4), (0.5, 0.95))
    ground = looks.paint(rng, (0.03, 0.15), (0.1, 0.5), (0.3, 0.75))
    picture = Image.new("RGB", (width, height), wall)
    draw = ImageDraw.Draw(picture)
    second = tint(wall, float(rng.uniform(0.86, 0.96)))
    step = int(rng.integers(14, 50))
    form = int(rng.integers(5))
    if form == 1:
        for x in range(0, width, step):
            draw.rectangle((x, 0, x + step // 2, height), fill=second)
    elif form == 2:
        for x in range(0, width, step):
            for y in range(0, height, step):
                draw.ellipse((x, y, x + step // 3, y + step // 3), fill=second)
    elif form == 3:
        for y in range(0, height, step // 2 + 4):
            draw.line((0, y, width, y), fill=second, width=2)
            for x in range((y // (step // 2 + 4) % 2) * step // 2, width, step):
                draw.line((x, y, x, y + step // 2 + 4), fill=second, width=2)
    elif form == 4:
        draw.rectangle((0, int(horizon * 0.6), width, height), fill=second)
    draw.rectangle((0, int(horizon), width, height), fill=ground)
    draw.rectangle((0, int(horizon) - 4, width, int(horizon)), fill=tint(wall, 0.7))
    for board in range(-width, 2 * width, int(rng.integers(20, 60))):
        draw.line(
            (board, height, width / 2 + (board - width / 2) * 0.6, int(horizon)), fill=tint(ground, 0.88), width=1
        )
    for _ in range(int(rng.integers(0, 3))):  # plants
        at, size = float(rng.uniform(0, width)), float(rng.uniform(14, 34))
        draw.rectangle((at - size / 3, horizon - size / 2, at + size / 3, horizon + size / 5), fill=(150, 90, 60))
        for angle in np.linspace(-2.6, -0.5, 5):
            tip = (at + size * 1.4 * np.cos(angle), horizon - size / 2 + size * 1.4 * np.sin(angle))
            draw.line((at, horizon - size / 2, *tip), fill=(60, 120 + int(rng.integers(0, 50)), 60), width=4)
    return picture


def _light(rng: np.random.Generator, width: int, height: int) -> npt.NDArray[np.float32]:
    """Brightness of every pixel and channel: brighter towards one side, with a slight tint."""
    way = rng.normal(0, 1, 2)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slope = (x * way[0] + y * way[1]) / np.hypot(*way) * rng.uniform(0, 0.16)
    light: npt.NDArray[np.float32] = (
        (rng.uniform(0.78, 1.1) * (1 + slope))[..., None] * rng.uniform(0.95, 1.05, 3)
    ).astype(np.float32)
    return light
