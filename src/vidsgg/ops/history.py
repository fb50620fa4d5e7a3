"""When the object class of a pair was seen before in its video, as index tables over packed pairs
(STKET, section 3.4).

Several pairs of a frame may have one class. The reference updates its histories while it walks the
pairs in order, so what a pair finds in its own frame is only what the pairs before it have left
there, and what it has just added itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout
from vidsgg.ops.windows import FrameWindows


@dataclass(frozen=True, eq=False)
class ClassHistory:
    """Sightings of object classes. A sighting is a class in a frame of a video, by however many
    pairs. P pairs, S sightings.

    Two pairs can represent a sighting. To a pair of the same frame it is ``running``, to a pair of
    a later frame ``final``.
    """

    # (P,) long: of the pairs of the same sighting up to and including this one, the one that
    # represents it
    running: Tensor
    # (S,) long: of all pairs of the sighting, the one that represents it; the running one of its
    # last pair
    final: Tensor
    # (S,) long: how many sightings lead up to this one, each a few frames before the next; s - 1,
    # ..., s - depth[s]
    depth: Tensor
    of: Tensor  # (P,) long: the sighting of every pair

    def before(self) -> Tensor:
        """(P,) long: the pair that represents the sighting before each pair's, or its own (the
        running one) where none leads up to it."""
        leads = self.depth[self.of] > 0
        return torch.where(leads, self.final[self.of - leads.long()], self.running)

    def key_frames(self, length: int) -> tuple[FrameWindows, Tensor]:
        """A window over pairs for each pair that is the running one of any, and (P,) long: the
        window of every pair.

        The last token of a window is that pair; before it stand the final pairs of up to ``length -
        1`` sightings that lead up to its own, the oldest first. ``slot`` counts the places from the
        oldest. The last token is read.
        """
        pairs, device = len(self.of), self.of.device
        is_last = torch.zeros(pairs, dtype=torch.bool, device=device).index_fill(0, self.running, True)
        last = torch.nonzero(is_last).squeeze(1)
        size = (self.depth[self.of[last]] + 1).clamp(max=length)
        end = size.cumsum(0)
        window = torch.repeat_interleave(torch.arange(len(last), device=device), size)
        slot = torch.arange(len(window), device=device) - (end - size)[window]
        read = end - 1
        pair = self.final[self.of[last][window] - size[window] + 1 + slot].index_copy(0, read, last)
        layout = RaggedLayout.from_sorted(window)
        windows = FrameWindows(
            pair, slot, layout, read, layout.subset(read), order=torch.arange(len(last), device=device)
        )
        return windows, (is_last.cumsum(0) - 1)[self.running]


def class_history(
    pair_class: Tensor, pair_frame: Tensor, frame_video: Tensor, pair_score: Tensor | None = None, reach: int = 2
) -> ClassHistory:
    """The history of every class of every video of a clip, all at once.

    pair_class (P,) long; pair_frame (P,) and frame_video (F,) long, never decreasing. One sighting
    leads up to another of the same class and video if it is the latest before it, and at most
    ``reach`` frames before. Of several pairs of a class in a frame the one with the best pair_score
    (P,) represents the sighting, of equal ones the first; without scores the last one does. The
    order of the pairs
    of a frame matters: see ``ClassHistory.running``. Source: HCPLab-SYSU/STKET
    ``lib/transformer.py:227-269,364-396``.
    """
    pairs, frames = len(pair_class), len(frame_video)
    device = pair_class.device
    # the pairs of a sighting lie together, in their own order
    code, order = (pair_class * frames + pair_frame).sort(stable=True)
    opens = torch.ones_like(code, dtype=torch.bool)
    opens[1:] = code[1:] != code[:-1]
    sighting, closes = opens.cumsum(0) - 1, opens.roll(-1)
    best = order
    if pair_score is not None:
        # The place of every pair from the best to the worst; the least place so far is that of the
        # best pair so far. What is taken off for every sighting makes all places of one less than
        # all of the one before, so that the least begins anew.
        ranking = pair_score.argsort(descending=True, stable=True)
        place = torch.empty_like(ranking).index_copy(0, ranking, torch.arange(pairs, device=device))
        offset = sighting * pairs
        best = ranking[(place[order] - offset).cummin(0).values + offset]

    found = code[opens]
    klass, frame = found // frames, found % frames
    leads = (
        (klass[1:] == klass[:-1])
        & (frame[1:] - frame[:-1] <= reach)
        & (frame_video[frame[1:]] == frame_video[frame[:-1]])
    )
    number = torch.arange(len(found), device=device)
    begins = torch.ones_like(found, dtype=torch.bool)
    begins[1:] = ~leads
    start = number[begins][begins.cumsum(0) - 1]
    return ClassHistory(
        running=torch.empty_like(order).index_copy(0, order, best),
        final=best[closes],
        depth=number - start,
        of=torch.empty_like(order).index_copy(0, order, sighting),
    )
