"""What is behind a scene: the room, its light, and the camera that looks at it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from vidsgg.datasets.synthetic import looks
from vidsgg.datasets.synthetic.looks import tint
from vidsgg.datasets.synthetic.pen import OVERSAMPLE, Pen, View

Picture = npt.NDArray[np.uint8]
_MARGIN = 12  # pixels around the room's picture that the camera may drift over


class Backdrop:
    """A room and a camera that drifts a little. Everything random is drawn once, here, from ``rng``.

    width, height: of the pictures, in pixels. scale: pixels of a body height. floor: the picture's
    row of the floor under the people. middle: what stands in the middle of the picture, in body
    heights. views: the camera at each of ``frames`` pictures.
    """

    def __init__(
        self, rng: np.random.Generator, width: int, height: int, scale: float, floor: float, middle: float, frames: int
    ) -> None:
        self.width, self.height = width, height
        wave = rng.uniform(0, 2 * np.pi, 2)
        pace = rng.uniform(0.02, 0.07, 2)
        swing = rng.uniform(0, 5, 2)
        times = np.arange(frames)[:, None]
        self._drift = swing * np.sin(wave + pace * times)
        base = np.array([width / 2 - middle * scale, floor])
        self.views = [View(scale, base + drift) for drift in self._drift]
        room = _room(rng, width + 2 * _MARGIN, height + 2 * _MARGIN, floor + _MARGIN - 0.1 * scale)
        self._room = room.resize((room.width * OVERSAMPLE, room.height * OVERSAMPLE), Image.Resampling.BILINEAR)
        self._light = _light(rng, width, height)
        self._noise = rng.normal(0, 1.5, (height, width, 1)).astype(np.float32)

    def empty(self, frame: int) -> tuple[Image.Image, Pen]:
        """The empty room at a frame, enlarged, and what draws on it."""
        k, view = OVERSAMPLE, self.views[frame]
        left, top = (k * (_MARGIN - self._drift[frame])).round().astype(int)
        canvas = self._room.crop((left, top, left + k * self.width, top + k * self.height))
        return canvas, Pen(ImageDraw.Draw(canvas), View(view.scale * k, view.shift * k))

    def picture(self, canvas: Image.Image) -> Picture:
        """What was drawn, RGB (height, width, 3), in the room's light."""
        small = np.asarray(canvas.reduce(OVERSAMPLE), dtype=np.float32)
        picture: Picture = np.clip(small * self._light + self._noise, 0, 255).astype(np.uint8)
        return picture


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
