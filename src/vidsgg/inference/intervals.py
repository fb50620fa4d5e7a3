"""Relations over time: from the edges of single frames to intervals with a begin, an end and a score.

The rules, for every two tracks and predicate (K: the frames in which both tracks are seen; the others say nothing):

1. The score of a frame is its edge's, 0 where there is none. It is smoothed: the mean over the frames at most ``smooth`` / 2 seconds away.
2. A run is a row of frames whose smoothed score never falls below ``low`` and reaches ``high`` somewhere (hysteresis).
3. Runs at most ``gap`` seconds apart are one; frames further apart than that never belong to one run.
4. A run loses the frames at both ends whose own score is below ``low``: an interval begins and ends where its relation was seen.
5. An interval shorter than ``shortest`` seconds is left out. Its score is the mean of the scores, not smoothed, of its frames.

Frames may be spaced as they like: every rule counts seconds. Nothing prefers an end of time: reversed videos give reversed intervals.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vidsgg.structures.checks import Array
from vidsgg.structures.graph import GraphFrame, RelationInterval

_SAME = 1e-6  # to which times and scores are rounded


@dataclass(frozen=True)
class IntervalRules:
    """See the rules above. smooth, gap, shortest: seconds. high, low: scores."""

    smooth: float = 1.0
    high: float = 0.5
    low: float = 0.3
    gap: float = 1.0
    shortest: float = 0.5
    unknown_spacing: float = 0.5  # seconds between frames whose times are not known


Key = tuple[int, int, str, str]  # tracks of subject and object, predicate, group


class RelationTimeline:
    """Collects the edges of a video's frames, a few bytes for each, and tells the intervals at the end."""

    def __init__(self) -> None:
        self._number, self._time = array("q"), array("d")
        self._seen: dict[int, array[int]] = {}
        self._label: dict[int, str] = {}
        self._edges: dict[Key, tuple[array[int], array[float]]] = {}

    def add(self, frame: GraphFrame) -> None:
        """The next frame. Nodes without a track are passed over."""
        position = len(self._number)
        self._number.append(frame.number)
        self._time.append(math.nan if frame.time is None else frame.time)
        for node in frame.nodes:
            if node.track is not None:
                self._label[node.track] = node.label
                self._seen.setdefault(node.track, array("q")).append(position)
        for edge in frame.edges:
            subject, thing = frame.nodes[edge.subject].track, frame.nodes[edge.object].track
            if subject is not None and thing is not None:
                at, score = self._edges.setdefault((subject, thing, edge.predicate, edge.group), (array("q"), array("d")))
                at.append(position)
                score.append(edge.score)

    def intervals(self, rules: IntervalRules = IntervalRules()) -> tuple[RelationInterval, ...]:
        """All intervals by begin, then end, then tracks and predicate."""
        time = np.array(self._time)
        known = not np.isnan(time).any()
        if not known:
            time = rules.unknown_spacing * np.arange(len(time))
        found = []
        for (subject, thing, predicate, group), (at, scores) in self._edges.items():
            both = np.intersect1d(self._seen[subject], self._seen[thing])
            score = np.zeros(len(both))
            score[np.searchsorted(both, at)] = scores
            for first, last in find_runs(time[both], score, rules):
                begin, end = int(both[first]), int(both[last])
                span = (float(time[begin]), float(time[end])) if known else (None, None)
                labels = (self._label[subject], self._label[thing])
                mean = min(1.0, round(float(score[first : last + 1].mean()), 6))
                frames = (self._number[begin], self._number[end])
                found.append(RelationInterval(subject, thing, *labels, predicate, group, *span, *frames, mean))
        return tuple(sorted(found, key=lambda i: (i.begin_frame, i.end_frame, i.subject_track, i.object_track, i.group, i.predicate)))


def relation_intervals(frames: Iterable[GraphFrame], rules: IntervalRules = IntervalRules()) -> tuple[RelationInterval, ...]:
    """The intervals of a whole video's frames, in order."""
    timeline = RelationTimeline()
    for frame in frames:
        timeline.add(frame)
    return timeline.intervals(rules)


def find_runs(time: Array, score: Array, rules: IntervalRules) -> Iterator[tuple[int, int]]:
    """First and last position of every interval of one relation. time (K,): seconds, increasing. score (K,)."""
    smooth = smoothed(time, score, rules.smooth)
    above = np.flatnonzero(smooth >= rules.low - _SAME)
    runs = np.split(above, np.flatnonzero((np.diff(above) > 1) | (np.diff(time[above]) > rules.gap + _SAME)) + 1)
    sure = [run for run in runs if len(run) and smooth[run].max() >= rules.high - _SAME]
    joined: list[Array] = []
    for run in sure:
        own = run[score[run] >= rules.low]
        if len(own) and joined and time[own[0]] - time[joined[-1][-1]] <= rules.gap + _SAME:
            joined[-1] = np.append(joined[-1], own)
        elif len(own):
            joined.append(own)
    return ((int(run[0]), int(run[-1])) for run in joined if time[run[-1]] - time[run[0]] >= rules.shortest - _SAME)


def smoothed(time: Array, score: Array, width: float) -> Array:
    """(K,): the mean score of all frames at most ``width`` / 2 seconds away from each."""
    first = np.searchsorted(time, time - width / 2 - _SAME)
    end = np.searchsorted(time, time + width / 2 + _SAME, side="right")
    total = np.concatenate([[0.0], score.cumsum()])
    mean: Array = (total[end] - total[first]) / (end - first)
    return mean
