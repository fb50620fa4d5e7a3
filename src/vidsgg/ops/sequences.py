"""Sequences of nodes or pairs within one video, such as all of one class, as index tables over
packed rows. R rows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout


@dataclass(frozen=True, eq=False)
class Sequences:
    order: Tensor  # (R,) long: the rows, sorted by video and sequence and within a sequence by frame
    layout: RaggedLayout  # the sequences of these
    place: Tensor  # (R,) long, in this order: the position of a row in its sequence, from 0


def sequences_of(key: Tensor, frame: Tensor, frame_video: Tensor, *, frames_share: bool) -> Sequences:
    """Sequences of the rows of each video that have the same key. Rows of one frame keep their
    order.

    key (R,) long, not negative, such as a class. frame (R,) long and frame_video (F,) long never
    decrease. frames_share: the position of a row is the rank of its frame among those of its
    sequence, so that rows of one frame share it; else it is the rank of the row itself.
    """
    video = frame_video[frame]
    keys = int(key.max()) + 1 if len(key) else 1
    sequence, order = (video * keys + key).sort(stable=True)
    frame = frame[order]
    later = sequence[1:] == sequence[:-1]
    if frames_share:
        later &= frame[1:] != frame[:-1]
    count = torch.cat([later.new_zeros(min(1, len(frame))), later]).cumsum(0)  # rows or frames that follow another
    return Sequences(order, RaggedLayout.from_sorted(sequence), count - count[torch.searchsorted(sequence, sequence)])


def sine_positions(place: Tensor, dim: int) -> Tensor:
    """(R, dim) float32 codes of places (R,): sin(place w_i) and cos(place w_i) side by side, w_i =
    10000^(-2i / dim) (Vaswani et al. 2017, section 3.5).
    """
    rate = torch.exp(torch.arange(0, dim, 2, device=place.device, dtype=torch.float32) * (-math.log(10000.0) / dim))
    angle = place[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :dim]
