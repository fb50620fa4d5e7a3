"""Where things are between the graphs of a video, by the rule of the page (``boxAt`` in
page/content.js)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from statistics import median_high

from vidsgg.structures.graph import GraphFrame, GraphNode
from vidsgg.viewer.matching import Track

JOINED = 1.5  # seconds: sightings further apart are not joined
_SAME = 1e-3  # seconds to which the times of graphs and of pictures may differ


@dataclass(frozen=True)
class MovedThing:
    """node: with the box that it has at the moment. bridged: graphs in between did not see it."""

    node: GraphNode
    bridged: bool


@dataclass(frozen=True, eq=False)
class Moments:
    """The graphs of a video, asked for any moment. frames: in order, every node with a track.
    times: theirs, increasing, in seconds."""

    frames: Sequence[GraphFrame]
    times: Sequence[float]

    def frame_at(self, time: float) -> int:
        """Position of the last graph that has begun, -1 before the first."""
        return bisect_right(self.times, time + _SAME) - 1

    def things_at(self, time: float) -> list[MovedThing]:
        """What is there at that moment, by track.

        A box moves evenly from one sighting to the next, at most 1.5 seconds later. A thing that is
        not seen again so soon is there until the next graph, and for as long as graphs are usually
        apart (1.5 seconds at most).
        """
        now = self.frame_at(time)
        seen: dict[Track, int] = {}  # the graph that saw a thing last
        for position in range(bisect_left(self.times, time - JOINED - _SAME), now + 1):
            seen.update((_key(node), position) for node in self.frames[position].nodes)
        found = []
        for key, last in seen.items():
            node, begin = self._node(last, key), self.times[last]
            if (after := self._next(key, now, begin)) is not None:
                part = max(0.0, time - begin) / (self.times[after] - begin)
                found.append(
                    MovedThing(_between(node, self._node(after, key), part), after - last > 1 and time > begin + _SAME)
                )
            elif last == now and time - begin < self._spacing - 1e-6:
                found.append(MovedThing(node, False))
        return sorted(found, key=lambda thing: _key(thing.node))

    def _next(self, key: Track, now: int, begin: float) -> int | None:
        """The next graph that sees the thing, if that is soon enough."""
        end = bisect_right(self.times, begin + JOINED + 1e-6)
        return next((i for i in range(now + 1, end) if any(_key(node) == key for node in self.frames[i].nodes)), None)

    def _node(self, position: int, key: Track) -> GraphNode:
        return next(node for node in self.frames[position].nodes if _key(node) == key)

    @cached_property
    def _spacing(self) -> float:
        """Seconds that graphs are usually apart."""
        steps = [after - before for before, after in pairwise(self.times)]
        return min(median_high(steps) if steps else 0.5, JOINED)


def _key(node: GraphNode) -> Track:
    assert node.track is not None, "see inference.graphs.tracked"
    return node.track, node.label


def _between(node: GraphNode, after: GraphNode, part: float) -> GraphNode:
    if node.box is None or after.box is None:
        return node
    x1, y1, x2, y2 = (a + part * (b - a) for a, b in zip(node.box, after.box, strict=True))
    return replace(node, box=(x1, y1, x2, y2))
