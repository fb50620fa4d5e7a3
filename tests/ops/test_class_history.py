"""Histories of object classes against the reference's loop over the pairs of one video."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from stket_loop import walk

from vidsgg.ops.history import ClassHistory, class_history

# classes of the pairs of every frame
frames = st.lists(st.lists(st.integers(0, 2), max_size=5), min_size=1, max_size=8)


def packed(videos: list[list[list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Class and frame of every pair, and the video of every frame."""
    flat = [classes for video in videos for classes in video]
    pair_class = torch.tensor([k for classes in flat for k in classes], dtype=torch.int64)
    pair_frame = torch.tensor([t for t, classes in enumerate(flat) for _ in classes], dtype=torch.int64)
    return pair_class, pair_frame, torch.tensor([v for v, video in enumerate(videos) for _ in video])


def chains(history: ClassHistory, length: int) -> list[list[int]]:
    """The pairs that every pair's window is of; what else the windows say is checked."""
    windows, window = history.key_frames(length)
    ends = [-1, *windows.read.tolist()]
    tokens = [windows.pair[a + 1 : b + 1].tolist() for a, b in pairwise(ends)]
    assert [windows.slot[a + 1 : b + 1].tolist() for a, b in pairwise(ends)] == [list(range(len(t))) for t in tokens]
    assert windows.layout.valid.sum(1).tolist() == [len(t) for t in tokens]
    assert windows.read_layout.valid.shape == (len(tokens), min(1, len(tokens)))
    assert windows.order.tolist() == list(range(len(tokens)))
    assert len({tuple(t) for t in tokens}) == len(tokens)  # none is decoded twice
    return [tokens[w] for w in window.tolist()]


@settings(max_examples=400, deadline=None)
@given(st.lists(frames, min_size=1, max_size=3), st.booleans(), st.integers(1, 5), st.integers(0, 1000))
def test_histories_equal_a_loop_over_the_pairs(videos: list, scored: bool, length: int, seed: int) -> None:
    pair_class, pair_frame, frame_video = packed(videos)
    # Few different scores, so that some are equal.
    score = torch.randint(4, (len(pair_class),), generator=torch.Generator().manual_seed(seed)) / 4 if scored else None
    history = class_history(pair_class, pair_frame, frame_video, score)

    running, before, chain, first = [], [], [], 0
    for video in videos:
        classes, frame, _ = packed([video])
        mine = None if score is None else score[first : first + len(classes)].tolist()
        walked = walk(frame.tolist(), classes.tolist(), mine, length)
        running += [first + p for p in walked.transition]
        before += [first + p for p in walked.before]
        chain += [[first + p for p in c] for c in walked.chain]
        first += len(classes)
    assert history.running.tolist() == running
    assert history.before().tolist() == before
    assert chains(history, length) == chain


@pytest.mark.parametrize(
    ("score", "running", "before", "chain"),
    [
        (None, [0, 1, 2, 3, 4, 5], [0, 1, 2, 2, 2, 2], [[0], [1], [2], [2, 3], [2, 4], [2, 5]]),
        ([5, 9, 7, 1, 2, 2], [0, 1, 1, 3, 4, 4], [0, 1, 1, 1, 1, 1], [[0], [1], [1], [1, 3], [1, 4], [1, 4]]),
    ],
    ids=["the last one", "the best one"],
)
def test_three_of_a_class_in_each_of_two_frames(
    score: list[float] | None, running: list[int], before: list[int], chain: list[list[int]]
) -> None:
    pair_frame = torch.tensor([0, 0, 0, 2, 2, 2])
    history = class_history(
        torch.full((6,), 3),
        pair_frame,
        torch.zeros(3, dtype=torch.int64),
        None if score is None else torch.tensor(score),
    )
    assert (history.running.tolist(), history.before().tolist(), chains(history, 4)) == (running, before, chain)
    assert (history.final.tolist(), history.of.tolist(), history.depth.tolist()) == (
        [running[2], running[5]],
        [0, 0, 0, 1, 1, 1],
        [0, 1],
    )
