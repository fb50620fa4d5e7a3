"""How things look: a few flat shapes per class, with colours drawn anew for every video.

Several classes look alike on purpose (doors, closets and refrigerators; books, paper and pictures;
food, sandwiches and medicine): a detector has to look twice.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Colour = tuple[int, int, int]
Points = npt.NDArray[np.float64]

WHITE, BLACK, STEEL, GLASS = (244, 244, 240), (28, 28, 32), (176, 182, 190), (168, 208, 226)


@dataclass(frozen=True)
class Shape:
    """A filled polygon. points (k, 2): from -0.5 to 0.5 over the thing's width and height, y
    down."""

    points: Points
    colour: Colour


Look = tuple[Shape, ...]


def tint(colour: Colour, factor: float) -> Colour:
    """Darker below 1, lighter above."""
    if factor > 1:
        return tuple(int(c + (255 - c) * (factor - 1)) for c in colour)  # type: ignore[return-value]
    return tuple(int(c * factor) for c in colour)  # type: ignore[return-value]


def paint(
    rng: np.random.Generator, hue: tuple[float, float], saturation: tuple[float, float], value: tuple[float, float]
) -> Colour:
    """A colour from ranges of hue (in turns, may pass 1), saturation and value."""
    h, s, v = rng.uniform(*hue) % 1.0, rng.uniform(*saturation), rng.uniform(*value)
    return tuple(int(255 * c) for c in colorsys.hsv_to_rgb(h, s, v))  # type: ignore[return-value]


class _Sketch:
    """Collects shapes; coordinates from 0 to 1 over the box, y down."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def poly(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        self.shapes.append(Shape(np.array(points, dtype=np.float64) - 0.5, colour))

    def rect(self, x1: float, y1: float, x2: float, y2: float, colour: Colour) -> None:
        self.poly([(x1, y1), (x2, y1), (x2, y2), (x1, y2)], colour)

    def oval(self, x1: float, y1: float, x2: float, y2: float, colour: Colour, corners: int = 18) -> None:
        turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
        x, y = (x1 + x2) / 2 + (x2 - x1) / 2 * np.cos(turn), (y1 + y2) / 2 + (y2 - y1) / 2 * np.sin(turn)
        self.poly(list(zip(x, y, strict=True)), colour)

    def soft(self, colour: Colour, notch: float = 0.08) -> None:
        """A rectangle with cut corners that fills the box."""
        n = notch
        self.poly([(n, 0), (1 - n, 0), (1, n), (1, 1 - n), (1 - n, 1), (n, 1), (0, 1 - n), (0, n)], colour)

    def lines(self, x1: float, y1: float, x2: float, y2: float, count: int, colour: Colour) -> None:
        for y in np.linspace(y1, y2, count):
            self.rect(x1, float(y), x2, float(y) + 0.035, colour)


Rng = np.random.Generator


def _wood(rng: Rng) -> Colour:
    return paint(rng, (0.05, 0.11), (0.35, 0.7), (0.35, 0.75))


def _cloth(rng: Rng) -> Colour:
    return paint(rng, (0, 1), (0.25, 0.75), (0.45, 0.9))


def _bag(s: _Sketch, rng: Rng) -> None:
    c = _cloth(rng)
    s.oval(0.22, 0.0, 0.78, 0.6, tint(c, 0.6))
    s.oval(0.32, 0.1, 0.68, 0.6, tint(c, 1.5))
    s.poly([(0.05, 0.3), (0.95, 0.3), (1, 1), (0, 1)], c)
    s.rect(0.25, 0.55, 0.75, 0.85, tint(c, 0.75))


def _bed(s: _Sketch, rng: Rng) -> None:
    c, wood = _cloth(rng), _wood(rng)
    s.rect(0, 0, 0.06, 1, wood)
    s.rect(0.94, 0.3, 1, 1, wood)
    s.rect(0.03, 0.62, 0.97, 0.86, tint(wood, 0.8))
    s.poly([(0.05, 0.36), (0.95, 0.36), (0.97, 0.66), (0.03, 0.66)], WHITE)
    s.poly([(0.3, 0.34), (0.95, 0.34), (0.97, 0.7), (0.3, 0.7)], c)
    s.oval(0.07, 0.2, 0.27, 0.44, tint(WHITE, 0.92))


def _blanket(s: _Sketch, rng: Rng) -> None:
    c, stripe = _cloth(rng), _cloth(rng)
    s.poly([(0.06, 0.05), (0.5, 0), (0.95, 0.06), (1, 0.5), (0.94, 0.96), (0.5, 1), (0.05, 0.93), (0, 0.5)], c)
    for x in (0.15, 0.45, 0.75):
        s.rect(x, 0.05, x + 0.1, 0.95, stripe)
    for y in (0.25, 0.6):
        s.rect(0.03, y, 0.97, y + 0.1, tint(stripe, 0.8))


def _book(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.5, 0.9), (0.3, 0.7))
    s.rect(0, 0, 1, 1, c)
    s.rect(0.86, 0.04, 0.98, 0.96, WHITE)
    s.rect(0, 0, 0.12, 1, tint(c, 0.6))
    s.rect(0.24, 0.18, 0.74, 0.34, tint(c, 1.6))


def _box(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.07, 0.11), (0.3, 0.55), (0.55, 0.8))
    s.poly([(0.1, 0), (0.9, 0), (1, 0.22), (0, 0.22)], tint(c, 1.25))
    s.rect(0, 0.2, 1, 1, c)
    s.rect(0.42, 0, 0.58, 1, tint(c, 0.8))


def _broom(s: _Sketch, rng: Rng) -> None:
    s.rect(0.44, 0, 0.56, 0.78, _wood(rng))
    s.poly([(0.3, 0.72), (0.7, 0.72), (1, 1), (0, 1)], paint(rng, (0.08, 0.16), (0.5, 0.8), (0.55, 0.85)))
    s.rect(0.28, 0.7, 0.72, 0.76, paint(rng, (0, 1), (0.6, 0.9), (0.5, 0.8)))


def _chair(s: _Sketch, rng: Rng) -> None:
    c = _wood(rng) if rng.random() < 0.5 else _cloth(rng)
    for x in (0.06, 0.82):
        s.rect(x, 0, x + 0.12, 1, tint(c, 0.7))
    s.rect(0.06, 0.02, 0.94, 0.18, c)
    s.rect(0.1, 0.26, 0.9, 0.4, c)
    s.rect(0, 0.54, 1, 0.68, tint(c, 1.15))


def _closet(s: _Sketch, rng: Rng) -> None:
    c = _wood(rng)
    s.rect(0, 0, 1, 1, tint(c, 0.7))
    s.rect(0.04, 0.04, 0.49, 0.95, c)
    s.rect(0.51, 0.04, 0.96, 0.95, c)
    s.rect(0.42, 0.45, 0.46, 0.6, BLACK)
    s.rect(0.54, 0.45, 0.58, 0.6, BLACK)


def _clothes(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.5, 0.95), (0.5, 0.95))
    s.poly(
        [
            (0.3, 0),
            (0.7, 0),
            (1, 0.2),
            (0.9, 0.45),
            (0.78, 0.36),
            (0.8, 1),
            (0.2, 1),
            (0.22, 0.36),
            (0.1, 0.45),
            (0, 0.2),
        ],
        c,
    )
    s.poly([(0.4, 0), (0.6, 0), (0.5, 0.14)], tint(c, 0.5))
    s.rect(0.48, 0.14, 0.52, 1, tint(c, 0.6))


def _cup(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.2, 0.85), (0.55, 0.95))
    form = int(rng.integers(3))
    if form == 0:  # a mug
        s.oval(0.55, 0.25, 1, 0.8, tint(c, 0.75))
        s.oval(0.65, 0.38, 0.9, 0.68, WHITE)
        s.rect(0, 0.1, 0.75, 1, c)
        s.oval(0, 0, 0.75, 0.2, tint(c, 0.6))
    elif form == 1:  # a glass
        s.poly([(0, 0), (1, 0), (0.85, 1), (0.15, 1)], GLASS)
        s.poly([(0.06, 0.35), (0.94, 0.35), (0.84, 0.95), (0.16, 0.95)], c)
    else:  # a bottle
        s.rect(0.36, 0, 0.64, 0.3, tint(c, 0.7))
        s.poly([(0.36, 0.2), (0.64, 0.2), (0.95, 0.42), (0.95, 1), (0.05, 1), (0.05, 0.42)], c)
        s.rect(0.05, 0.55, 0.95, 0.8, WHITE)


def _dish(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.5, 0.7), (0.0, 0.3), (0.8, 1.0))
    s.oval(0, 0.1, 1, 1, tint(c, 0.75))
    s.oval(0, 0, 1, 0.8, c)
    s.oval(0.2, 0.15, 0.8, 0.65, tint(c, 0.85))


def _door(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.04, 0.12), (0.15, 0.6), (0.45, 0.92))
    s.rect(0, 0, 1, 1, tint(c, 0.65))
    s.rect(0.06, 0.03, 0.94, 1, c)
    for y in (0.1, 0.55):
        s.rect(0.2, y, 0.8, y + 0.34, tint(c, 0.85))
    s.oval(0.8, 0.49, 0.92, 0.54, paint(rng, (0.1, 0.15), (0.4, 0.8), (0.6, 0.9)))


def _doorknob(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.1, 0.15), (0.3, 0.8), (0.6, 0.9))
    s.rect(0.1, 0, 0.9, 1, tint(c, 0.5))
    s.oval(0, 0.12, 1, 0.9, c)
    s.rect(0.42, 0.2, 0.58, 0.82, tint(c, 0.6))


def _doorway(s: _Sketch, rng: Rng) -> None:
    c = _wood(rng) if rng.random() < 0.5 else WHITE
    s.rect(0.08, 0.05, 0.92, 1, paint(rng, (0, 1), (0.05, 0.35), (0.15, 0.4)))
    s.rect(0, 0, 0.1, 1, c)
    s.rect(0.9, 0, 1, 1, c)
    s.rect(0, 0, 1, 0.06, tint(c, 0.8))


def _floor(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.1, 0.5), (0.4, 0.8))
    s.poly([(0.14, 0), (0.86, 0), (1, 1), (0, 1)], c)
    for x in (0.2, 0.4, 0.6, 0.8):
        top = 0.14 + 0.72 * x
        s.poly([(top - 0.01, 0), (top + 0.01, 0), (x + 0.012, 1), (x - 0.012, 1)], tint(c, 0.75))
    s.rect(0.08, 0.42, 0.92, 0.48, tint(c, 0.75))


def _food(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.0, 0.18), (0.6, 0.95), (0.6, 0.95))
    s.oval(0, 0.2, 0.62, 1, c)
    s.oval(0.38, 0.1, 1, 0.95, tint(c, 0.85))
    s.oval(0.25, 0, 0.7, 0.6, tint(c, 1.25))
    s.poly([(0.45, 0.1), (0.62, 0), (0.6, 0.15)], (60, 140, 60))


def _groceries(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.06, 0.12), (0.25, 0.6), (0.6, 0.9))
    s.oval(0.1, 0.02, 0.4, 0.4, (70, 150, 60))
    s.oval(0.55, 0.05, 0.85, 0.4, (200, 60, 50))
    s.rect(0.42, 0, 0.56, 0.4, (220, 190, 120))
    s.poly([(0.02, 0.28), (0.98, 0.28), (0.92, 1), (0.08, 1)], c)
    s.poly([(0.02, 0.28), (0.98, 0.28), (0.96, 0.4), (0.04, 0.4)], tint(c, 0.8))


def _laptop(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.5, 0.7), (0, 0.15), (0.3, 0.75))
    s.rect(0.06, 0, 0.94, 0.78, c)
    s.rect(0.11, 0.06, 0.89, 0.7, paint(rng, (0.5, 0.65), (0.3, 0.7), (0.6, 0.95)))
    s.poly([(0.06, 0.76), (0.94, 0.76), (1, 1), (0, 1)], tint(c, 0.7))


def _light(s: _Sketch, rng: Rng) -> None:
    s.rect(0.45, 0, 0.55, 0.4, STEEL)
    s.poly([(0.3, 0.25), (0.7, 0.25), (1, 0.75), (0, 0.75)], paint(rng, (0, 1), (0.2, 0.7), (0.5, 0.9)))
    s.oval(0.25, 0.6, 0.75, 1, (255, 244, 170))


def _medicine(s: _Sketch, rng: Rng) -> None:
    s.rect(0.1, 0, 0.9, 0.24, WHITE)
    s.rect(0, 0.2, 1, 1, paint(rng, (0.04, 0.1), (0.7, 0.95), (0.7, 0.95)))
    s.rect(0, 0.45, 1, 0.8, WHITE)
    s.rect(0.42, 0.48, 0.58, 0.77, (200, 40, 40))
    s.rect(0.25, 0.58, 0.75, 0.67, (200, 40, 40))


def _mirror(s: _Sketch, rng: Rng) -> None:
    frame = _wood(rng)
    s.oval(0, 0, 1, 1, frame, 24)
    s.oval(0.09, 0.07, 0.91, 0.93, GLASS, 24)
    s.poly([(0.3, 0.3), (0.42, 0.2), (0.68, 0.7), (0.56, 0.8)], tint(GLASS, 1.6))


def _paper(s: _Sketch, rng: Rng) -> None:
    s.rect(0, 0, 1, 1, paint(rng, (0.1, 0.2), (0, 0.2), (0.88, 1.0)))
    s.lines(0.14, 0.15, 0.86, 0.82, 6, (120, 130, 150))
    s.rect(0.06, 0, 0.1, 1, (210, 90, 90))


def _phone(s: _Sketch, rng: Rng) -> None:
    c = BLACK if rng.random() < 0.7 else paint(rng, (0, 1), (0.3, 0.8), (0.5, 0.9))
    s.soft(c, 0.12)
    s.rect(0.1, 0.12, 0.9, 0.84, paint(rng, (0.45, 0.65), (0.4, 0.8), (0.6, 0.95)))
    s.oval(0.42, 0.88, 0.58, 0.96, STEEL, 8)


def _picture(s: _Sketch, rng: Rng) -> None:
    s.rect(0, 0, 1, 1, paint(rng, (0.08, 0.14), (0.5, 0.8), (0.5, 0.85)))
    s.rect(0.1, 0.1, 0.9, 0.9, paint(rng, (0.5, 0.6), (0.3, 0.6), (0.8, 0.95)))
    s.poly(
        [(0.1, 0.9), (0.1, 0.6), (0.4, 0.35), (0.65, 0.65), (0.9, 0.5), (0.9, 0.9)],
        paint(rng, (0.2, 0.4), (0.5, 0.8), (0.35, 0.65)),
    )


def _pillow(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.05, 0.55), (0.65, 0.98))
    s.poly([(0, 0), (0.5, 0.1), (1, 0), (0.93, 0.5), (1, 1), (0.5, 0.9), (0, 1), (0.07, 0.5)], c)
    s.oval(0.3, 0.3, 0.7, 0.7, tint(c, 0.88))


def _refrigerator(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0.5, 0.7), (0, 0.12), (0.65, 0.97))
    s.soft(tint(c, 0.8), 0.03)
    s.rect(0.03, 0.02, 0.97, 0.34, c)
    s.rect(0.03, 0.37, 0.97, 0.96, c)
    s.rect(0.1, 0.16, 0.16, 0.31, tint(c, 0.45))
    s.rect(0.1, 0.41, 0.16, 0.64, tint(c, 0.45))


def _sandwich(s: _Sketch, rng: Rng) -> None:
    bread = paint(rng, (0.08, 0.12), (0.35, 0.6), (0.75, 0.95))
    s.poly([(0, 1), (0.06, 0.7), (0.94, 0.7), (1, 1)], bread)
    s.rect(0, 0.5, 1, 0.72, (90, 170, 70))
    s.rect(0.04, 0.42, 0.96, 0.54, (210, 80, 60))
    s.poly([(0.02, 0.45), (0.2, 0), (0.8, 0), (0.98, 0.45)], bread)


def _shelf(s: _Sketch, rng: Rng) -> None:
    c = _wood(rng)
    s.rect(0, 0, 1, 1, tint(c, 0.5))
    for y in (0, 0.31, 0.63, 0.93):
        s.rect(0, y, 1, y + 0.07, c)
    for x in (0, 0.93):
        s.rect(x, 0, x + 0.07, 1, c)
    for y in (0.12, 0.43, 0.75):
        for x in np.arange(0.12, 0.75, 0.14):
            if rng.random() < 0.7:
                s.rect(float(x), y, float(x) + 0.1, y + 0.19, _cloth(rng))


def _shoe(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.3, 0.95), (0.3, 0.9))
    s.poly([(0, 0), (0.4, 0), (0.55, 0.4), (0.9, 0.5), (1, 0.85), (0, 0.85)], c)
    s.rect(0, 0.8, 1, 1, WHITE)
    s.rect(0.35, 0.2, 0.5, 0.3, WHITE)


def _sofa(s: _Sketch, rng: Rng) -> None:
    c = _cloth(rng)
    s.poly([(0.05, 0.04), (0.1, 0), (0.9, 0), (0.95, 0.04), (0.95, 0.6), (0.05, 0.6)], tint(c, 0.8))
    s.rect(0.49, 0.02, 0.51, 0.56, tint(c, 0.6))
    s.rect(0.06, 0.54, 0.94, 0.76, tint(c, 1.15))
    s.rect(0.06, 0.74, 0.94, 0.92, c)
    for x in (0, 0.88):
        s.poly([(x, 0.34), (x + 0.12, 0.34), (x + 0.12, 1), (x, 1)], tint(c, 0.7))


def _table(s: _Sketch, rng: Rng) -> None:
    c = _wood(rng) if rng.random() < 0.8 else WHITE
    for x in (0.05, 0.88):
        s.rect(x, 0.12, x + 0.07, 1, tint(c, 0.7))
    s.rect(0.05, 0.16, 0.95, 0.3, tint(c, 0.8))
    s.poly([(0.04, 0), (0.96, 0), (1, 0.2), (0, 0.2)], c)


def _television(s: _Sketch, rng: Rng) -> None:
    s.rect(0.4, 0.85, 0.6, 0.97, STEEL)
    s.rect(0.28, 0.94, 0.72, 1, STEEL)
    s.rect(0, 0, 1, 0.88, BLACK)
    s.rect(0.04, 0.05, 0.96, 0.82, paint(rng, (0.5, 0.8), (0.4, 0.8), (0.35, 0.9)))
    s.oval(0.3, 0.2, 0.55, 0.6, paint(rng, (0, 1), (0.4, 0.8), (0.6, 0.95)))


def _towel(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.2, 0.6), (0.65, 0.98))
    s.poly([(0.05, 0), (0.95, 0.03), (1, 0.95), (0.5, 1), (0, 0.96)], c)
    s.rect(0.03, 0.12, 0.97, 0.2, tint(c, 0.6))
    s.rect(0.03, 0.78, 0.97, 0.86, tint(c, 0.6))


def _vacuum(s: _Sketch, rng: Rng) -> None:
    c = paint(rng, (0, 1), (0.6, 0.95), (0.4, 0.85))
    s.poly([(0.6, 0), (0.76, 0), (0.5, 0.7), (0.36, 0.7)], STEEL)
    s.oval(0.2, 0.4, 0.68, 0.85, c)
    s.poly([(0.15, 0.82), (0.7, 0.82), (1, 1), (0, 1)], BLACK)


def _window(s: _Sketch, rng: Rng) -> None:
    frame = WHITE if rng.random() < 0.6 else _wood(rng)
    s.rect(0, 0, 1, 1, frame)
    s.rect(0.07, 0.07, 0.93, 0.9, paint(rng, (0.52, 0.6), (0.25, 0.6), (0.75, 1.0)))
    s.rect(0.47, 0.05, 0.53, 0.92, frame)
    s.rect(0.05, 0.46, 0.95, 0.52, frame)


_DRAW: dict[str, Callable[[_Sketch, Rng], None]] = {
    "bag": _bag, "bed": _bed, "blanket": _blanket, "book": _book, "box": _box, "broom": _broom, "chair": _chair,
    "closet/cabinet": _closet, "clothes": _clothes, "cup/glass/bottle": _cup, "dish": _dish, "door": _door, "doorknob": _doorknob,
    "doorway": _doorway, "floor": _floor, "food": _food, "groceries": _groceries, "laptop": _laptop, "light": _light,
    "medicine": _medicine, "mirror": _mirror, "paper/notebook": _paper, "phone/camera": _phone, "picture": _picture,
    "pillow": _pillow, "refrigerator": _refrigerator, "sandwich": _sandwich, "shelf": _shelf, "shoe": _shoe, "sofa/couch": _sofa,
    "table": _table, "television": _television, "towel": _towel, "vacuum": _vacuum, "window": _window,
}  # fmt: skip


def look(name: str, rng: np.random.Generator) -> Look:
    """Shapes of one thing of class ``name``."""
    sketch = _Sketch()
    _DRAW[name](sketch, rng)
    return tuple(sketch.shapes)
