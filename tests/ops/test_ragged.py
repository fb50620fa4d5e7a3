"""Packing, windows and segments against loops that anybody can check."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidsgg.ops.ragged import RaggedLayout, take_rows
from vidsgg.ops.segments import segment_mean, segment_sum
from vidsgg.ops.windows import frame_windows

counts_of_videos = st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=1, max_size=4)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6))
def test_packing_undoes_padding(counts: list[int]) -> None:
    sequence = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    tokens = torch.arange(len(sequence), dtype=torch.float32)[:, None] + 1
    layout = RaggedLayout.from_sorted(sequence)
    table = layout.pad(tokens)
    assert torch.equal(layout.pack(table), tokens)
    assert int(layout.valid.sum()) == len(tokens)
    assert torch.equal(table[~layout.valid], torch.zeros_like(table[~layout.valid]))


def windows_by_hand(
    videos: list[list[int]], size: int
) -> tuple[set[tuple[tuple[int, int], ...]], dict[int, tuple[tuple[int, int], ...]]]:
    """The windows as tuples of (pair, slot), and for each pair the window from which it is read."""
    windows, read, pair = set(), {}, 0
    for counts in videos:
        frames = []
        for n in counts:
            frames.append(list(range(pair, pair + n)))
            pair += n
        for end in range(min(size, len(frames)) - 1, len(frames)):
            inside = range(max(0, end - size + 1), end + 1)
            only = len(frames) == 1 and size > 1
            window = tuple((p, int(f == end and not only)) for f in inside for p in frames[f])
            reads = [p for f in inside for p in frames[f]] if end == min(size, len(frames)) - 1 else frames[end]
            for p in reads:
                read[p] = window
                windows.add(window)
    return windows, read


@settings(max_examples=200, deadline=None)
@given(counts_of_videos, st.integers(1, 7))
def test_windows_equal_those_made_by_hand(videos: list[list[int]], size: int) -> None:
    flat = [n for counts in videos for n in counts]
    pair_frame = torch.repeat_interleave(torch.arange(len(flat)), torch.tensor(flat))
    frame_video = torch.repeat_interleave(torch.arange(len(videos)), torch.tensor([len(counts) for counts in videos]))
    if not len(pair_frame):
        return
    found = frame_windows(pair_frame, frame_video, size)
    length = found.layout.valid.shape[1]
    row = found.layout.slot // length
    have: dict[int, list[tuple[int, int]]] = {}
    for token in range(len(found.pair)):
        have.setdefault(int(row[token]), []).append((int(found.pair[token]), int(found.slot[token])))
    windows, read = windows_by_hand(videos, size)
    assert {tuple(window) for window in have.values()} == windows
    tokens = found.read[found.order]
    assert torch.equal(found.pair[tokens], torch.arange(len(pair_frame)))
    for pair, token in enumerate(tokens.tolist()):
        assert tuple(have[int(row[token])]) == read[pair]
    # The layout of the read tokens keeps their rows.
    width = found.read_layout.valid.shape[1]
    assert torch.equal(found.read_layout.slot // width, row[found.read])


@pytest.mark.parametrize("empty", [False, True])
def test_segments(empty: bool) -> None:
    values = torch.tensor([[1.0], [3.0], [5.0]])
    segment = torch.tensor([0, 0, 2 if empty else 1])
    assert segment_mean(values, segment, 3)[:, 0].tolist() == ([2.0, 0.0, 5.0] if empty else [2.0, 5.0, 0.0])
    assert segment_sum(values, segment, 3).sum() == 9


def test_taking_repeated_rows_has_one_gradient() -> None:
    """The same bits every time, also with several threads; and the gradient of plain indexing
    within rounding."""
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(2, 512, generator=generator, requires_grad=True)
    rows = torch.randint(2, (4000,), generator=generator)
    weight = torch.randn(4000, 512, generator=generator)
    gradients = [torch.autograd.grad((take_rows(table, rows) * weight).sum(), table)[0] for _ in range(5)]
    assert all(torch.equal(gradients[0], other) for other in gradients[1:])
    torch.testing.assert_close(
        gradients[0], torch.autograd.grad((table[rows] * weight).sum(), table)[0], rtol=1e-4, atol=1e-3
    )
    assert torch.equal(take_rows(table, rows), table[rows])
