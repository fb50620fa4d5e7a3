"""Boxes of training videos as a detector might have found them: a little off, and some of them
missing."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

import torch

from vidsgg.structures.clip import Clip

JITTER, DROPPED = 0.05, 0.1  # by default
_LEAST = 1.0  # pixels that a side keeps


@dataclass(frozen=True)
class BoxNoise:
    """What is drawn for a video is a function of the seed, its name and the epoch alone, so that a run
    that goes on comes to the same, in any number of processes.

    jitter: standard deviation of the movement of every edge, in sides of the box. dropped: share of
    boxes that are left out with their pairs, subjects too.
    """

    jitter: float
    dropped: float
    seed: int

    def applied(self, clip: Clip, epoch: int) -> Clip:
        """The clip of one video whose subjects have boxes, as it is learnt from in an epoch (from 1).

        A moved box keeps its order of edges, a pixel of width and height, and stays within its frame.
        Where no pair would be left, nothing is left out.
        """
        key = random.Random(f"{self.seed}/boxes/{clip.video_ids[0]}/{epoch}").getrandbits(63)
        generator = torch.Generator().manual_seed(key)
        moves = torch.randn(clip.nodes, 4, generator=generator)
        kept = (torch.rand(clip.nodes, generator=generator) >= self.dropped).to(clip.device)
        if self.jitter:
            side = (clip.node_box[:, 2:] - clip.node_box[:, :2]).repeat(1, 2)
            low, high = (clip.node_box + self.jitter * side * moves.to(side)).split(2, 1)
            size = clip.frame_size[clip.node_frame]
            low = torch.minimum(low.clamp(min=0), size - _LEAST)
            high = torch.minimum(torch.maximum(high, low + _LEAST), size)
            clip = replace(clip, node_box=torch.cat([low, high], 1))
        if (kept[clip.pair_subject] & kept[clip.pair_object]).any():
            clip = clip.with_nodes(kept)
        return clip
