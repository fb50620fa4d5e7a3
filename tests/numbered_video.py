"""Videos for tests, in which every picture carries its own number in big black and white squares,
so that a wrong one is seen."""

from __future__ import annotations

import struct
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


def write(
    path: Path,
    frames: int = 60,
    gop: int = 12,
    stamps: list[int] | None = None,
    codec: str = "libx264",
    aspect: int | Fraction = 1,
    **more: str,
) -> Path:
    """Frames 1..n; ``stamps``: their times in milliseconds, else 25 frames a second. aspect: a
    pixel's width against its height."""
    with av.open(str(path), "w", format=more.pop("format", None)) as out:
        stream = out.add_stream(
            codec, rate=25, options={"g": str(gop), "bf": "2", **more} if codec == "libx264" else {}
        )
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base, stream.codec_context.sample_aspect_ratio = Fraction(1, 1000), Fraction(aspect)
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(numbered(i + 1), format="rgb24")
            frame.pts, frame.time_base = (40 * i if stamps is None else stamps[i]), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def mark_turned(path: Path, a: int, b: int, c: int, d: int) -> Path:
    """Writes into an MP4 that (x, y) is to be shown at (a x + c y, b x + d y), and so much further
    that nothing is negative."""
    data, unit = bytearray(path.read_bytes()), 1 << 16
    header = data.index(b"tkhd")
    right, down = max(0, -a) * WIDTH + max(0, -c) * HEIGHT, max(0, -b) * WIDTH + max(0, -d) * HEIGHT
    data[header + 44 : header + 80] = struct.pack(
        ">9i", a * unit, b * unit, 0, c * unit, d * unit, 0, right * unit, down * unit, 1 << 30
    )
    path.write_bytes(data)
    return path
