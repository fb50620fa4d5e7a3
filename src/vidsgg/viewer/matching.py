"""Which predicted things and relations are the annotated ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vidsgg.structures.graph import Box, GraphFrame, VideoGraph

SAME_THING = 0.5  # IoU from which a predicted thing of the same class counts as the annotated one
SHOWN_FROM = 0.3  # score of things and relations from which a page shows them at first (page/store.js)

Track = tuple[int, str]  # number and class: what stays the same over the frames of one graph


def same_nodes(frame: GraphFrame, truth: GraphFrame) -> dict[int, int]:
    """For nodes of ``frame``, the node of ``truth`` of the same class that overlaps it most, and
    enough."""
    found = {}
    for i, node in enumerate(frame.nodes):
        overlaps = {
            j: 1.0 if node.box is None and other.box is None else _iou(node.box, other.box)
            for j, other in enumerate(truth.nodes)
            if other.label == node.label
        }
        best = max(overlaps, key=lambda j: overlaps[j], default=None)
        if best is not None and overlaps[best] >= SAME_THING:
            found[i] = best
    return found


@dataclass(frozen=True)
class Verdict:
    """A predicted frame against the truth. nodes, edges: whether each predicted one is right. met:
    the score of the surest right edge for every annotated one, 0 for those that were missed.
    """

    nodes: tuple[bool, ...]
    edges: tuple[bool, ...]
    met: tuple[float, ...]


def compare(frame: GraphFrame, truth: GraphFrame) -> Verdict:
    """An edge is right if both of its ends are annotated things and the same predicate is annotated
    between them."""
    same = same_nodes(frame, truth)
    annotated = {(edge.subject, edge.object, edge.predicate): i for i, edge in enumerate(truth.edges)}
    met, right = [0.0] * len(truth.edges), []
    for edge in frame.edges:
        place = annotated.get((same.get(edge.subject, -1), same.get(edge.object, -1), edge.predicate))
        right.append(place is not None)
        if place is not None:
            met[place] = max(met[place], edge.score)
    return Verdict(tuple(i in same for i in range(len(frame.nodes))), tuple(right), tuple(met))


def best_moment(prediction: VideoGraph, truth: VideoGraph) -> int | None:
    """Number of the frame with the most right relations, minus the wrong and the missed ones, as a
    page shows them at first; of equals the one with more right ones, then the first. None if no
    predicted frame is annotated.
    """
    annotated = {frame.number: frame for frame in truth.frames}
    found: dict[int, tuple[int, int]] = {}
    for frame in prediction.frames:
        if (other := annotated.get(frame.number)) is None:
            continue
        shown = frame.only([i for i, node in enumerate(frame.nodes) if node.score >= SHOWN_FROM])
        shown = replace(shown, edges=tuple(edge for edge in shown.edges if edge.score >= SHOWN_FROM))
        verdict = compare(shown, other)
        right, wrong = sum(score > 0 for score in verdict.met), verdict.edges.count(False)
        missed = len(verdict.met) - right
        found[frame.number] = right - wrong - missed, right
    return max(found, key=lambda number: found[number], default=None)


def join_tracks(
    frames: Sequence[GraphFrame], truth: Sequence[GraphFrame | None]
) -> tuple[list[str], dict[Track, int], dict[Track, int]]:
    """Labels of all things that the two graphs show, and the thing that each of their tracks is.

    A predicted track becomes the annotated thing that it covers in most frames, unless a surer one
    has been that thing in one of its frames: so a thing whose track was torn is one again. Tracks
    that cover nothing annotated are things of their own.
    """
    labels: list[str] = []
    true: dict[Track, int] = {}
    for frame in truth:
        for node in frame.nodes if frame else ():
            if (key := _track(node.track, node.label)) not in true:
                true[key] = len(labels)
                labels.append(node.label)
    seen, common = _sightings(frames, truth)
    guessed: dict[Track, int] = {}
    taken: dict[int, set[int]] = {}
    for (track, other), _ in sorted(common.items(), key=lambda item: -item[1]):
        thing = true[other]
        if track not in guessed and not taken.setdefault(thing, set()) & seen[track]:
            guessed[track] = thing
            taken[thing] |= seen[track]
    for track in seen:
        if track not in guessed:
            guessed[track] = len(labels)
            labels.append(track[1])
    return labels, guessed, true


def _sightings(
    frames: Sequence[GraphFrame], truth: Sequence[GraphFrame | None]
) -> tuple[dict[Track, set[int]], Mapping[tuple[Track, Track], int]]:
    """The frames in which each predicted track is seen, and in how many it covers each annotated
    one."""
    seen: dict[Track, set[int]] = {}
    common: Counter[tuple[Track, Track]] = Counter()
    for position, (frame, other) in enumerate(zip(frames, truth, strict=True)):
        same = same_nodes(frame, other) if other else {}
        for i, node in enumerate(frame.nodes):
            track = _track(node.track, node.label)
            seen.setdefault(track, set()).add(position)
            if other and i in same:
                match = other.nodes[same[i]]
                common[track, _track(match.track, match.label)] += 1
    return seen, common


def _track(track: int | None, label: str) -> Track:
    assert track is not None, "see inference.graphs.tracked"
    return track, label


def _iou(a: Box | None, b: Box | None) -> float:
    if a is None or b is None:
        return 0.0
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inside = max(width, 0.0) * max(height, 0.0)
    total = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inside
    return inside / total if total > 0 else 0.0
