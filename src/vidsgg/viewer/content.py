"""What the page gets of graphs: columns of numbers, since a video of ten minutes has some ten
thousand boxes and relations."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

from vidsgg.structures.graph import GraphFrame, VideoGraph
from vidsgg.viewer.graphs import Colour, colours, is_subject, words
from vidsgg.viewer.matching import Track, Verdict, compare, join_tracks

# Where a graph does not know its times, this many are shown a second.
FRAMES_A_SECOND = 2.0
_DIGITS = 3  # of scores
_UNKNOWN = -1  # of a verdict: nothing is annotated in the frame
Stretch = tuple[Track, Track, str, str, int, int, float]  # ends, predicate, group, first and last position, score


@dataclass(frozen=True)
class _Names:
    """Numbers of labels and of predicates (with their groups) in the order of their first use."""

    labels: dict[str, int]
    predicates: dict[tuple[str, str], int]

    def label(self, name: str) -> int:
        return self.labels.setdefault(name, len(self.labels))

    def predicate(self, name: str, group: str) -> int:
        return self.predicates.setdefault((name, group), len(self.predicates))


def page_content(
    prediction: VideoGraph | None, truth: VideoGraph | None, times: Sequence[float] | None, subjects: Collection[str]
) -> dict[str, Any]:
    """JSON for the page. Both graphs come from ``inference.graphs.tracked``; of the truth, the
    frames with the prediction's numbers are used.

    times: seconds of every frame, None if unknown. subjects: classes whose relations are shown.
    """
    shown = prediction or truth
    assert shown is not None and shown.frames
    frames = shown.frames
    annotated = _aligned(frames, truth)
    guessed: Sequence[GraphFrame] = prediction.frames if prediction else [_empty(frame) for frame in frames]
    labels, guessed_thing, true_thing = join_tracks(guessed, annotated)
    names = _Names({}, {})
    things = [names.label(label) for label in labels]
    verdicts = [compare(frame, other) if other else None for frame, other in zip(guessed, annotated, strict=True)]
    layers: dict[str, Any] = {"prediction": None, "truth": None}
    if prediction:
        layers["prediction"] = _layer(guessed, guessed_thing, names) | {
            "right": [] if truth is None else list(_node_verdicts(guessed, verdicts)),
            "edge_right": [] if truth is None else list(_edge_verdicts(guessed, verdicts)),
            "intervals": _intervals(stretches_of(prediction), guessed_thing, names),
        }
    if truth:
        known = [frame or _empty(frames[0]) for frame in annotated]
        layers["truth"] = _layer(known, true_thing, names) | {
            "met": [_score(score) for verdict in verdicts if verdict for score in verdict.met] if prediction else [],
            "intervals": _intervals(list(_stretches(annotated)), true_thing, names),
            "known": [int(frame is not None) for frame in annotated],
        }
    palette = colours([graph for graph in (prediction, truth) if graph], subjects)
    acting = {
        node.label for frame in (*guessed, *annotated) if frame for node in frame.nodes if is_subject(node, subjects)
    }
    groups = list(dict.fromkeys(group for _, group in names.predicates))
    made_by = prediction.made_by if prediction else None
    least = dict(made_by.shown_from) if made_by else {}
    asked = made_by.on_request if made_by else ()
    return {
        "title": shown.video_id,
        "labels": [
            {"text": words(name), "colour": _css(palette[name]), "subject": name in acting} for name in names.labels
        ],
        "predicates": [{"text": words(name), "group": groups.index(group)} for name, group in names.predicates],
        "groups": [words(group) for group in groups],
        # what is shown at first: the least score of every group, null for one of all that the reader
        # chooses; predicates that are hidden until somebody asks
        "least": [least.get(group, 0.0) for group in groups] if least else None,
        "on_request": [i for i, (name, _) in enumerate(names.predicates) if name in asked],
        "things": things,
        "clock": "seconds" if times is not None else "frames",
        "times": (
            [round(time, 4) for time in times]
            if times is not None
            else [i / FRAMES_A_SECOND for i in range(len(frames))]
        ),
        "numbers": [frame.number for frame in frames],
        "sizes": [side for frame in frames for side in (frame.width, frame.height)],
        "layers": layers,
    }


def _aligned(frames: Sequence[GraphFrame], truth: VideoGraph | None) -> list[GraphFrame | None]:
    """The annotated frame for every shown one, None where there is none."""
    by_number = {frame.number: frame for frame in truth.frames} if truth else {}
    return [by_number.get(frame.number) for frame in frames]


def _empty(frame: GraphFrame) -> GraphFrame:
    return GraphFrame(frame.key, frame.number, frame.time, frame.width, frame.height, (), ())


def _layer(frames: Sequence[GraphFrame], thing: dict[Track, int], names: _Names) -> dict[str, Any]:
    """Nodes and edges of all frames one after another; ``node_start`` and ``edge_start`` say where
    a frame's begin."""
    nodes = [node for frame in frames for node in frame.nodes]
    edges = [edge for frame in frames for edge in frame.edges]
    node_thing = [[thing[_key(node.track), node.label] for node in frame.nodes] for frame in frames]
    unsure = any(edge.uncertain for edge in edges)
    return {
        "node_start": _starts(len(frame.nodes) for frame in frames),
        "thing": [number for row in node_thing for number in row],
        "box": [
            side for node in nodes for side in ((None,) * 4 if node.box is None else map(round, node.box, repeat(1)))
        ],
        "score": _scores(node.score for node in nodes),
        "edge_start": _starts(len(frame.edges) for frame in frames),
        "subject": [row[edge.subject] for frame, row in zip(frames, node_thing, strict=True) for edge in frame.edges],
        "object": [row[edge.object] for frame, row in zip(frames, node_thing, strict=True) for edge in frame.edges],
        "predicate": [names.predicate(edge.predicate, edge.group) for edge in edges],
        "edge_score": _scores(edge.score for edge in edges),
        "uncertain": [int(bool(edge.uncertain)) for edge in edges] if unsure else [],
    }


def _starts(counts: Iterator[int]) -> list[int]:
    starts = [0]
    for count in counts:
        starts.append(starts[-1] + count)
    return starts


def _node_verdicts(frames: Sequence[GraphFrame], verdicts: Sequence[Verdict | None]) -> Iterator[int]:
    for frame, verdict in zip(frames, verdicts, strict=True):
        yield from map(int, verdict.nodes) if verdict else (_UNKNOWN,) * len(frame.nodes)


def _edge_verdicts(frames: Sequence[GraphFrame], verdicts: Sequence[Verdict | None]) -> Iterator[int]:
    for frame, verdict in zip(frames, verdicts, strict=True):
        yield from map(int, verdict.edges) if verdict else (_UNKNOWN,) * len(frame.edges)


def stretches_of(graph: VideoGraph) -> list[Stretch]:
    """The intervals of a graph by the positions of their frames, as far as these are shown. In a
    graph without any (ground truth, or no relation lasts long enough), every stretch of frames with
    an edge that is shown by default is one.
    """
    numbers = [frame.number for frame in graph.frames]
    found = []
    for relation in graph.relations:
        first, last = bisect_left(numbers, relation.begin_frame), bisect_right(numbers, relation.end_frame) - 1
        if first <= last:
            ends = (relation.subject_track, relation.subject), (relation.object_track, relation.object)
            found.append((*ends, relation.predicate, relation.group, first, last, relation.score))
    if graph.relations:
        return found
    least = dict(graph.made_by.shown_from) if graph.made_by else {}
    kept = [
        replace(frame, edges=tuple(edge for edge in frame.edges if edge.score >= least.get(edge.group, 0.0)))
        for frame in graph.frames
    ]
    return list(_stretches(kept))


def _stretches(frames: Sequence[GraphFrame | None]) -> Iterator[Stretch]:
    """For every relation the runs of frames that have it, with its mean score."""
    running: dict[tuple[Track, Track, str, str], list[tuple[int, float]]] = {}
    for position, frame in enumerate((*frames, None)):
        held = {}
        for edge in frame.edges if frame else ():
            ends = (frame.nodes[end] for end in (edge.subject, edge.object)) if frame else ()
            first, second = ((_key(node.track), node.label) for node in ends)
            held[first, second, edge.predicate, edge.group] = edge.score
        for key in running.keys() - held.keys():
            run = running.pop(key)
            yield (*key, run[0][0], run[-1][0], sum(score for _, score in run) / len(run))
        for key, score in held.items():
            running.setdefault(key, []).append((position, score))


def _intervals(stretches: Sequence[Stretch], thing: dict[Track, int], names: _Names) -> list[list[float]]:
    """[subject, object, predicate, first and last position, score], by their begin. Ends that no
    shown frame has are left out."""
    rows = [
        [thing[subject], thing[other], names.predicate(predicate, group), first, last, _score(score)]
        for subject, other, predicate, group, first, last, score in stretches
        if subject in thing and other in thing
    ]
    return sorted(rows, key=lambda row: (row[3], row[:3], row[4]))


def _key(track: int | None) -> int:
    assert track is not None, "see inference.graphs.tracked"
    return track


def _score(score: float) -> float:
    return round(score, _DIGITS)


def _scores(scores: Iterable[float]) -> list[float]:
    """As ``_score``, of many."""
    return list(map(round, scores, repeat(_DIGITS)))


def _css(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
