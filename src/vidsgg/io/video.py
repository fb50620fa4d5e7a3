"""Frames of a video file, by number, decoding only what is needed.

Frame n is the n-th picture, counted from 1, that comes out of the decoder when it decodes
everything from the start. Frames are found by their time stamps, never by n / fps; where the stamps
do not tell (frame_index.py), they are counted.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path

import av
from av.stream import Disposition

from vidsgg.errors import DataError
from vidsgg.io.constant_rate import ConstantRate, constant_rate
from vidsgg.io.containers import bound_frames, open_container
from vidsgg.io.display import displayed, square_size
from vidsgg.io.frame_index import index_frames, pictures
from vidsgg.io.images import Image
from vidsgg.io.locations import Location

# A seek empties the decoder and fills it again, which takes as long as decoding about this many
# frames (measured on H.264 of 480 x 270 pixels with two threads); skipping fewer is no gain.
_SEEK_COST = 20
_STILL = Disposition.attached_pic | Disposition.timed_thumbnails


class VideoReader:
    """Random access to the pictures of a video. Holds an index of the file, 24 bytes a frame, but
    no open handle, so it may go to other processes.

    count: number of frames. fps: average rate, None if the file does not tell. times: seconds of
    every frame since the first, increasing, None for streams without time stamps. lost: seconds
    that the file announces but does not hold, because its end is missing. refused: packets that the
    decoder could not use, where all have been decoded to count the frames.
    as_stored: keep pixels that are not square as they are stored; otherwise pictures are stretched
    as a viewer shows them (``io/display.py``). Raises DataError naming the file if it is missing,
    has no video, cannot be read, or if its frames are too large.
    """

    def __init__(self, path: Location, *, as_stored: bool = False) -> None:
        self.path, self._as_stored = path, as_stored
        index = index_frames(partial(_opened, path))
        if index.count == 0:
            raise DataError(f"{path}: has no frame; copy or download it again.")
        self.count, self.fps, self.times, self.lost, self.refused = (
            index.count,
            index.fps,
            index.times,
            index.lost,
            index.refused,
        )
        self._stamps, self._keys, self._seeks = index.stamps, index.keys, index.seeks
        self._durations, self._pace = index.durations, index.pace

    def dumped(self) -> ConstantRate | None:
        """Which frame each file of ``ffmpeg -i VIDEO %06d.png`` shows; None if the video tells no
        times or rate to count by."""
        return (
            None if self.times is None or self._pace is None else constant_rate(self.times, self._durations, self._pace)
        )

    def dumped_frames(self, files: Sequence[int]) -> list[int]:
        """The frames that these files show, by number; of a video without times or rate, file N
        shows frame N.

        Raises DataError if ffmpeg would write no such file.
        """
        dumped = self.dumped()
        count = self.count if dumped is None else dumped.count
        for number in files:
            if not 1 <= number <= count:
                raise DataError(
                    f"{self.path}: frame {number} was asked for, the video has frames 1..{count} as ffmpeg dumps them."
                )
        return list(files) if dumped is None else [dumped.picture(number) for number in files]

    def read(self, numbers: Sequence[int]) -> list[Image]:
        """Frames ``numbers`` (from 1, any order, repeats allowed) as RGB (H, W, 3) uint8, in the
        given order.

        Raises DataError naming the file for a number outside the video and for a frame that cannot
        be decoded.
        """
        wanted = sorted(set(numbers))
        found = dict(zip(wanted, self.frames(wanted), strict=True))
        return [found[number] for number in numbers]

    def frames(self, numbers: Sequence[int]) -> Iterator[Image]:
        """Frames ``numbers``, which must increase, one after the other; as ``read``, but only one
        is held at a time."""
        for number in numbers:
            if not 1 <= number <= self.count:
                raise DataError(f"{self.path}: frame {number} was asked for, the video has frames 1..{self.count}.")
        if any(after <= before for before, after in pairwise(numbers)):
            raise ValueError("frame numbers must increase; VideoReader.read takes them in any order")
        yield from self._frames(numbers, may_seek=True)

    def _frames(self, numbers: Sequence[int], may_seek: bool) -> Iterator[Image]:
        """As ``frames``. Positions count from 0."""
        with _opened(self.path) as (container, stream):
            decoded = self._decode(container, stream, 0)
            position, frame = -1, None  # the last picture that came out
            sought = False
            for i, target in enumerate(number - 1 for number in numbers):
                key = bisect_right(self._keys, target) - 1
                if may_seek and key >= 0 and self._keys[key] - position > _SEEK_COST:
                    if position < 0:  # what the first packet alone says (x264's version, headers) the decoder keeps
                        next(decoded, None)
                    container.seek(self._seeks[key], stream=stream, backward=True)
                    decoded = self._decode(container, stream, self._keys[key])
                    sought = True
                position, frame = next((found for found in decoded if found[0] >= target), (self.count, None))
                intact = frame is not None and position == target and not frame.is_corrupt
                if sought and not intact:  # some containers (MPEG-TS) seek too far; decoding from the start cannot
                    yield from self._frames(numbers[i:], may_seek=False)
                    return
                if frame is None or not intact:
                    place = f"{self.path}: frame {target + 1} of {self.count}"
                    raise DataError(f"{place} cannot be decoded; the file is damaged, copy or download it again.")
                yield displayed(frame, None if self._as_stored else stream.sample_aspect_ratio, self.path)

    def _decode(
        self, container: av.container.InputContainer, stream: av.VideoStream, start: int
    ) -> Iterator[tuple[int, av.VideoFrame]]:
        """(position from 0, picture) in presentation order. Pictures before ``start`` may lack what
        they refer to and are left out."""
        for count, frame in enumerate(pictures(container, stream)):
            position = count if self._stamps is None else self._place(frame.pts)
            if position >= start:
                yield position, frame

    def _place(self, stamp: int | None) -> int:
        """The position of the frame with that time stamp, -1 if there is none."""
        assert self._stamps is not None
        place = -1 if stamp is None else bisect_left(self._stamps, stamp)
        return place if 0 <= place < self.count and self._stamps[place] == stamp else -1


def read_dumped_frames(path: Location, files: Sequence[int]) -> list[Image]:
    """The pictures of a data set's video that files with these numbers hold after ``ffmpeg -i VIDEO
    %06d.png``: upright, pixels as stored.

    See VideoReader.read and VideoReader.dumped.
    """
    if isinstance(path, Path) and path.is_file():
        found = path.stat()
        reader = _reader_of(path, found.st_size, found.st_mtime_ns)
    else:
        reader = VideoReader(path, as_stored=True)
    return reader.read(reader.dumped_frames(files))


@lru_cache(maxsize=64)
def _reader_of(path: Path, size: int, changed: int) -> VideoReader:
    """The reader of a file of that size and time of change: its index is made once while a few videos
    are read picture by picture."""
    return VideoReader(path, as_stored=True)


def picture_sizes(path: Location) -> tuple[tuple[int, int], tuple[int, int]]:
    """Width and height of a video's pictures before they are turned: as stored, and with square
    pixels, as they are shown."""
    with _opened(path) as (_, stream):
        return (stream.width, stream.height), square_size(stream.width, stream.height, stream.sample_aspect_ratio)


@contextmanager
def _opened(path: Location) -> Iterator[tuple[av.container.InputContainer, av.VideoStream]]:
    """The file and its video track; what PyAV raises meanwhile becomes a DataError that names the
    file."""
    with open_container(path) as container:
        stream = _track(container, path)
        bound_frames(path, stream)
        stream.thread_type = "AUTO"
        yield container, stream


def _track(container: av.container.InputContainer, path: Location) -> av.VideoStream:
    """The track that the ffmpeg program takes: of those that move the one marked as default, then
    the largest, then the first."""
    moving = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    if not moving:
        cover = ", only a cover picture" if container.streams.video else ""
        raise DataError(f"{path}: has no video track{cover}.")
    decodable = [stream for stream in moving if stream.codec_context is not None]
    if not decodable:
        raise DataError(
            f"{path}: FFmpeg has no decoder for its video track; the file may be damaged. Convert it to MP4, or get it"
            " again."
        )
    return max(
        decodable, key=lambda stream: (bool(stream.disposition & Disposition.default), stream.width * stream.height)
    )
