"""Relations over time: cases counted by hand, an oracle that follows the rules word by word, and
what must hold for any input."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.inference.intervals import IntervalRules, RelationTimeline, find_intervals, relation_intervals, smoothed
from vidsgg.structures.graph import GraphEdge, GraphFrame, GraphNode

PLAIN = IntervalRules(smooth=0, high=0.5, low=0.3, gap=0.5, shortest=0)


def runs(scores: list[float], rules: IntervalRules = PLAIN, step: float = 0.5) -> list[tuple[int, int]]:
    return list(find_intervals(np.arange(len(scores)) * step, np.array(scores), rules))


@pytest.mark.parametrize(
    ("scores", "rules", "found"),
    [
        ([], PLAIN, []),
        ([0, 0], PLAIN, []),
        ([0.9], PLAIN, [(0, 0)]),
        ([0.9], replace(PLAIN, shortest=0.5), []),
        ([0.9, 0.9], replace(PLAIN, shortest=0.5), [(0, 1)]),
        ([0, 0.3, 0.5, 0.3, 0.2], PLAIN, [(1, 3)]),  # reaches high once, and never falls below low
        ([0.4, 0.4, 0.4], PLAIN, []),  # never sure
        ([0.9, 0, 0.9], PLAIN, [(0, 0), (2, 2)]),
        ([0.9, 0, 0.9], replace(PLAIN, gap=1.0), [(0, 2)]),
        ([0.9, 0, 0, 0.9], replace(PLAIN, gap=1.0), [(0, 0), (3, 3)]),
        ([0.9, 0, 0.4, 0, 0.9], replace(PLAIN, gap=1.0), [(0, 0), (4, 4)]),  # a weak frame is no bridge
        ([0, 0, 1, 0, 0], replace(PLAIN, smooth=1.0), []),  # a single frame among three
        ([0, 1, 1, 0, 0], replace(PLAIN, smooth=1.0), [(1, 2)]),  # smoothing does not lengthen
        ([1, 1, 0, 1, 1], replace(PLAIN, smooth=1.0), [(0, 4)]),  # but it does fill
    ],
)
def test_runs_that_are_counted_by_hand(scores: list[float], rules: IntervalRules, found: list[tuple[int, int]]) -> None:
    assert runs(scores, rules) == found


def test_frames_too_far_apart_are_not_one_run() -> None:
    time = np.array([0, 0.5, 1.0, 4.0, 4.5])
    assert list(find_intervals(time, np.ones(5), PLAIN)) == [(0, 2), (3, 4)]


def test_the_mean_counts_neighbours_by_time_not_by_number() -> None:
    time = np.array([0, 0.1, 0.2, 5.0, 5.5])
    assert smoothed(time, np.array([1, 0, 0, 1, 0.5]), 1.0) == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0.75, 0.75])


def oracle(time: np.ndarray, score: np.ndarray, rules: IntervalRules) -> list[tuple[int, int]]:
    """The rules one by one, frame by frame."""
    near = 1e-6
    smooth = [
        np.mean([s for u, s in zip(time, score, strict=True) if abs(u - t) <= rules.smooth / 2 + near]) for t in time
    ]
    groups: list[list[int]] = []
    for i in range(len(time)):
        if smooth[i] < rules.low - near:
            continue
        if groups and groups[-1][-1] == i - 1 and time[i] - time[i - 1] <= rules.gap + near:
            groups[-1].append(i)
        else:
            groups.append([i])
    trimmed = []
    for group in groups:
        own = [i for i in group if score[i] >= rules.low]
        if own and any(smooth[i] >= rules.high - near for i in group):
            trimmed.append((own[0], own[-1]))
    merged: list[tuple[int, int]] = []
    for first, last in trimmed:
        if merged and time[first] - time[merged[-1][1]] <= rules.gap + near:
            merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return [(a, b) for a, b in merged if time[b] - time[a] >= rules.shortest - near]


@st.composite
def tracks(draw) -> tuple[np.ndarray, np.ndarray, IntervalRules]:
    """Times that are multiples of a millisecond, so that no comparison hangs on a rounding, scores
    of a few values, and rules."""
    steps = draw(st.lists(st.sampled_from([40, 100, 500, 501, 1500]), max_size=25))
    scores = draw(
        st.lists(st.sampled_from([0, 0, 0.2, 0.31, 0.49, 0.6, 0.97]), min_size=len(steps), max_size=len(steps))
    )
    rules = IntervalRules(
        smooth=draw(st.sampled_from([0, 1.0, 2.3])), high=draw(st.sampled_from([0.3, 0.5])), low=0.3,
        gap=draw(st.sampled_from([0.3, 1.0])), shortest=draw(st.sampled_from([0, 0.5])),
    )  # fmt: skip
    return np.cumsum(steps) / 1000, np.array(scores, float), rules


@settings(deadline=None, max_examples=200)
@given(tracks())
def test_runs_are_the_oracles_and_keep_what_the_rules_promise(
    case: tuple[np.ndarray, np.ndarray, IntervalRules],
) -> None:
    time, score, rules = case
    found = list(find_intervals(time, score, rules))
    assert found == oracle(time, score, rules)
    for (_, last), (first, _) in pairwise(found):
        assert time[first] - time[last] > rules.gap
    for first, last in found:
        assert time[last] - time[first] >= rules.shortest - 1e-6
        assert min(score[first], score[last]) >= rules.low
    shifted = list(find_intervals(time + 100, score, rules))
    assert shifted == found
    backwards = list(find_intervals(-time[::-1], score[::-1], rules))
    assert [(len(time) - 1 - b, len(time) - 1 - a) for a, b in reversed(backwards)] == found
    longer = list(find_intervals(time, score, replace(rules, gap=rules.gap + 1, shortest=0)))
    assert len(longer) <= len(list(find_intervals(time, score, replace(rules, shortest=0))))


def frame(t: int, *edges: tuple[str, float], cup: int | None = 2, time: float | None = -1.0) -> GraphFrame:
    nodes = (GraphNode("person", 0.9, (0, 0, 5, 5), 1), GraphNode("cup", 0.8, (0, 0, 3, 3), cup))
    seconds = t / 2 if time == -1.0 else time
    return GraphFrame(
        str(t),
        15 * t + 1,
        seconds,
        10,
        10,
        nodes,
        tuple(GraphEdge(0, 1, name, "contacting", score) for name, score in edges),
    )


def test_intervals_carry_tracks_times_frame_numbers_and_the_mean() -> None:
    frames = [
        frame(0),
        frame(1, ("holding", 0.8)),
        frame(2, ("holding", 0.9), ("drinking", 0.7)),
        frame(3, ("holding", 0.7)),
        frame(4),
    ]
    (holding,) = relation_intervals(frames)
    assert (holding.subject_track, holding.object_track, holding.subject, holding.object) == (1, 2, "person", "cup")
    assert (holding.begin, holding.end, holding.begin_frame, holding.end_frame) == (0.5, 1.5, 16, 46)
    assert (holding.predicate, holding.group, holding.score) == ("holding", "contacting", 0.8)


def test_frames_in_which_one_of_both_is_not_seen_say_nothing() -> None:
    with_cup = [frame(t, ("holding", 0.9)) for t in (0, 1, 3)]
    without = replace(frame(2), nodes=(frame(2).nodes[0],))
    (kept,) = relation_intervals([*with_cup[:2], without, with_cup[2]])
    assert (kept.begin, kept.end, kept.score) == (0.0, 1.5, 0.9)
    unlike = relation_intervals([*with_cup[:2], frame(2), with_cup[2]])
    assert [interval.score for interval in unlike] == [pytest.approx(0.675)]


def test_another_thing_is_another_relation_and_untracked_things_have_none() -> None:
    frames = [
        *(frame(t, ("holding", 0.9)) for t in range(2)),
        *(frame(t, ("holding", 0.9), cup=7) for t in range(2, 4)),
    ]
    assert [(i.object_track, i.begin, i.end) for i in relation_intervals(frames)] == [(2, 0.0, 0.5), (7, 1.0, 1.5)]
    assert relation_intervals([frame(t, ("holding", 0.9), cup=None) for t in range(4)]) == ()


def test_frames_of_overlapping_events_are_taken_in_the_order_of_time() -> None:
    edges = [0.9, 0.2, 0.8, 0.7, 0.9, 0.1, 0.6]
    frames = [frame(t, ("holding", score)) for t, score in enumerate(edges)]
    expected = relation_intervals(frames)
    assert expected
    assert relation_intervals([frames[i] for i in (2, 0, 1, 6, 3, 5, 4)]) == expected


def test_without_times_intervals_have_frame_numbers_only() -> None:
    (interval,) = relation_intervals([frame(t, ("holding", 0.9), time=None) for t in range(4)])
    assert (interval.begin, interval.end, interval.begin_frame, interval.end_frame) == (None, None, 1, 46)


def test_a_long_video_takes_few_bytes_an_edge_though_tracks_come_and_go() -> None:
    def frame(i: int) -> GraphFrame:
        """A person and four things that are new in every frame."""
        nodes = (
            GraphNode("person", 1.0, (0, 0, 9, 9), 1),
            *(GraphNode("cup", 1.0, (0, 0, 9, 9), 2 + 4 * i + k) for k in range(4)),
        )
        return GraphFrame(
            f"{i}",
            i + 1,
            i / 2,
            9,
            9,
            nodes,
            tuple(GraphEdge(0, k + 1, "holding", "contacting", 0.4) for k in range(4)),
        )

    timeline = RelationTimeline()
    timeline.add(frame(0))
    tracemalloc.start()
    try:
        for i in range(1, 3001):
            timeline.add(frame(i))
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 70 * 4 * 3000  # with the node and the frame that each edge brings
    assert timeline.intervals() == ()
