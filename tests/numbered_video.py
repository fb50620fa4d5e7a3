"""Videos for tests, in which every picture carries its own number in big black and white squares, so that a wrong one is seen."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vidsgg.io.images import Image

WIDTH, HEIGHT, BITS = 128, 96, 8


def numbered(number: int) -> Image:
    """A grey picture whose top row of squares spells ``number`` in binary."""
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for bit in range(BITS):
        picture[:32, bit * 16 : bit * 16 + 16] = 255 * (number >> bit & 1)
    return picture


def number_of(picture: Image) -> int:
    return sum(1 << bit for bit in range(BITS) if picture[16, bit * 16 + 8].mean() > 127)


def write(path: Path, frames: int = 60, gop: int = 12, stamps: list[int] | None = None, codec: str = "libx264", **more: str) -> Path:
    """Frames 1..n; ``stamps``: their times in milliseconds, else 25 frames a second."""
    with av.open(str(path), "w", format=more.pop("format", None)) as out:
        stream = out.add_stream(codec, rate=25, options={"g": str(gop), "bf": "2", **more} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(i + 1), format="rgb24")
            frame.pts, frame.time_base = (40 * i if stamps is None else stamps[i]), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path
