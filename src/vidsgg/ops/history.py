"""When the object class of a pair was seen before in its video, as index tables over packed pairs (STKET, section 3.4)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout
from vidsgg.ops.windows import FrameWindows


@dataclass(frozen=True, eq=False)
class ClassHistory:
    """Sightings of object classes. A sighting is a class in a frame of a video, by however many pairs. P pairs, S sightings.

    pair (S,) long: the pair that stands for it. depth (S,) long: how many sightings lead up to it, each a few frames before the next
    one; those of sighting s are s - 1, s - 2, ..., s - depth[s]. of (P,) long: the sighting of every pair.
    """

    pair: Tensor
    depth: Tensor
    of: Tensor

    def before(self) -> Tensor:
        """(P,) long: the pair that stands for the sighting that leads up to each pair's, or for its own where none does."""
        return self.pair[self.of - (self.depth[self.of] > 0).long()]

    def key_frames(self, length: int) -> FrameWindows:
        """Every sighting with up to ``length - 1`` of those that lead up to it, the oldest first, as windows over sightings.

        ``pair`` of the windows counts sightings, ``slot`` the places in a window from the oldest, and the sighting itself is read.
        """
        size = (self.depth + 1).clamp(max=length)
        end = size.cumsum(0)
        window = torch.repeat_interleave(torch.arange(len(size), device=size.device), size)
        slot = torch.arange(len(window), device=size.device) - (end - size)[window]
        layout, read = RaggedLayout.from_sorted(window), end - 1
        sighting = window - size[window] + 1 + slot
        return FrameWindows(sighting, slot, layout, read, layout.subset(read), order=torch.arange(len(size), device=size.device))


def class_history(
    pair_class: Tensor, pair_frame: Tensor, frame_video: Tensor, pair_score: Tensor | None = None, reach: int = 2
) -> ClassHistory:
    """The history of every class of every video of a clip, all at once.

    pair_class (P,) long; pair_frame (P,) and frame_video (F,) long, never decreasing. One sighting leads up to another of the same class
    and video if it is the latest before it, and at most ``reach`` frames before. Of several pairs of a class in a frame the one with
    the best pair_score (P,) stands for the sighting, of equal ones the first; without scores the last one does.
    """
    pairs, frames = len(pair_class), len(frame_video)
    device = pair_class.device
    order = torch.arange(pairs - 1, -1, -1, device=device) if pair_score is None else pair_score.argsort(descending=True, stable=True)
    code = pair_class * frames + pair_frame
    order = order[code[order].argsort(stable=True)]
    code = code[order]
    opens = torch.ones_like(code, dtype=torch.bool)
    opens[1:] = code[1:] != code[:-1]
    found, of = code[opens], torch.empty_like(order).index_copy(0, order, opens.cumsum(0) - 1)

    klass, frame = found // frames, found % frames
    leads = (klass[1:] == klass[:-1]) & (frame[1:] - frame[:-1] <= reach) & (frame_video[frame[1:]] == frame_video[frame[:-1]])
    place = torch.arange(len(found), device=device)
    begins = torch.ones_like(found, dtype=torch.bool)
    begins[1:] = ~leads
    start = place[begins][begins.cumsum(0) - 1]
    return ClassHistory(pair=order[opens], depth=place - start, of=of)
