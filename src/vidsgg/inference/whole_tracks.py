"""Rules over the tracks of detected things: which of them count, what lies between two sightings,
and which people a frame is about."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from statistics import median

import numpy as np

from vidsgg.inference.spool import FrameSpool
from vidsgg.ops.scene_boxes import main_subjects
from vidsgg.structures.box_rules import BoxRules
from vidsgg.structures.graph import Box, GraphEdge, GraphFrame, GraphNode


class TrackScores:
    """The scores of every track so far, four bytes each."""

    def __init__(self, rules: BoxRules) -> None:
        self._rules, self._scores, self._frames = rules, dict[int, "array[float]"](), 0

    def add(self, frame: GraphFrame) -> None:
        self._frames += 1
        for node in frame.nodes:
            if node.track is not None:
                self._scores.setdefault(node.track, array("f")).append(node.score)

    def counts(self, track: int | None) -> bool:
        """Whether a track counts: its median score is high enough, and it was seen often enough. In
        a video of fewer frames than that, all of them are enough."""
        scores = self._scores.get(track) if track is not None else None
        if scores is None or len(scores) < min(self._rules.sightings, self._frames):
            return False
        return median(scores) >= self._rules.track_score - 1e-6  # scores are of single precision

    def counting(self) -> set[int]:
        """All tracks that count."""
        return {track for track in self._scores if self.counts(track)}


def settled(frames: Iterable[GraphFrame], rules: BoxRules, subjects: Collection[str]) -> Iterator[GraphFrame]:
    """Frames with ids, with or without edges, after all rules. All frames are read before the first
    one comes, see FrameSpool.

    rules: which tracks count. subjects: classes of things that act. Raises DataError as FrameSpool.
    """
    scores = TrackScores(rules)
    with FrameSpool() as spool:
        for frame in frames:
            scores.add(frame)
            spool.add(frame)
        counting = scores.counting()
        for frame in bridged(_only(frame, counting.__contains__) for frame in spool):
            yield about_its_people(frame, subjects)


def settled_so_far(frames: Iterable[GraphFrame], rules: BoxRules, subjects: Collection[str]) -> Iterator[GraphFrame]:
    """As ``settled``, for frames that are shown as they come: a track is judged by what was seen of
    it so far, and gaps stay."""
    scores = TrackScores(rules)
    for frame in frames:
        scores.add(frame)
        yield about_its_people(_only(frame, scores.counts), subjects)


def bridged(frames: Iterable[GraphFrame]) -> Iterator[GraphFrame]:
    """Frames in which nothing is missing that the frames before and after both see: half way in
    time, with the mean of the scores and of the relations that both have."""
    before: GraphFrame | None = None
    now: GraphFrame | None = None
    for after in chain(frames, [None]):
        if now is not None:
            yield now if before is None or after is None else _filled(before, now, after)
        before, now = now, after


def about_its_people(frame: GraphFrame, subjects: Collection[str]) -> GraphFrame:
    """A frame without subjects that are parts of others, or that are more than it is about; see
    ``ops.scene_boxes``."""
    rows = [i for i, node in enumerate(frame.nodes) if node.label in subjects and node.box is not None]
    main = main_subjects(
        np.array([frame.nodes[i].box for i in rows], np.float64).reshape(-1, 4),
        np.array([frame.nodes[i].score for i in rows], np.float64),
    )
    dropped = {row for row, kept in zip(rows, main, strict=True) if not kept}
    return frame.only([i for i in range(len(frame.nodes)) if i not in dropped]) if dropped else frame


def _only(frame: GraphFrame, counts: Callable[[int], bool]) -> GraphFrame:
    return frame.only([i for i, node in enumerate(frame.nodes) if node.track is not None and counts(node.track)])


def _filled(before: GraphFrame, now: GraphFrame, after: GraphFrame) -> GraphFrame:
    if len({(frame.width, frame.height) for frame in (before, now, after)}) > 1:
        return now
    seen = {node.track for node in now.nodes}
    earlier, later = (
        {node.track: node for node in frame.nodes if node.track is not None and node.box is not None}
        for frame in (before, after)
    )
    lacking = [
        track
        for track, node in earlier.items()
        if track not in seen and track in later and node.label == later[track].label
    ]
    if not lacking:
        return now
    part = _part(before, now, after)
    added = [_between(earlier[track], later[track], part) for track in lacking]
    nodes = (*now.nodes, *added)
    place = {node.track: i for i, node in enumerate(nodes)}
    gone, back = _named_edges(before), _named_edges(after)
    edges = list(now.edges)
    for name, edge in gone.items():
        subject, thing = name[:2]
        if name in back and not {subject, thing}.isdisjoint(lacking) and subject in place and thing in place:
            mean = round((edge.score + back[name].score) / 2, 6)
            edges.append(replace(edge, subject=place[subject], object=place[thing], score=mean))
    return replace(now, nodes=nodes, edges=tuple(edges))


def _part(before: GraphFrame, now: GraphFrame, after: GraphFrame) -> float:
    """How far ``now`` lies between the others, 0..1."""
    if before.time is None or now.time is None or after.time is None or not before.time < after.time:
        return 0.5
    return (now.time - before.time) / (after.time - before.time)


def _between(one: GraphNode, other: GraphNode, part: float) -> GraphNode:
    assert one.box is not None and other.box is not None
    x1, y1, x2, y2 = (round(a + part * (b - a), 3) for a, b in zip(one.box, other.box, strict=True))
    box: Box = (x1, y1, x2, y2)
    return replace(one, box=box, score=round((one.score + other.score) / 2, 6))


def _named_edges(frame: GraphFrame) -> dict[tuple[int | None, int | None, str, str], GraphEdge]:
    """Edges by the tracks of their ends and their predicate."""
    return {
        (frame.nodes[edge.subject].track, frame.nodes[edge.object].track, edge.predicate, edge.group): edge
        for edge in frame.edges
    }
