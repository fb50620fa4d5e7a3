"""Relations over time: from the edges of single frames to intervals with a begin, an end and a
score.

The rules, for every two tracks and predicate (K: the frames in which both tracks are seen; the
others say nothing):

1. The score of a frame is its edge's, 0 where there is none. It is smoothed: the mean over the
   frames at most ``smooth`` / 2 seconds away.
2. A run is a row of frames whose smoothed score never falls below ``low`` and reaches ``high``
   somewhere (hysteresis).
3. Runs at most ``gap`` seconds apart are one; frames further apart than that never belong to one
   run.
4. A run loses the frames at both ends whose own score is below ``low``: an interval begins and ends
   where its relation was seen.
5. An interval shorter than ``shortest`` seconds is left out. Its score is the mean of the scores,
   not smoothed, of its frames.

Frames may be spaced as they like: every rule counts seconds. Nothing prefers an end of time:
reversed videos give reversed intervals.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

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
    high_of: tuple[tuple[str, float], ...] = ()  # by group, where it differs from ``high``

    def of_group(self, group: str) -> IntervalRules:
        """The rules of one group of predicates; ``low`` never above ``high``."""
        high = dict(self.high_of).get(group, self.high)
        return replace(self, high=high, low=min(self.low, high))


class RelationTimeline:
    """Collects the edges of a video's frames in columns, some 40 bytes for each, and gives the
    intervals at the end."""

    def __init__(self) -> None:
        self._number, self._time = array("q"), array("d")
        self._track, self._label, self._seen_at = array("q"), array("i"), array("i")
        self._subject, self._object, self._relation, self._at = array("q"), array("q"), array("i"), array("i")
        self._score = array("d")
        self._labels: dict[str, int] = {}
        self._relations: dict[tuple[str, str], int] = {}  # predicates with their groups

    def add(self, frame: GraphFrame) -> None:
        """The next frame. Nodes without a track are passed over."""
        position = len(self._number)
        self._number.append(frame.number)
        self._time.append(math.nan if frame.time is None else frame.time)
        for node in frame.nodes:
            if node.track is not None:
                self._track.append(node.track)
                self._label.append(self._labels.setdefault(node.label, len(self._labels)))
                self._seen_at.append(position)
        for edge in frame.edges:
            subject, thing = frame.nodes[edge.subject].track, frame.nodes[edge.object].track
            if subject is not None and thing is not None:
                self._subject.append(subject)
                self._object.append(thing)
                self._relation.append(self._relations.setdefault((edge.predicate, edge.group), len(self._relations)))
                self._at.append(position)
                self._score.append(edge.score)

    def intervals(self, rules: IntervalRules = IntervalRules()) -> tuple[RelationInterval, ...]:
        """All intervals by begin, then end, then tracks and predicate."""
        time = np.array(self._time)
        known = not np.isnan(time).any()
        if not known:
            time = rules.unknown_spacing * np.arange(len(time))
        # Events may overlap, so that their frames do not come in the order of time.
        order = np.argsort(time, kind="stable")
        time, number = time[order], np.array(self._number)[order].tolist()
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        at, scores, names = rank[np.array(self._at)], np.array(self._score), list(self._relations)
        seen = self._sightings(rank)
        found = []
        for (subject, thing, relation), rows in _alike(
            np.array(self._subject), np.array(self._object), np.array(self._relation)
        ):
            both = np.intersect1d(seen[subject][1], seen[thing][1])
            score = np.zeros(len(both))
            score[np.searchsorted(both, at[rows])] = scores[rows]
            for first, last in find_intervals(time[both], score, rules.of_group(names[relation][1])):
                begin, end = int(both[first]), int(both[last])
                start, stop = (float(time[begin]), float(time[end])) if known else (None, None)
                mean = min(1.0, round(float(score[first : last + 1].mean()), 6))
                ends = subject, thing, seen[subject][0], seen[thing][0]
                frames = number[begin], number[end]
                found.append(RelationInterval(*ends, *names[relation], start, stop, *frames, mean))
        found.sort(key=lambda i: (i.begin_frame, i.end_frame, i.subject_track, i.object_track, i.group, i.predicate))
        return tuple(found)

    def _sightings(self, rank: Array) -> dict[int, tuple[str, Array]]:
        """Of every track its last label and the frames that saw it, by their ``rank`` in time."""
        names, label, at = list(self._labels), np.array(self._label), rank[np.array(self._seen_at)]
        return {
            track: (names[label[rows[at[rows].argmax()]]], at[rows]) for (track,), rows in _alike(np.array(self._track))
        }


def _alike(*columns: Array) -> Iterator[tuple[tuple[int, ...], Array]]:
    """Every combination of values in the columns, with its rows in order."""
    order = np.lexsort(columns[::-1])
    changes = np.any([np.diff(column[order]) != 0 for column in columns], axis=0)
    for rows in np.split(order, np.flatnonzero(changes) + 1):
        if len(rows):
            yield tuple(int(column[rows[0]]) for column in columns), rows


def relation_intervals(
    frames: Iterable[GraphFrame], rules: IntervalRules = IntervalRules()
) -> tuple[RelationInterval, ...]:
    """The intervals of a whole video's frames, in order."""
    timeline = RelationTimeline()
    for frame in frames:
        timeline.add(frame)
    return timeline.intervals(rules)


def find_intervals(time: Array, score: Array, rules: IntervalRules) -> Iterator[tuple[int, int]]:
    """First and last position of every interval of one relation. time (K,): seconds, increasing.
    score (K,)."""
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
