"""Films of moving pictures in any codec and container, and what a plain decoder makes of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import av.error
import numpy as np

from vidsgg.io.images import Image


@cache
def scene(number: int, width: int = 96, height: int = 64) -> Image:
    """Blobs that move in front of others; every 40 pictures something else. Neighbours differ, and
    no two pictures are the same."""
    shot = number // 40
    rng = np.random.default_rng(shot)
    y, x = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3))
    for _ in range(4):
        phase, speed, wave = rng.uniform(0, 6, 3), rng.uniform(0.05, 0.3, 2), rng.uniform(6, 20, 2)
        ground = np.sin(x / wave[0] + number * speed[0]) + np.cos(y / wave[1] - number * speed[1])
        picture += 20 * np.sin(ground[:, :, None] * 2 + phase)
    left, top = (7 * number) % (width - 16), (5 * number) % (height - 16)
    picture[top : top + 16, left : left + 16] = 90 * np.sin(number + np.arange(3))
    return np.clip(picture + 128, 0, 255).astype(np.uint8)


def film(
    path: Path,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    frames: int = 100,
    times: Sequence[Fraction] | None = None,
    container: str | None = None,
    size: tuple[int, int] = (96, 64),
    rate: int | Fraction = 25,
    first: int = 0,
    base: Fraction | None = None,
    **options: str,
) -> Path:
    """Pictures ``first``, ... of the scene. times: seconds of each, by default as the rate says.
    base: of the stamps, by default 1/rate."""
    base = base or 1 / Fraction(rate)
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.codec_context.time_base = base
        for i in range(frames):
            frame = av.VideoFrame.from_ndarray(scene(first + i, *size), format="rgb24")
            frame.pts, frame.time_base = round((times[i] if times else i / Fraction(rate)) / base), base
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return path


def decoded(path: Path, track: int = 0) -> list[Image]:
    """Everything that comes out of the decoder, from the start, without threads that could
    matter."""
    pictures = []
    with av.open(str(path)) as container:
        stream = container.streams.video[track]
        stream.thread_type = "NONE"
        for packet in container.demux(stream):
            try:
                pictures += [frame.to_ndarray(format="rgb24") for frame in packet.decode()]
            except av.error.InvalidDataError:
                continue
    return pictures


def packets(path: Path) -> list[bytes]:
    """The packets of the first video track."""
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]


def remuxed(
    source: Path, path: Path, contents: Iterable[bytes] | None = None, step: Fraction | None = None, **options: str
) -> Path:
    """The first video track in another container. contents: other packets, one each ``step``
    seconds, shown in that order."""
    with av.open(str(source)) as given, av.open(str(path), "w", options=options) as out:
        track = out.add_stream_from_template(given.streams.video[0])
        if contents is None:
            for packet in given.demux(given.streams.video[0]):
                if packet.dts is not None:
                    packet.stream = track
                    out.mux(packet)
            return path
        assert step is not None
        for i, content in enumerate(contents):
            packet = av.Packet(content)
            packet.stream, packet.time_base = track, Fraction(1, math.lcm(step.denominator, 1000))
            packet.pts = packet.dts = round(i * step / packet.time_base)
            packet.is_keyframe = i == 0
            out.mux(packet)
    return path
