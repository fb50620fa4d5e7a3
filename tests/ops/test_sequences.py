"""Sequences and their positions against a loop over nodes."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.ops.sequences import sequences_of, sine_positions

videos_of_frames_of_classes = st.lists(
    st.lists(st.lists(st.integers(0, 2), max_size=3), min_size=1, max_size=4), min_size=1, max_size=3
)


@settings(max_examples=100, deadline=None)
@given(videos_of_frames_of_classes, st.booleans())
def test_sequences_equal_those_made_by_hand(videos: list[list[list[int]]], frames_share: bool) -> None:
    flat = [(v, f, c) for v, frames in enumerate(videos) for f, classes in enumerate(frames) for c in classes]
    first = [sum(len(frames) for frames in videos[:v]) for v in range(len(videos))]
    node_frame = torch.tensor([first[v] + f for v, f, _ in flat], dtype=torch.int64)
    node_class = torch.tensor([c for _, _, c in flat], dtype=torch.int64)
    frame_video = torch.repeat_interleave(torch.arange(len(videos)), torch.tensor([len(frames) for frames in videos]))
    found = sequences_of(node_class, node_frame, frame_video, frames_share=frames_share)
    have: dict[int, list[tuple[int, int]]] = {}
    row = found.layout.slot // max(found.layout.valid.shape[1], 1)
    for place, token in enumerate(found.order.tolist()):
        have.setdefault(int(row[place]), []).append((token, int(found.place[place])))
    want = set()
    for v, klass in {(v, c) for v, _, c in flat}:
        members = [i for i, (video, _, c) in enumerate(flat) if (video, c) == (v, klass)]
        frames = sorted({flat[i][1] for i in members})
        want.add(tuple((i, frames.index(flat[i][1]) if frames_share else rank) for rank, i in enumerate(members)))
    assert {tuple(members) for members in have.values()} == want
    assert sorted(found.order.tolist()) == list(range(len(flat)))


def test_positions_are_sines_and_cosines_of_falling_rates() -> None:
    table = sine_positions(torch.tensor([0, 3, 700]), 5)
    for place, code in zip((0, 3, 700), table.tolist(), strict=True):
        angles = [place * 10000 ** (-i / 5) for i in (0, 2, 4)]
        want = [f(angle) for angle in angles for f in (math.sin, math.cos)][:5]
        assert all(abs(a - b) < 1e-4 for a, b in zip(code, want, strict=True))
