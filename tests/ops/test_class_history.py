"""Histories of object classes against a loop that walks back through the frames of one video."""

from __future__ import annotations

from itertools import pairwise

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.ops.history import class_history

frames = st.lists(st.lists(st.integers(0, 2), max_size=3), min_size=1, max_size=6)  # classes of the pairs of every frame


def packed(videos: list[list[list[int]]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Class and frame of every pair, and the video of every frame."""
    flat = [classes for video in videos for classes in video]
    pair_class = torch.tensor([k for classes in flat for k in classes], dtype=torch.int64)
    pair_frame = torch.tensor([t for t, classes in enumerate(flat) for _ in classes], dtype=torch.int64)
    return pair_class, pair_frame, torch.tensor([v for v, video in enumerate(videos) for _ in video])


def by_hand(video: list[list[int]], score: list[float] | None, length: int) -> tuple[list[int], list[list[int]]]:
    """For every pair of a video: whose contacts it follows, and its key pairs from the oldest. Pairs are counted through the video."""
    stands: list[dict[int, int]] = []  # by frame: class -> pair
    first = 0
    for classes in video:
        best: dict[int, int] = {}
        for i, k in enumerate(classes, first):
            if k not in best or score is None or score[i] > score[best[k]]:
                best[k] = i
        stands.append(best)
        first += len(classes)
    before, chains = [], []
    for t, classes in enumerate(video):
        for k in classes:
            chain, at = [stands[t][k]], t
            while len(chain) < length:
                earlier = next((u for u in range(at - 1, -1, -1) if k in stands[u]), None)
                if earlier is None or at - earlier > 2:
                    break
                chain, at = [stands[earlier][k], *chain], earlier
            chains.append(chain)
            latest = next((u for u in range(t - 1, -1, -1) if k in stands[u]), None)
            before.append(stands[latest if latest is not None and t - latest <= 2 else t][k])
    return before, chains


@settings(max_examples=200, deadline=None)
@given(st.lists(frames, min_size=1, max_size=3), st.booleans(), st.integers(1, 5), st.integers(0, 100))
def test_histories_equal_a_walk_back_through_the_frames(videos: list, scored: bool, length: int, seed: int) -> None:
    pair_class, pair_frame, frame_video = packed(videos)
    # Few different scores, so that some are equal.
    score = torch.randint(3, (len(pair_class),), generator=torch.Generator().manual_seed(seed)) / 2 if scored else None
    history = class_history(pair_class, pair_frame, frame_video, score)
    windows = history.key_frames(length)

    before, chains, first = [], [], 0
    for video in videos:
        pairs = sum(map(len, video))
        mine = None if score is None else score[first : first + pairs].tolist()
        hand_before, hand_chains = by_hand(video, mine, length)
        before += [first + i for i in hand_before]
        chains += [[first + i for i in chain] for chain in hand_chains]
        first += pairs
    assert history.before().tolist() == before

    ends = [-1, *windows.read.tolist()]
    tokens = [windows.pair[a + 1 : b + 1] for a, b in pairwise(ends)]
    found = [history.pair[sightings].tolist() for sightings in tokens]
    assert [found[s] for s in history.of.tolist()] == chains
    assert [windows.slot[a + 1 : b + 1].tolist() for a, b in pairwise(ends)] == [list(range(len(t))) for t in tokens]
    assert windows.layout.valid.sum(1).tolist() == [len(t) for t in tokens]
    assert windows.read_layout.valid.shape == (len(tokens), min(1, len(tokens)))
    assert windows.order.tolist() == list(range(len(tokens)))
