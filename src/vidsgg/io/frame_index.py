"""Which pictures a video has, at which times, and from where they can be decoded.

The truth is what the decoder gives when it decodes everything from the start: so many pictures, in
that order. For most files the packets tell as much without being decoded. Where they may not,
everything is decoded once:

- AVI and raw streams store no times of presentation. What FFmpeg puts in their place follows the
  order of the packets, which with B-frames is another one than that of the pictures.
- Packets without a picture (MPEG-4 frames that are "not coded", VP8's hidden references) and
  pictures without a packet of their own.
- Streams whose clock goes back, as that of two MPEG transport streams joined by ``cat`` does.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import numpy as np
import numpy.typing as npt

from vidsgg.io.constant_rate import Pace
from vidsgg.io.containers import leave_out_contents

Track = tuple[av.container.InputContainer, av.VideoStream]
Opener = Callable[[], AbstractContextManager[Track]]  # opens the file anew at its start

_SHORT = 1.0  # seconds: the announced end may lie that far behind the last frame
_BACK = 0.2  # seconds: a clock that goes back by less is inexact, not set anew
_FIRST = 8  # pictures that are decoded to see whether the packets tell the truth
# FFmpeg's names of the containers in which every packet has its own time of presentation.
_TIMED = frozenset(("mov", "matroska", "flv", "mpegts"))
# Decoders that make one picture of every packet of these containers, besides those of codecs
# without references between pictures.
_ONE_EACH = frozenset(("h264", "hevc", "vp9", "av1", "libdav1d"))


@dataclass(frozen=True, eq=False)
class FrameIndex:
    """Positions count from 0. Pictures before the first one that can be decoded do not count."""

    count: int
    fps: float | None  # average rate, None if the file does not tell
    times: array[float] | None  # seconds of every picture since the first, increasing; None if the file does not tell
    # increasing; the picture with stamps[i] is at position i. None: pictures can only be counted
    # from the start
    stamps: array[int] | None
    keys: array[int]  # positions at which decoding may begin, increasing; empty if it has to begin at the start
    seeks: array[int]  # for each of these the stamp to seek to
    lost: float  # seconds that the file announces but does not hold, because its end is missing
    refused: int  # packets that the decoder could not use; 0 where they have not been decoded
    # seconds that the packet of every picture says that it lasts, 0 if it does not; empty without
    # times
    durations: array[float]
    pace: Pace | None  # None if the file tells no times, or FFmpeg cannot guess its rate


def index_frames(opened: Opener) -> FrameIndex:
    """The index of a video. Reads every packet once; decodes the first pictures, or all if the
    packets may not tell the truth. Of a file in object storage the contents of the others are not
    fetched where its head tells about them."""
    with opened() as (container, stream):
        decoder = stream.codec_context.codec
        names = set(container.format.name.split(","))  # of the container: FFmpeg's "mov,mp4,m4a,3gp,3g2,mj2" is one
        direct = decoder.intra_only if "avi" in names else decoder.intra_only or decoder.name in _ONE_EACH
        trusted = direct and bool(names & (_TIMED | {"avi"}))
        survey = _Survey(container, stream, everything=not trusted)
    if trusted and not survey.packets_tell():
        with opened() as (container, stream):
            survey = _Survey(container, stream, everything=True)
        trusted = False
    if trusted:
        return survey.by_packets()
    # In transport streams FFmpeg makes up times of some codecs' pictures, which may differ after a
    # seek.
    return survey.by_pictures(may_seek=bool(names & (_TIMED - {"mpegts"} | {"avi"})))


def pictures(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.VideoFrame]:
    """All that can be decoded; damage costs the pictures that it hits, not those on their way
    through the decoder's threads."""
    for packet in _packets(container, stream):
        yield from _decoded(packet) or ()


def _packets(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet[av.VideoStream]]:
    """The packets of the track, the last one empty: it asks the decoder for what it holds back."""
    for packet in container.demux(stream):
        if container.format.name == "avi":
            packet.pts = packet.dts  # all that AVI tells; FFmpeg guesses the rest
        yield packet


def _decoded(packet: av.Packet[av.VideoStream]) -> list[av.VideoFrame] | None:
    """What comes out of the decoder after it got the packet; None if it cannot use the packet."""
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        return None


class _Survey:
    """What the packets tell, and what the decoder makes of all of them, or of the first few. Stamps
    are in ``base`` seconds."""

    def __init__(self, container: av.container.InputContainer, stream: av.VideoStream, everything: bool) -> None:
        self._base, self._announced = stream.time_base or Fraction(1), _announced(container, stream)
        self._fps = float(stream.average_rate) if stream.average_rate else None
        self._rate, self._start, self._alone = stream.guessed_rate, container.start_time, len(container.streams) == 1
        self._packets, self._durations = array("q"), array("q")  # in the order of the file
        self._pictures = array("q")  # stamps, as they come out of the decoder
        self._keys: list[tuple[int, int]] = []
        self._mov = "mov" in container.format.name.split(",")
        self._moved = False  # whether a packet is decoded at another time than its picture is shown
        self._untimed = stream.time_base is None  # whether a packet or picture has no stamp
        self._count = self._refused = 0
        clock = _Clock(self._base)
        for packet in _packets(container, stream):
            if packet.size:
                clock.set(packet)
                if not packet.is_discard:  # an edit list cuts such pictures away
                    self._note(packet)
            if everything or len(self._pictures) < _FIRST:
                self._decode(packet)
                if not everything and len(self._pictures) >= _FIRST:
                    leave_out_contents(container)
        self._went_back = clock.went_back
        self._reorders = stream.codec_context.has_b_frames

    def _note(self, packet: av.Packet[av.VideoStream]) -> None:
        if packet.pts is None:
            self._untimed = True
            return
        self._packets.append(packet.pts)
        self._durations.append(packet.duration or 0)
        self._moved |= packet.dts is not None and packet.pts != packet.dts
        if packet.is_keyframe:
            # Containers index by decoding or by presentation time; the earlier of both never lands
            # behind the key frame.
            self._keys.append((packet.pts, packet.pts if packet.dts is None else min(packet.pts, packet.dts)))

    def _decode(self, packet: av.Packet[av.VideoStream]) -> None:
        found = _decoded(packet)
        if found is None:
            self._refused += self._count > 0  # what precedes the first key frame of a cut stream is no damage
            return
        for frame in found:
            self._count += 1
            if frame.pts is None:
                self._untimed = True
            else:
                self._pictures.append(frame.pts)

    def _ambiguous(self) -> bool:
        """Packets in the order of their stamps, and a decoder that holds pictures back: the stamps
        may be times of decoding."""
        return self._reorders and _increases(np.array(self._packets, np.int64))

    def packets_tell(self) -> bool:
        """Whether every packet is a picture that comes at its time, as far as the first pictures
        show."""
        if self._untimed or self._went_back or self._ambiguous() or not self._pictures:
            return False
        stamps = np.sort(np.array(self._packets, np.int64))
        first = int(np.searchsorted(stamps, self._pictures[0]))
        return _increases(stamps) and stamps[first : first + len(self._pictures)].tolist() == self._pictures.tolist()

    def by_packets(self) -> FrameIndex:
        stamps = np.sort(np.array(self._packets, np.int64))
        return self._index(stamps[np.searchsorted(stamps, self._pictures[0]) :], may_seek=True)

    def by_pictures(self, may_seek: bool) -> FrameIndex:
        stamps = np.array(self._pictures, np.int64)
        if self._untimed or self._count == 0:
            return FrameIndex(
                self._count, self._fps, None, None, array("q"), array("q"), 0.0, self._refused, array("d"), None
            )
        return self._index(
            stamps, may_seek=may_seek and _increases(stamps) and not self._went_back and not self._ambiguous()
        )

    def _index(self, stamps: npt.NDArray[np.int64], may_seek: bool) -> FrameIndex:
        # Where stamps are times of decoding, the pictures have these times in another order.
        times = _increasing(np.sort(stamps)) if not may_seek else stamps
        seconds = array("d", ((times - times[0]) * self._base.numerator / self._base.denominator).tobytes())
        gap = self._announced - seconds[-1]
        lost = gap if gap > _SHORT and not self._went_back else 0.0
        known = array("q", stamps.tobytes()) if may_seek else None
        keys = sorted((stamp, seek) for stamp, seek in self._keys if stamp >= stamps[0]) if may_seek else []
        places = array("q", (bisect_left(stamps, stamp) for stamp, _ in keys))
        seeks = array("q", (seek for _, seek in keys))
        pace = Pace(self._rate, self._begin(int(times[0])), self._alone) if self._rate else None
        return FrameIndex(
            len(stamps), self._fps, seconds, known, places, seeks, lost, self._refused, self._lasting(times), pace
        )

    def _begin(self, first: int) -> float:
        """Seconds from the beginning of the file to the picture with stamp ``first``."""
        return 0.0 if self._start is None else float(first * self._base) - self._start / av.time_base

    def _lasting(self, stamps: npt.NDArray[np.int64]) -> array[float]:
        """Seconds that the packets with these stamps say that they last."""
        if self._mov and self._moved:
            # MP4 tells how far apart decodings are, which the ffmpeg of the authors ignored
            return array("d", bytes(8 * len(stamps)))
        order = np.argsort(np.array(self._packets, np.int64), kind="stable")
        places = np.searchsorted(np.array(self._packets, np.int64)[order], stamps).clip(max=len(order) - 1)
        return array("d", (np.array(self._durations, np.float64)[order[places]] * float(self._base)).tobytes())


class _Clock:
    """Lets the stamps of packets go on where those of the stream go back."""

    def __init__(self, base: Fraction) -> None:
        self.went_back = False
        self._least = _BACK / base
        self._add, self._step = 0, 1
        self._last: int | None = None  # time of decoding of the packet before
        self._latest: int | None = None  # stamp of the packet that is shown last, gone on

    def set(self, packet: av.Packet[av.VideoStream]) -> None:
        pts, dts = packet.pts, packet.dts
        if dts is not None:
            if self._last is not None and dts < self._last:
                self.went_back = True
                if self._last - dts > self._least and pts is not None and self._latest is not None:
                    self._add = self._latest + self._step - pts
            elif self._last is not None and dts > self._last:
                self._step = dts - self._last
            self._last = dts
        if self._add:
            packet.pts = None if pts is None else pts + self._add
            packet.dts = None if dts is None else dts + self._add
        if packet.pts is not None:
            self._latest = packet.pts if self._latest is None else max(self._latest, packet.pts)


def _increases(stamps: npt.NDArray[np.int64]) -> bool:
    return bool((np.diff(stamps) > 0).all())


def _increasing(stamps: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sorted stamps, each at least one tick after the one before."""
    steps = np.arange(len(stamps))
    return np.maximum.accumulate(stamps - steps) + steps


def _announced(container: av.container.InputContainer, stream: av.VideoStream) -> float:
    """Seconds that the file says the video lasts, 0 if it does not say. What lasts as long as the
    longest track may be the sound."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base if len(container.streams) == 1 else 0.0
