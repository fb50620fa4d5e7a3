"""Windows of two neighbouring frames, as index tables over packed pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout


@dataclass(frozen=True, eq=False)
class FrameWindows:
    """Which pairs stand in which window of two neighbouring frames of one video.

    pair (M,) long: the pair of every token, sorted by window; slot (M,) long: 0 when its frame is the window's first, 1 for the second.
    layout: the windows as sequences of tokens. read (P,) long, increasing: the tokens that carry a result, one for each pair;
    read_layout: the same for these alone. order (P,) long: rows of ``read`` in the order of the pairs.
    """

    pair: Tensor
    slot: Tensor
    layout: RaggedLayout
    read: Tensor
    read_layout: RaggedLayout
    order: Tensor


def frame_windows(pair_frame: Tensor, frame_video: Tensor) -> FrameWindows:
    """Windows (t-1, t) over the pairs of a clip; pair_frame (P,) and frame_video (F,) never decrease.

    A pair is read from the window in which its frame is second, the first frame of a video from its only window as first. The
    single frame of a one-frame video is a window of its own. Windows from which nothing is read are left out.
    """
    device = pair_frame.device
    frames, pairs = len(frame_video), len(pair_frame)
    same = frame_video[1:] == frame_video[:-1]
    no = same.new_zeros(1)
    has_previous, has_next = torch.cat([no, same]), torch.cat([same, no])
    has_pairs = torch.bincount(pair_frame, minlength=frames) > 0
    # The window whose second frame is f serves the pairs of f, and those of f-1 when f-1 opens the video.
    previous_opens = torch.cat([no, ~has_previous[:-1]])
    serves = has_previous & (has_pairs | (previous_opens & torch.cat([no, has_pairs[:-1]])))
    following = torch.cat([serves[1:], no])

    every = torch.arange(pairs, device=device)
    as_second = has_previous[pair_frame]
    solo = ~has_previous & ~has_next
    as_first = (following | solo)[pair_frame]
    pair = torch.cat([every[as_first], every[as_second]])
    slot = torch.cat([torch.zeros_like(every[as_first]), torch.ones_like(every[as_second])])
    frame = pair_frame[pair]
    window = torch.where((slot == 1) | solo[frame], frame, frame + 1)
    order = torch.argsort(2 * window + slot, stable=True)
    pair, slot, window = pair[order], slot[order], window[order]
    is_read = (slot == 1) | ~has_previous[pair_frame[pair]]
    read = torch.nonzero(is_read).squeeze(1)
    layout = RaggedLayout.from_sorted(window)
    return FrameWindows(pair, slot, layout, read, layout.subset(read), order=torch.argsort(pair[read]))
