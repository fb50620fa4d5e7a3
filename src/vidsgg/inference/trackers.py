"""The trackers that a user can choose from, behind one face: ours, and one of the ``trackers``
library."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

import numpy as np

from vidsgg.errors import ConfigError
from vidsgg.inference.tracking import Tracks, follow
from vidsgg.structures.checks import Array

if TYPE_CHECKING:
    from trackers import ByteTrackTracker

TrackerName = Literal["overlap", "bytetrack"]
# for which a thing may be overlooked and keeps its id, as with the rules of ours at two frames a
# second
_SECONDS_LOST = 2.0
_RATE = 30  # frames a second in which the library counts how long
_SURE = 0.6  # the library's own


class Tracker(ABC):
    """Follows the things of one video, frame by frame."""

    @abstractmethod
    def ids(self, box: Array, klass: Array, score: Array, size: tuple[float, float], time: float | None) -> Array:
        """Ids (N,), from 1, of the boxes (N, 4) of the next frame, with classes (N,) and scores
        (N,). size: width and height of the picture.

        time: seconds, None if unknown.
        """


class OverlapTracker(Tracker):
    """By class and overlap, then by distance: vidsgg.inference.tracking."""

    def __init__(self) -> None:
        self._tracks = Tracks.none()

    def ids(self, box: Array, klass: Array, score: Array, size: tuple[float, float], time: float | None) -> Array:
        ident, self._tracks = follow(self._tracks, box, klass, size)
        return ident


class ByteTracker(Tracker):
    """ByteTrack (Zhang et al., ECCV 2022) by the ``trackers`` library, with its own settings, for
    each class by itself.

    A box with a score of less than 0.6 goes on from a thing that is followed but begins none; it
    has an id of its own then. fps: frames a second. Raises ConfigError if the library is not
    installed, or cannot be loaded (its OpenCV needs libGL).
    """

    def __init__(self, fps: float) -> None:
        try:
            import supervision
            import trackers
        except ImportError as error:
            raise ConfigError(
                f"option -tracker bytetrack: trackers is not installed ({error}); install it with: pip install"
                " 'vidsgg[tracking]'"
            ) from error
        self._detections = supervision.Detections
        self._make: Callable[[], ByteTrackTracker] = lambda: trackers.ByteTrackTracker(
            lost_track_buffer=round(_SECONDS_LOST * _RATE),
            frame_rate=fps,
            track_activation_threshold=_SURE,
            high_conf_det_threshold=_SURE,
            minimum_consecutive_frames=1,
        )
        self._of_class: dict[int, ByteTrackTracker] = {}
        # of what the library follows; its own ids begin a frame late
        self._ident: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._given = 0

    def ids(self, box: Array, klass: Array, score: Array, size: tuple[float, float], time: float | None) -> Array:
        ident = np.zeros(len(box), np.int64)
        # those of which nothing is seen, too: their things grow older
        for k in dict.fromkeys([*self._of_class, *klass.tolist()]):
            rows = np.flatnonzero(klass == k)
            tracker = self._of_class.setdefault(k, self._make())
            ident[rows] = self._follow(
                tracker, np.asarray(box[rows], np.float32).reshape(-1, 4), score[rows].astype(np.float32), time
            )
        return ident

    def _follow(self, tracker: ByteTrackTracker, box: Array, score: Array, time: float | None) -> Array:
        """Ids of the boxes of one class."""
        # The library may change their order, so that every box carries its row along.
        found = tracker.update(
            self._detections(xyxy=box, confidence=score, data={"row": np.arange(len(box))}), timestamp=time
        )
        rows, ids = np.asarray(found.data.get("row", ())), found.tracker_id
        numbers = {} if ids is None else dict(zip(rows.tolist(), ids.tolist(), strict=True))
        followed = {thing.tracker_id: thing for thing in tracker.tracks}
        begun = iter([thing for thing in tracker.tracks if thing not in self._ident])  # in the order of their boxes
        ident = np.zeros(len(box), np.int64)
        for row in range(len(box)):
            number = numbers.get(row, -1)
            thing = followed[number] if number >= 0 else next(begun, None) if score[row] >= _SURE else None
            known = None if thing is None else self._ident.get(thing)
            ident[row] = known or self._new()
            if thing is not None:
                self._ident[thing] = int(ident[row])
        return ident

    def _new(self) -> int:
        self._given += 1
        return self._given


def make_tracker(name: TrackerName, fps: float) -> Tracker:
    """A new tracker for a video of which ``fps`` frames a second are seen. Raises ConfigError if
    its library is not installed."""
    return ByteTracker(fps) if name == "bytetrack" else OverlapTracker()
