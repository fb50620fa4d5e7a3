"""Windows of neighbouring frames, as index tables over packed pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout


@dataclass(frozen=True, eq=False)
class FrameWindows:
    """Which pairs stand in which window of neighbouring frames of one video.

    M tokens, R results: one for each pair in ``frame_windows``, one for each window in
    ``ClassHistory.key_frames``.
    """

    pair: Tensor  # (M,) long: the pair of every token, sorted by window
    slot: Tensor  # (M,) long: 1 when its frame is the window's last, else 0; in key frames the place in the window
    layout: RaggedLayout  # the windows as sequences of tokens
    read: Tensor  # (R,) long, increasing: the tokens that carry a result
    read_layout: RaggedLayout  # the same for these alone
    order: Tensor  # (R,) long: rows of ``read`` in the order of the pairs


def frame_windows(pair_frame: Tensor, frame_video: Tensor, size: int = 2) -> FrameWindows:
    """Windows of ``size`` successive frames over the pairs of a clip; pair_frame (P,) and
    frame_video (F,) never decrease.

    A pair is read from the window that ends with its frame, and where that would begin before the
    video from the video's first window. A video of fewer frames than a window is one window, whose
    last frame has slot 1; but the only frame of a video has slot 0, as the first of any video,
    unless windows are of one frame, whose slots are all 1. Windows from which nothing is read are
    left out.
    """
    frame = torch.arange(len(frame_video), device=pair_frame.device)
    count = torch.bincount(frame_video)[frame_video]  # frames of the video, for each of its frames
    first = torch.searchsorted(frame_video, frame_video)
    last = first + count - 1
    # the last frame of the window from which a frame is read
    end = torch.maximum(frame, first + count.clamp(max=size) - 1)
    is_read = torch.zeros_like(frame, dtype=torch.bool).index_fill(0, end[pair_frame], True)

    # The windows that hold a frame end at ``end`` or up to ``size - 1`` frames after it itself.
    reach = torch.arange(min(size, int(count.max())), device=pair_frame.device)
    window = end[:, None] + reach  # (F, size)
    holds = (window <= torch.minimum(frame + size - 1, last)[:, None]) & is_read[window.clamp(max=len(frame) - 1)]
    pair, place = torch.nonzero(holds[pair_frame], as_tuple=True)
    window = window[pair_frame[pair], place]
    window, order = window.sort(stable=True)
    pair = pair[order]

    own = pair_frame[pair]
    alone = (count == 1)[own] if size > 1 else torch.zeros_like(own, dtype=torch.bool)
    read = torch.nonzero(end[own] == window).squeeze(1)
    layout = RaggedLayout.from_sorted(window)
    return FrameWindows(
        pair, ((own == window) & ~alone).long(), layout, read, layout.subset(read), order=torch.argsort(pair[read])
    )
