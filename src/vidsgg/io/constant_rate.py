"""The frame numbers of ``ffmpeg -i VIDEO %06d.png``, with which Action Genome's authors dumped
frames.

The program writes pictures at a constant rate: where a video has a gap, it writes the picture
before the gap, or the one after it, several times; where pictures come too fast, it leaves some
out. So file N is the N-th picture of the video only if the video's rate is constant.

The rule is that of ``do_video_out`` in FFmpeg's ``fftools/ffmpeg.c`` with ``-vsync cfr``, the same
from 2.8, which the authors used, to 5.1: each picture's time is compared with the number of files
written so far. Later versions round durations otherwise, and the ``fps`` filter has another rule.
It holds for MP4 and QuickTime that are not fragmented; of others FFmpeg's versions read other times
and durations. Behind the last picture the program may write a few files fewer than are counted
here, or one more.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

# pictures by which one may end too early before it is left out, too late before one is written
# again
_EARLY, _LATE = -1.1, 1.1


@dataclass(frozen=True)
class Pace:
    """What decides how often ffmpeg writes a picture, besides the pictures' times and durations."""

    rate: Fraction  # pictures a second that ffmpeg guesses the video has
    begin: float  # seconds from the beginning of the file, where its sound may begin, to the first picture
    alone: bool  # whether the file has no other track


@dataclass(frozen=True, eq=False)
class ConstantRate:
    """The files that ffmpeg writes, as runs of equal pictures. count: how many files. even: file N
    is the N-th picture, for all N."""

    count: int
    even: bool
    _first: array[int]  # number of the first file of every run, increasing
    _shown: array[int]  # number of its picture

    def difference(self) -> str:
        """Where the numbers begin to differ, as in ``frame 41 is picture 40``."""
        runs = zip(self._first, self._shown, [*self._first[1:], self.count + 1], strict=True)
        for first, shown, end in runs:
            if first != shown or end - first > 1:
                wrong = first if first != shown else first + 1
                return f"frame {wrong} is picture {shown}"
        return "none differs"

    def picture(self, number: int) -> int:
        """The picture of the video, from 1, that file ``number``, 1..count, shows."""
        return self._shown[bisect_right(self._first, number) - 1]


def constant_rate(times: Iterable[float], durations: Iterable[float], pace: Pace) -> ConstantRate:
    """times: seconds of the pictures since the first one, increasing. durations: seconds that each
    one's packet says that it lasts, 0 if it does not."""
    first, shown = array("q"), array("q")
    written, due = 0, 0  # files, and the time, in files, at which the next one is due
    again = [0, 0, 0]  # how often the picture before was written again, for the last three pictures
    number = 0
    for number, (time, duration) in enumerate(zip(times, durations, strict=True), start=1):
        moment = _rounded((pace.begin + time) * float(pace.rate), pace.rate)
        lasts = float(round(duration * float(pace.rate))) or 1.0
        late = moment - due
        end = late + lasts
        if late < 0 < end:
            late = 0.0
        before, copies = 0, 1
        if pace.alone and not written and late >= 0.5:
            end, late, due = lasts, 0.0, round(moment)
        if end < _EARLY:
            copies = 0
        elif end > _LATE:
            copies = round(end)
            before = round(late - 0.6) if late > _LATE else 0
        before = min(before, copies)
        for many, picture in ((before, max(1, number - 1)), (copies - before, number)):
            if many and not (shown and shown[-1] == picture):
                first.append(written + 1)
                shown.append(picture)
            written += many
        due += copies
        again = [before, *again[:2]]
    written += int(median(again))  # of the last picture
    return ConstantRate(written, written == number == len(shown), first, shown)


def _rounded(moment: float, rate: Fraction) -> float:
    """As ffmpeg does it: to so many bits of a file's time, and kept off the middle between two
    files."""
    parts = 1 << min(max(30 - rate.numerator.bit_length(), 0), 16)
    return math.floor(moment * parts + 0.5) / parts + math.copysign(moment != 0, moment) / (1 << 17)
