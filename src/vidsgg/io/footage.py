"""Somebody's own pictures: a video file, or a folder of pictures in the order of their names, as
frames with their times."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar, cast

import numpy as np

from vidsgg.errors import DataError
from vidsgg.io.images import Image, read_image
from vidsgg.io.locations import Location
from vidsgg.io.video import VideoReader

PICTURES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
VIDEOS = frozenset(
    (
        ".mp4",
        ".mkv",
        ".avi",
        ".mov",
        ".webm",
        ".m4v",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".m2ts",
        ".flv",
        ".wmv",
        ".3gp",
        ".ogv",
        ".h264",
    )
)
P = TypeVar("P", bound=Location)
Wanted = Collection[int] | Literal["all"] | None
FramesDone = Callable[[int, int], None]  # called with the number of frames that are done, and with that of all
_GIVE_UP = 25  # frames in a row that cannot be decoded, after which the rest of a video is not tried


@dataclass(frozen=True, eq=False)
class FootageFrame:
    """key: a name. number: from 1, of the frame in the video. time: seconds since the first frame,
    None if unknown. image: RGB (H, W, 3)."""

    key: str
    number: int
    time: float | None
    image: Image


def frame_bytes(frame: FootageFrame) -> int:
    """Of its picture, see ``io.ahead``."""
    return int(frame.image.nbytes)


class Footage(ABC):
    """Frames that are wanted of a video. name: what it is called in graphs. count: frames of the
    video, wanted or not.

    numbers: of the wanted ones, increasing, counted from 1. notes: what could not be read; complete
    once all frames have been read.
    """

    name: str
    count: int
    numbers: Sequence[int]
    notes: list[str]

    @abstractmethod
    def frames(self) -> Iterator[FootageFrame]:
        """The wanted frames in order, one held at a time. Those that cannot be decoded are left out
        and noted. Raises DataError if none can."""

    @abstractmethod
    def time_of(self, number: int) -> float:
        """Seconds from the first frame to frame ``number``, wanted or not."""


def open_footage(path: Location, fps: float, wanted: Wanted = None, *, as_stored: bool = False) -> Footage:
    """A video file, a picture, or a folder of pictures.

    fps: frames a second that are wanted of a video; of pictures, which are all wanted, how many
    were taken a second. wanted: numbers of frames in place of those, or "all". as_stored: of a
    video whose pixels are not square, see VideoReader. Raises DataError naming the file if it holds
    neither, or has no such frame.
    """
    if path.is_dir() or path.suffix.lower() in PICTURES:
        return _PictureFolder(path, fps, wanted)
    return _VideoFile(path, fps, wanted, as_stored)


def sample(times: Sequence[float], fps: float) -> list[int]:
    """Positions of the frames that are on the screen at 0, 1/fps, 2/fps, ... seconds, each once.
    times: increasing, of all frames."""
    since = np.asarray(times, np.float64) - 1e-6
    # the first one at which a frame has begun; it is on the screen if the next has not
    tick = np.maximum(np.ceil(since * fps), 0)
    shown = np.append(tick[:-1] / fps < since[1:], tick[-1] <= np.floor(times[-1] * fps + 1e-6))
    positions: list[int] = np.flatnonzero(shown).tolist()
    return positions


def picture_files(folder: P) -> list[P]:
    """The pictures of a folder in the order of their names, with numbers in them by value."""
    inside = cast(Iterator[P], folder.iterdir())
    found = [file for file in inside if file.suffix.lower() in PICTURES and not file.name.startswith(".")]
    return sorted(
        found,
        key=lambda file: (
            [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", file.name)],
            file.name,
        ),
    )


def shown(name: str) -> str:
    """A file's name as text that can be written anywhere: bytes of it that are no text are
    replaced."""
    return name.encode("utf-8", "replace").decode("utf-8")


class _VideoFile(Footage):
    def __init__(self, path: Location, fps: float, wanted: Wanted, as_stored: bool) -> None:
        self._reader = reader = VideoReader(path, as_stored=as_stored)
        self.name, self.count, self.notes = shown(path.name), reader.count, list[str]()
        if reader.lost:
            self.notes.append(f"the end of the file is missing: {reader.lost:.1f} seconds after frame {reader.count}")
        if reader.refused:
            self.notes.append(f"{reader.refused} packets of the file cannot be decoded and are left out")
        if reader.times is not None:
            self._times: Sequence[float] = reader.times
        elif reader.fps:
            self._times = [i / reader.fps for i in range(reader.count)]
        else:
            raise DataError(
                f"{path}: contains neither the times of its frames nor their rate; put it into a container (ffmpeg -i"
                " ... out.mp4)."
            )
        self.numbers = (
            _checked(path, wanted, reader.count) if wanted is not None else [i + 1 for i in sample(self._times, fps)]
        )

    def time_of(self, number: int) -> float:
        return round(self._times[number - 1], 6)

    def frames(self) -> Iterator[FootageFrame]:
        damaged: dict[int, str] = {}
        for number, image in self._decoded(damaged):
            yield FootageFrame(f"{self.name}/{number:06d}", number, self.time_of(number), image)
        if len(damaged) == len(self.numbers):
            raise DataError(
                f"{self._reader.path}: no frame can be decoded; the first message was: {next(iter(damaged.values()))}"
            )
        self.notes += _left_out(damaged, len(self.numbers))

    def _decoded(self, damaged: dict[int, str]) -> Iterator[tuple[int, Image]]:
        """Numbers and pictures; numbers without one go to ``damaged``, with the reason. After
        damage, decoding starts again behind it."""
        left, in_a_row = self.numbers, 0
        while left and in_a_row < _GIVE_UP:
            done = 0
            try:
                for image in self._reader.frames(left):
                    yield left[done], image
                    done, in_a_row = done + 1, 0
                return
            except DataError as error:
                damaged[left[done]] = str(error)
                left, in_a_row = left[done + 1 :], in_a_row + 1
        damaged.update(dict.fromkeys(left, "not tried"))


class _PictureFolder(Footage):
    def __init__(self, path: Location, fps: float, wanted: Wanted) -> None:
        self._path, self._files = path, picture_files(path) if path.is_dir() else [path]
        if not self._files:
            raise DataError(f"{path}: holds no picture ({', '.join(sorted(PICTURES))}).")
        self.name, self.count, self.notes = shown(path.resolve().name), len(self._files), list[str]()
        self.numbers = (
            _checked(path, wanted, len(self._files)) if wanted is not None else list(range(1, len(self._files) + 1))
        )
        self._fps = fps

    def time_of(self, number: int) -> float:
        return round((number - 1) / self._fps, 6)

    def frames(self) -> Iterator[FootageFrame]:
        damaged: dict[int, str] = {}
        for number in self.numbers:
            file = self._files[number - 1]
            try:
                image = read_image(file)
            except DataError as error:
                damaged[number] = str(error)
                continue
            yield FootageFrame(f"{self.name}/{shown(file.name)}", number, self.time_of(number), image)
        if len(damaged) == len(self.numbers):
            first = next(iter(damaged.values()))
            raise DataError(
                first if len(damaged) == 1 else f"{self._path}: no picture can be read; the first message was: {first}"
            )
        for note in _left_out(damaged, len(self.numbers)):
            number, why = next(iter(damaged.items()))
            # Without the path, which says where somebody keeps their files: notes become part of
            # the graph.
            self.notes.append(f"{note} ({why.removeprefix(f'{self._files[number - 1]}: ')})")


def _checked(path: Location, wanted: Collection[int] | Literal["all"], count: int) -> Sequence[int]:
    if wanted == "all":
        return range(1, count + 1)
    numbers = sorted(set(wanted))
    for number in numbers:
        if not 1 <= number <= count:
            raise DataError(f"{path}: frame {number} was asked for, there are frames 1..{count}.")
    return numbers


def _left_out(damaged: Collection[int], count: int) -> list[str]:
    if not damaged:
        return []
    which = ", ".join(map(str, list(damaged)[:5])) + (", ..." if len(damaged) > 5 else "")
    return [f"{len(damaged)} of {count} frames cannot be decoded and are left out: {which}"]
