"""The pictures behind a page: a small video, a picture for every graph, or nothing."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from PIL import Image
from tqdm import tqdm

from vidsgg.errors import DataError, counted
from vidsgg.io.encoding import Encoding, encode_video, has_encoder
from vidsgg.io.footage import FootageFrame, sample
from vidsgg.io.locations import Location
from vidsgg.io.video import VideoReader
from vidsgg.status import hides_bars
from vidsgg.structures.graph import VideoGraph
from vidsgg.viewer.graphs import Picture
from vidsgg.viewer.pictures import graph_footage, is_video_file, pictures_of

LONGEST = 1800.0  # seconds that one page holds
_PICTURES_A_SECOND, _GROUP = 30.0, 30  # a jump decodes a second at most
# A page should open at once: 30 seconds stay below 15 MB, any length below 60.
_BITS_A_SECOND, _MOST_BYTES = 2_500_000, 40_000_000
_ATTEMPTS = ((26, 1.0), (31, 1.0), (36, 0.75), (42, 0.5))  # x264's rate factor, and part of the width


@dataclass(frozen=True)
class Media:
    """video: an MP4 (H.264) that begins at ``begin`` and lasts for ``duration`` seconds. pictures:
    a JPEG for every frame of the graph, None for those that cannot be had. Neither: the page shows
    boxes on an empty ground.
    """

    video: bytes | None = None
    begin: float = 0.0
    duration: float = 0.0
    pictures: tuple[bytes | None, ...] = ()

    @property
    def kind(self) -> str:
        return "video" if self.video is not None else "pictures" if self.pictures else "none"

    def encoded(self) -> list[str]:
        """As text: the video, or a row for every picture, empty for those that are not there."""
        parts = [self.video] if self.video is not None else self.pictures
        return [base64.b64encode(part).decode() if part else "" for part in parts]


def times_of(graph: VideoGraph, video: Location | None) -> list[float] | None:
    """Seconds of every frame: the graph's own, else those of the video file's frames with these
    numbers, else None."""
    known = [frame.time for frame in graph.frames if frame.time is not None]
    if len(known) == len(graph.frames):
        return known
    if video is None or not is_video_file(video):
        return None
    reader = VideoReader(video)
    if reader.times is None:
        return None
    for frame in graph.frames:
        if frame.number > reader.count:
            raise DataError(
                f"{video}: has {counted(reader.count, 'frame')}, the graph of {graph.video_id!r} one with number {frame.number}."
            )
    return [reader.times[frame.number - 1] for frame in graph.frames]


def media_of(
    graph: VideoGraph,
    times: Sequence[float] | None,
    video: Location,
    width: int,
    begin: float | None = None,
    end: float | None = None,
    notes: list[str] | None = None,
) -> Media:
    """A video file made small, or a picture for every frame out of a folder of pictures.

    times: seconds of the graph's frames. begin, end: seconds of the video that are wanted, by
    default all. notes: gets what a reader should know. Without an H.264 encoder a video becomes
    pictures too. Raises DataError if what is there is not the graph's: of another shape, or too
    short.
    """
    notes = [] if notes is None else notes
    if not is_video_file(video):
        return _pictures(graph, video, width)
    if times is None or not has_encoder():
        notes.append(
            "The video tells no times, so each graph has one picture."
            if has_encoder()
            else "PyAV has no H.264 encoder here, so each graph has one picture; pip install av brings one."
        )
        return _pictures(graph, video, width)
    numbers = _numbers(VideoReader(video), times, begin, end)
    for quality, part in _ATTEMPTS:
        footage = graph_footage(graph.frames, video, numbers)
        frames = _timed(graph, footage.frames(), video, len(numbers))
        first = next(frames)
        content, lasts = encode_video(
            chain([first], frames), Encoding(max(64, int(width * part)), quality, group=_GROUP)
        )
        if len(content) <= min(_BITS_A_SECOND / 8 * max(lasts, 1.0), _MOST_BYTES):
            break
    notes += footage.notes
    return Media(video=content, begin=first[0], duration=lasts)


def _pictures(graph: VideoGraph, video: Location, width: int) -> Media:
    return picture_media(_checked(graph, pictures_of(graph.frames, video), video), width)


def _checked(graph: VideoGraph, images: Iterable[Picture | None], place: Location) -> Iterator[Picture | None]:
    for image in images:
        if image is not None:
            _check_shape(graph, image, place)
        yield image


def _numbers(reader: VideoReader, times: Sequence[float], begin: float | None, end: float | None) -> list[int]:
    """Frames for the page, from 1: at most 30 a second. Of videos far longer than the graph, what
    the graph tells of."""
    if reader.times is None:
        return list(range(1, reader.count + 1))
    if reader.times[-1] > LONGEST:
        begin, end = times[0] if begin is None else begin, times[-1] + 1 if end is None else end
    low, high = begin or 0.0, reader.times[-1] if end is None else end
    found = [i + 1 for i in sample(reader.times, _PICTURES_A_SECOND) if low - 1e-6 <= reader.times[i] <= high + 1e-6]
    return found or [1 + max(i for i, time in enumerate(reader.times) if time <= low)]


def _timed(
    graph: VideoGraph, frames: Iterable[FootageFrame], video: Location, count: int
) -> Iterator[tuple[float, Picture]]:
    for frame in tqdm(frames, total=count, desc=f"{video.name}: page", unit="frame", disable=hides_bars(), leave=False):
        _check_shape(graph, frame.image, video)
        yield frame.time or 0.0, frame.image


def _check_shape(graph: VideoGraph, image: Picture, place: Location) -> None:
    height, width = image.shape[:2]
    sizes = {(frame.width, frame.height) for frame in graph.frames}
    if all(abs(width * h - height * w) > 0.02 * w * height for w, h in sizes):
        w, h = next(iter(sizes))
        raise DataError(
            f"{place}: is {width}x{height} pixels, the graph of {graph.video_id!r} is of {w:g}x{h:g}; name the video it"
            " was made from."
        )


def picture_media(images: Iterable[Picture | None], width: int) -> Media:
    """images: RGB (H, W, 3) uint8 of every frame. width: pixels to which wider ones are reduced."""
    return Media(pictures=tuple(None if image is None else _jpeg(image, width) for image in images))


def _jpeg(image: Picture, width: int) -> bytes:
    picture = Image.fromarray(image)
    if picture.width > width:
        picture = picture.resize(
            (width, max(1, round(picture.height * width / picture.width))), Image.Resampling.LANCZOS
        )
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
