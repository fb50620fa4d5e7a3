"""Frames of a video file, by number, decoding only what is needed.

Frame n is the n-th picture of the video in presentation order, counted from 1, as a tool that dumps every frame to
``000001.png, 000002.png, ...`` numbers them. Frames are found by their time stamps, never by n / fps.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import av
import av.error
import numpy as np

from vidsgg.errors import DataError
from vidsgg.io.images import Image

# A seek empties the decoder and fills it again, which takes as long as decoding about this many frames (measured on H.264 of
# 480 x 270 pixels with two threads); skipping fewer is no gain.
_SEEK_COST = 20
_SHORT = 1.0  # seconds: the announced end may lie that far behind the last frame


class VideoReader:
    """Random access to the pictures of a video. Holds an index of the file, 16 bytes a frame, but no open handle, so it may go to other
    processes.

    count: number of frames. fps: average rate, None if the file does not tell. times: seconds of every frame since the first,
    None for streams without time stamps. lost: seconds that the file announces but does not hold, because its end is missing.
    Raises DataError naming the file if it is missing, has no video or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        stamps, packets = array("q"), 0
        keys: list[tuple[int, int]] = []
        with _opened(path) as (container, stream):
            rate, base, announced = stream.average_rate, stream.time_base, _announced(container, stream)
            for packet in container.demux(stream):
                if packet.size == 0 or packet.is_discard:  # the flush packet, and pictures that an edit list cuts away
                    continue
                packets += 1
                if packet.pts is None:
                    continue
                stamps.append(packet.pts)
                if packet.is_keyframe:
                    # Containers index by decoding or by presentation time; the earlier of both never lands behind the key frame.
                    keys.append((packet.pts, packet.pts if packet.dts is None else min(packet.pts, packet.dts)))
        known = np.sort(np.array(stamps, np.int64))
        self.fps = float(rate) if rate else None
        self.times: array[float] | None
        if len(known) == packets and (np.diff(known) > 0).all() and base is not None:
            self.count = packets
            self._stamps: array[int] | None = array("q", known.tobytes())
            keys.sort()
            self._keys = [bisect_left(self._stamps, stamp) for stamp, _ in keys]
            self._seek = [seek for _, seek in keys]
            self.times = array("d", ((known - known[:1]) * base.numerator / base.denominator).tobytes())
            gap = announced - self.times[-1] if packets else 0.0
            self.lost = gap if gap > _SHORT else 0.0
        else:  # a raw stream or an old container without usable time stamps: count pictures as they come, and never seek
            self._stamps, self._keys, self._seek, self.times, self.lost = None, [], [], None, 0.0
            with _opened(path) as (container, stream):
                self.count = sum(1 for _ in _pictures(container, stream))
        if self.count == 0:
            raise DataError(f"{path}: has no frame; copy or download it again.")

    def read(self, numbers: Sequence[int]) -> list[Image]:
        """Frames ``numbers`` (from 1, any order, repeats allowed) as RGB (H, W, 3) uint8, in the given order.

        Raises DataError naming the file for a number outside the video and for a frame that cannot be decoded.
        """
        wanted = sorted(set(numbers))
        found = dict(zip(wanted, self.frames(wanted), strict=True))
        return [found[number] for number in numbers]

    def frames(self, numbers: Sequence[int]) -> Iterator[Image]:
        """Frames ``numbers``, which must increase, one after the other; as ``read``, but only one is held at a time."""
        for number in numbers:
            if not 1 <= number <= self.count:
                raise DataError(f"{self.path}: frame {number} was asked for, the video has frames 1..{self.count}.")
        if any(after <= before for before, after in pairwise(numbers)):
            raise ValueError("frame numbers must increase; VideoReader.read takes them in any order")
        yield from self._frames(numbers, may_seek=True)

    def _frames(self, numbers: Sequence[int], may_seek: bool) -> Iterator[Image]:
        """As ``frames``. Positions count from 0."""
        with _opened(self.path) as (container, stream):
            stream.thread_type = "AUTO"
            decoded = self._decode(container, stream, 0)
            position, frame = -1, None  # the last picture that came out
            sought = False
            for i, target in enumerate(number - 1 for number in numbers):
                key = bisect_right(self._keys, target) - 1
                if may_seek and key >= 0 and self._keys[key] - position > _SEEK_COST:
                    container.seek(self._seek[key], stream=stream, backward=True)
                    decoded = self._decode(container, stream, self._keys[key])
                    sought = True
                position, frame = next((found for found in decoded if found[0] >= target), (self.count, None))
                if position != target and sought:  # some containers (MPEG-TS) seek too far; decoding from the start cannot
                    yield from self._frames(numbers[i:], may_seek=False)
                    return
                if frame is None or position != target or frame.is_corrupt:
                    place = f"{self.path}: frame {target + 1} of {self.count}"
                    raise DataError(f"{place} cannot be decoded; the file is damaged, copy or download it again.")
                yield _upright(frame, self.path)

    def _decode(self, container: av.container.InputContainer, stream: av.VideoStream, start: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """(position from 0, picture) in presentation order. Pictures before ``start`` may lack what they refer to and are left out."""
        for count, frame in enumerate(_pictures(container, stream)):
            position = count if self._stamps is None else self._place(frame.pts)
            if position >= start:
                yield position, frame

    def _place(self, stamp: int | None) -> int:
        """The position of the frame with that time stamp, -1 if there is none."""
        assert self._stamps is not None
        place = -1 if stamp is None else bisect_left(self._stamps, stamp)
        return place if 0 <= place < self.count and self._stamps[place] == stamp else -1


def read_frames(path: Path, numbers: Sequence[int]) -> list[Image]:
    """Frames of a video file by number, from 1; see VideoReader.read."""
    return VideoReader(path).read(numbers)


@contextmanager
def _opened(path: Path) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and its video track; what PyAV raises meanwhile becomes a DataError that names the file."""
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise DataError(f"{path}: has no video track.")
            yield container, container.streams.video[0]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such video.") from error
    except (av.error.FFmpegError, OSError) as error:
        raise DataError(f"{path}: not a readable video ({error}); copy or download it again.") from error


def _pictures(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """All that can be decoded; damage costs the pictures that it hits, not those on their way through the decoder's threads."""
    for packet in container.demux(stream):
        try:
            pictures = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from pictures


def _announced(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Seconds that the file says the video lasts, 0 if it does not say. What lasts as long as the longest track may be the sound."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0


def _upright(frame: av.VideoFrame, path: Path) -> Image:
    """The picture as RGB, turned as the file's rotation mark asks; PyAV itself ignores the mark."""
    turns, rest = divmod(frame.rotation, 90)
    if rest:
        raise DataError(f"{path}: is marked as rotated by {frame.rotation} degrees; re-encode it upright.")
    picture = frame.to_ndarray(format="rgb24")
    return np.ascontiguousarray(np.rot90(picture, turns % 4))
