"""Frames of a camera, a network stream or a pipe as they come: ``vidsgg predict 0``, ``rtsp://...``, ``-``.

A thread decodes. What nobody has taken when the next wanted frame comes is dropped, so a slow model
sees the latest picture and not a queue of old ones. A pipe waits instead, and drops nothing.
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error

from vidsgg.errors import DataError
from vidsgg.io.containers import FORMATS, MOST_FRAME_PIXELS
from vidsgg.io.display import displayed
from vidsgg.io.footage import FootageFrame
from vidsgg.io.images import Image, check_size
from vidsgg.io.locations import is_stream

PIPE = "-"
_CAMERAS = {"linux": ("v4l2", "/dev/video{}"), "darwin": ("avfoundation", "{}:none"), "win32": ("vfwcap", "{}")}
_PATIENCE = 20.0  # seconds without a frame, after which a stream counts as ended
_MOST_CAMERA = 99


def is_live(word: str) -> bool:
    """Whether a word of the command line names a camera by its number, an address or standard input."""
    return word == PIPE or is_stream(word) or (word.isdecimal() and int(word) <= _MOST_CAMERA)


@dataclass
class LiveCounts:
    """What became of the frames that were wanted, so far."""

    taken: int = 0
    dropped: int = 0  # older ones that were replaced before anybody took them
    unreadable: int = 0  # packets that could not be decoded


class LiveVideo:
    """A source of frames without an end of its own. name: what it is called in graphs. counts: see there."""

    def __init__(self, source: str, fps: float, *, descriptor: int = 0) -> None:
        """fps: frames a second that are wanted. descriptor: of the pipe. Raises DataError naming the source if it cannot be opened."""
        self.source, self.fps, self.counts = source, fps, LiveCounts()
        self.waits = source == PIPE
        self.name = "pipe" if self.waits else f"camera {source}" if source.isdecimal() else _without_secrets(source)
        self._container = _opened(source, descriptor)
        if not self._container.streams.video:
            self._container.close()
            raise DataError(f"{self.name}: has no video.")
        self._waiting: queue.Queue[FootageFrame | Exception | None] = queue.Queue(maxsize=1)
        self._stop = threading.Event()
        self.arrived: dict[int, float] = {}  # by number: when a frame that was not taken back yet was decoded
        self._thread = threading.Thread(target=self._decode, name="vidsgg-live", daemon=True)

    def stop(self) -> None:
        """No frame comes after the one that is being looked at. May be called from anywhere."""
        self._stop.set()

    def frames(self) -> Iterator[FootageFrame]:
        """The wanted frames as they come, until the source ends or ``stop`` is called. Numbers count the frames
        of the source from 1, times are seconds since the first.

        Raises DataError if the source breaks off before its first frame.
        """
        self._thread.start()
        quiet = 0.0
        while not self._stop.is_set():
            try:
                found = self._waiting.get(timeout=0.2)
            except queue.Empty:
                quiet += 0.2
                if quiet > _PATIENCE and not self.waits:
                    if not self.counts.taken:
                        raise DataError(f"{self.name}: sent no picture within {_PATIENCE:g} seconds.") from None
                    return
                continue
            quiet = 0.0
            if found is None:
                return
            if isinstance(found, Exception):
                if self.counts.taken:
                    return  # it ended, however it ended
                raise DataError(f"{self.name}: gives no picture ({_said(found)}).") from found
            self.counts.taken += 1
            yield found

    def _decode(self) -> None:
        """In the thread: the wanted frames go to ``_waiting``, then None or what went wrong."""
        last: Exception | None = None
        try:
            self._deliver_all()
        except (av.error.FFmpegError, OSError, DataError) as error:
            last = error
        finally:
            self._container.close()
            self._put(last)

    def _deliver_all(self) -> None:
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        begin, first, due, number = time.monotonic(), None, 0.0, 0
        for image, stamp in self._pictures(stream):
            if self._stop.is_set():
                return
            number += 1
            now = time.monotonic() - begin
            first = stamp if first is None else first
            seconds = now if stamp is None or first is None else max(0.0, stamp - first)
            if not self.waits and seconds > now + 0.05:  # a file behind an address comes faster than it lasts
                self._stop.wait(seconds - now)
            if seconds + 1e-6 < due:
                continue
            due = max(due + 1 / self.fps, seconds)
            frame = FootageFrame(f"{self.name}/{number:06d}", number, round(seconds, 6), image())
            self.arrived[number] = time.monotonic()
            self._put(frame)

    def _pictures(self, stream: Any) -> Iterator[tuple[Any, float | None]]:
        """A way to the picture, and its time in seconds."""
        for packet in self._container.demux(stream):
            try:
                decoded = packet.decode()
            except av.error.InvalidDataError:
                self.counts.unreadable += 1
                continue
            for frame in decoded:
                check_size(self.name, frame.width, frame.height, MOST_FRAME_PIXELS)
                yield (lambda frame=frame: self._shown(frame, stream)), frame.time

    def _shown(self, frame: Any, stream: Any) -> Image:
        return displayed(frame, stream.sample_aspect_ratio, Path(self.name))

    def _put(self, item: FootageFrame | Exception | None) -> None:
        while not self._stop.is_set():
            try:
                self._waiting.put(item, timeout=0.2 if self.waits or not isinstance(item, FootageFrame) else 0)
                return
            except queue.Full:
                if self.waits or not isinstance(item, FootageFrame):
                    continue
            try:
                old = self._waiting.get_nowait()
                if isinstance(old, FootageFrame):
                    self.counts.dropped += 1
                    self.arrived.pop(old.number, None)
            except queue.Empty:
                continue


def _opened(source: str, descriptor: int) -> Any:
    """The source, as PyAV opens it. Raises DataError."""
    options = {"max_pixels": str(MOST_FRAME_PIXELS)}
    try:
        if source == PIPE:
            return av.open(
                f"pipe:{descriptor}", options=options | {"protocol_whitelist": "pipe", "format_whitelist": FORMATS}
            )
        if source.isdecimal():
            kind, place = _CAMERAS.get(sys.platform, _CAMERAS["linux"])
            return av.open(place.format(source), format=kind)
        # An address never leads to files of this machine.
        options |= {"protocol_whitelist": "http,https,tcp,tls,udp,rtp,rtsp,rtsps,srtp,crypto,httpproxy"}
        if source.lower().startswith("rtsp"):
            options["rtsp_transport"] = "tcp"
        return av.open(source, options=options, timeout=_PATIENCE)
    except (av.error.FFmpegError, OSError, ValueError) as error:
        name = (
            "standard input"
            if source == PIPE
            else f"camera {source}"
            if source.isdecimal()
            else _without_secrets(source)
        )
        raise DataError(f"{name}: cannot be opened as a video ({_said(error)}).") from error


def _without_secrets(address: str) -> str:
    """An address without a user's name, password and question mark: names become part of graphs."""
    scheme, _, rest = address.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}://{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"[:200]


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).splitlines()[0][:200] if str(error) else type(error).__name__
