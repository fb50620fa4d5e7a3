"""Pictures with their times as H.264 in MP4, which every browser plays."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.codec.codec
import av.error
import numpy as np
from av.video.reformatter import Colorspace
from PIL import Image as Pillow
from PIL import ImageOps

from vidsgg.errors import ConfigError, DataError
from vidsgg.io.atomic import whole_path
from vidsgg.io.images import Image

TICK = Fraction(1, 90_000)  # seconds; the usual rates (24, 25, 30, 30000/1001, ...) are whole numbers of it
_NEVER_SHORTER = 0.001  # seconds that a picture lasts at least
_BT709, _LIMITED = 1, 1  # FFmpeg's numbers for the colours of HD television


@dataclass(frozen=True)
class Encoding:
    """width: pixels at most, None for as wide as the pictures. quality: x264's constant rate
    factor, 0 (lossless) to 51. preset: x264's.
    group: pictures at most from one that can be jumped to to the next; few make jumping fast, and
    the file larger.
    """

    width: int | None = None
    quality: int = 23
    preset: str = "veryfast"
    group: int = 250


def write_video(
    path: Path, frames: Iterable[tuple[float, Image]], encoding: Encoding = Encoding(), last: float = 0.04
) -> float:
    """A video file that is there whole or not at all; only one or two pictures are held at a time.

    frames: seconds, increasing, and RGB (H, W, 3) uint8. The first picture stands at the beginning
    of the video, the others as much later as they were; the last is shown for ``last`` seconds. The
    first one's size, made even, is the video's; pictures of another shape are shrunk into it on
    black. There is no sound, and the index stands first, so that browsers begin at once. Returns
    the seconds that the video lasts. Raises ConfigError if the installed PyAV has no H.264 encoder,
    DataError if there is no picture, times do not increase, or the file cannot be written.
    """
    check_encoder()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_path(path) as temporary:
            return _write(path, temporary, frames, encoding, last)
    except (OSError, av.error.FFmpegError) as error:
        raise DataError(f"cannot write {path}: {error.strerror}.") from error


def encode_video(
    frames: Iterable[tuple[float, Image]], encoding: Encoding = Encoding(), last: float = 0.04
) -> tuple[bytes, float]:
    """As write_video: the file's content, and the seconds that it lasts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        lasts = write_video(path, frames, encoding, last)
        return path.read_bytes(), lasts


def has_encoder() -> bool:
    """Whether videos can be written with the installed PyAV."""
    return "libx264" in av.codec.codecs_available


def check_encoder() -> None:
    """Raises ConfigError if videos cannot be written: no other codec is played by every browser."""
    if not has_encoder():
        raise ConfigError(
            f"the installed PyAV {av.__version__} was built without libx264, so no video can be written; install"
            " the one from PyPI, which has it: pip install --force-reinstall --no-deps --only-binary av av"
        )


def _write(
    path: Path, temporary: Path, frames: Iterable[tuple[float, Image]], encoding: Encoding, last: float
) -> float:
    with av.open(str(temporary), "w", format="mp4", options={"movflags": "faststart"}) as out:
        stream: av.VideoStream | None = None
        lengths: dict[int, int] = {}  # of pictures inside the encoder, which forgets them
        end = 0
        for pts, length, image in _timed(path, frames, last):
            stream = stream or _track(out, image, encoding)
            lengths[pts], end = length, pts + length
            _mux(out, stream.encode(_frame(image, stream, pts)), lengths)
        if stream is None:
            raise DataError(f"{path}: there is no picture to write.")
        _mux(out, stream.encode(), lengths)
    return float(end * TICK)


def _mux(
    out: av.container.OutputContainer, packets: Iterable[av.Packet[av.VideoStream]], lengths: dict[int, int]
) -> None:
    for packet in packets:
        assert packet.pts is not None
        packet.duration = lengths.pop(packet.pts)
        out.mux(packet)


def _timed(path: Path, frames: Iterable[tuple[float, Image]], last: float) -> Iterator[tuple[int, int, Image]]:
    """Begin and length in ticks of every picture."""
    begin: float | None = None
    before: tuple[int, Image] | None = None
    for time, image in frames:
        begin = time if begin is None else begin
        pts = round((time - begin) / TICK)
        if before is not None:
            if pts <= before[0]:
                raise DataError(
                    f"{path}: a picture of {time} seconds follows one that is not earlier; times must increase."
                )
            yield before[0], pts - before[0], before[1]
        before = pts, image
    if before is not None:
        yield before[0], max(1, round(max(last, _NEVER_SHORTER) / TICK)), before[1]


def _track(out: av.container.OutputContainer, image: Image, encoding: Encoding) -> av.VideoStream:
    height, width = image.shape[:2]
    scale = min(1.0, (encoding.width or width) / width)
    # No B-frames: pictures are stored as they are shown, or the file would tell a wrong length
    # where their times are uneven.
    stream = out.add_stream(
        "libx264",
        options={"crf": str(encoding.quality), "preset": encoding.preset, "bf": "0", "g": str(encoding.group)},
    )
    stream.width, stream.height = _even(width * scale), _even(height * scale)
    stream.pix_fmt = "yuv420p"
    codec = stream.codec_context
    codec.time_base = stream.time_base = TICK
    codec.color_range, codec.colorspace, codec.color_primaries, codec.color_trc = _LIMITED, _BT709, _BT709, _BT709
    return stream


def _even(side: float) -> int:
    """H.264 with 4:2:0 colours knows no odd sides."""
    return max(2, 2 * round(side / 2))


def _frame(image: Image, stream: av.VideoStream, pts: int) -> av.VideoFrame:
    height, width = image.shape[:2]
    size = stream.width, stream.height
    if abs(width / height - size[0] / size[1]) * min(height, size[1]) > 4:  # more than evening out can have changed
        image = np.asarray(ImageOps.pad(Pillow.fromarray(image), size))
    given = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    frame = given.reformat(*size, "yuv420p", dst_colorspace=Colorspace.ITU709, interpolation="AREA")
    frame.pts, frame.time_base = pts, TICK
    return frame
