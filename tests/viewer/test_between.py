"""Boxes between graphs: counted by hand, and what must hold for every video."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.structures.graph import Box, GraphFrame, GraphNode
from vidsgg.viewer.between import JOINED, Moments


def moments(times: list[float], seen: dict[int, dict[int, Box | None]]) -> Moments:
    """seen: of every track the boxes by position of the frame."""
    frames = []
    for i, time in enumerate(times):
        nodes = tuple(GraphNode(f"thing {track}", 1.0, at[i], track) for track, at in seen.items() if i in at)
        frames.append(GraphFrame(f"{i}", i + 1, time, 100, 100, nodes, ()))
    return Moments(frames, times)


def boxes(found: Moments, time: float) -> dict[int | None, tuple[Box | None, bool]]:
    return {thing.node.track: (thing.node.box, thing.bridged) for thing in found.things_at(time)}


LEFT, MIDDLE, RIGHT = (0.0, 0.0, 10.0, 10.0), (20.0, 4.0, 32.0, 16.0), (40.0, 8.0, 54.0, 22.0)


def test_a_box_moves_evenly_to_the_next_sighting() -> None:
    found = moments([0, 0.5], {1: {0: LEFT, 1: RIGHT}})
    assert boxes(found, 0) == {1: (LEFT, False)}
    assert boxes(found, 0.25) == {1: (MIDDLE, False)}
    assert boxes(found, 0.5) == {1: (RIGHT, False)}


def test_what_was_overlooked_for_a_moment_is_bridged_and_said_to_be() -> None:
    found = moments([0, 0.5, 1.0], {1: {0: LEFT, 2: RIGHT}, 2: {1: LEFT}})
    assert boxes(found, 0.5) == {1: (MIDDLE, True), 2: (LEFT, False)}
    assert boxes(found, 1.0) == {1: (RIGHT, False)}


def test_sightings_far_apart_are_not_joined() -> None:
    found = moments([0, 0.5, 1.0, 1.5, 1.9, 2.0], {1: {0: LEFT, 3: RIGHT, 5: RIGHT}, 2: {0: LEFT, 4: RIGHT}})
    assert boxes(found, 0.75) == {1: (MIDDLE, True)}  # 1.5 seconds from one to the next, thing 2: 1.9
    assert boxes(found, 0.25)[2] == (LEFT, False)  # until the next graph
    assert set(boxes(found, 1.95)) == {1, 2}


def test_the_last_graph_lasts_as_long_as_others_and_nothing_is_there_before_the_first() -> None:
    found = moments([1, 1.5, 2.0], {1: {0: LEFT, 1: LEFT, 2: LEFT}})
    assert boxes(found, 0.9) == {} and found.frame_at(0.9) == -1
    assert set(boxes(found, 2.49)) == {1} and boxes(found, 2.5) == {}
    assert boxes(moments([0], {1: {0: LEFT}}), 0.49) == {1: (LEFT, False)}


def test_actions_have_no_box_between_either() -> None:
    assert boxes(moments([0, 0.5], {1: {0: None, 1: None}}), 0.25) == {1: (None, False)}


@settings(deadline=None)
@given(
    st.lists(st.floats(0.05, 3), min_size=1, max_size=8),
    st.lists(st.sets(st.integers(0, 8)), min_size=1, max_size=3),
    st.floats(0, 1),
)
def test_every_graph_shows_what_it_saw_and_between_only_what_graphs_on_both_sides_saw(
    steps: list[float], seen: list[set[int]], part: float
) -> None:
    times = [sum(steps[:i]) for i in range(len(steps) + 1)]
    found = moments(
        times, {track: {i: (i, i, i + 1.0, i + 1.0) for i in at if i < len(times)} for track, at in enumerate(seen)}
    )
    for i, (time, frame) in enumerate(zip(times, found.frames, strict=True)):
        now = boxes(found, time)
        assert {track: box for track, (box, bridged) in now.items() if not bridged} == {
            node.track: node.box for node in frame.nodes
        }
        end = times[i + 1] if i + 1 < len(times) else time + 1
        for track, (box, _) in boxes(found, time + part * (end - time) * 0.999).items():
            around = [j for j in seen[track or 0] if j < len(times)]
            assert box is not None and min(around) <= box[0] <= max(around) + 1e-9
            assert min(abs(times[j] - time) for j in around) <= JOINED
