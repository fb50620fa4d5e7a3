"""Sequences of all nodes of one class in one video, as index tables over packed nodes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vidsgg.ops.ragged import RaggedLayout


@dataclass(frozen=True, eq=False)
class ClassSequences:
    """order (N,) long: the nodes, sorted by video and class and within a sequence by frame. layout:
    the sequences of these. place (N,)
    long, in this order: the rank of a node's frame among the frames of its sequence, from 0; nodes
    of one frame share it.
    """

    order: Tensor
    layout: RaggedLayout
    place: Tensor


def class_sequences(node_class: Tensor, node_frame: Tensor, frame_video: Tensor) -> ClassSequences:
    """Sequences of the nodes (N,) of a clip, whose node_frame and frame_video (F,) never
    decrease."""
    video = frame_video[node_frame]
    classes = int(node_class.max()) + 1 if len(node_class) else 1
    sequence, order = (video * classes + node_class).sort(stable=True)
    frame = node_frame[order]
    later = (frame[1:] != frame[:-1]) & (sequence[1:] == sequence[:-1])
    # frames that follow another one of their sequence
    count = torch.cat([later.new_zeros(min(1, len(frame))), later]).cumsum(0)
    return ClassSequences(
        order, RaggedLayout.from_sorted(sequence), count - count[torch.searchsorted(sequence, sequence)]
    )


def sine_positions(place: Tensor, dim: int) -> Tensor:
    """(R, dim) float32 codes of places (R,): sin(place w_i) and cos(place w_i) side by side, w_i =
    10000^(-2i / dim) (Vaswani et al. 2017, section 3.5).
    """
    rate = torch.exp(torch.arange(0, dim, 2, device=place.device, dtype=torch.float32) * (-math.log(10000.0) / dim))
    angle = place[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)[:, :dim]
