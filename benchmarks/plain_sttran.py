"""STTran written down without thinking of speed: the yardstick of ``benchmarks.sttran``.

Frames and windows are padded to the longest one, both frames of every window are computed in every
layer, each pair is projected once per window. Same parameters and same numbers as
``vidsgg.models.sttran``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.sttran import STTran
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits


def _attention(layer: nn.Module, query: Tensor, key: Tensor, value: Tensor, padding: Tensor, training: bool) -> Tensor:
    """(L, B, D) sequences, padding (B, L) True where nothing lies, through torch's multi-head
    attention with our weights."""
    attention = layer.attention
    out, _ = F.multi_head_attention_forward(
        query, key, value, query.shape[2], attention.heads, attention.in_proj_weight, attention.in_proj_bias, None, None, False,
        attention.dropout if training else 0.0, attention.out_proj.weight, attention.out_proj.bias,
        training=training, key_padding_mask=padding, need_weights=True,
    )  # fmt: skip
    return out


class PlainSTTran(nn.Module):
    """The layers of ``model``, run the plain way on one video at a time."""

    def __init__(self, model: STTran) -> None:
        super().__init__()
        self.model = model

    def forward(self, clip: Clip) -> RelationLogits:
        model, training = self.model, self.training
        tokens = model.pair_encoder(clip, clip.node_class, clip.action_class)
        frames = clip.frames
        counts = torch.bincount(clip.pair_frame, minlength=frames).tolist()
        length = max(counts)
        per_frame = torch.zeros(length, frames, tokens.shape[1])
        padding = torch.ones(frames, length, dtype=torch.bool)
        for f in range(frames):
            rows = tokens[clip.pair_frame == f]
            per_frame[: counts[f], f] = rows
            padding[f, : counts[f]] = False
        for layer in model.spatial:
            per_frame = layer.norm1(
                per_frame + layer.dropout(_attention(layer, per_frame, per_frame, per_frame, padding, training))
            )
            per_frame = layer.norm2(per_frame + layer.feedforward(per_frame))
        windows = torch.zeros(2 * length, frames - 1, tokens.shape[1])
        place = torch.zeros(2 * length, frames - 1, tokens.shape[1])
        padding = torch.ones(frames - 1, 2 * length, dtype=torch.bool)
        for w in range(frames - 1):
            first, second = counts[w], counts[w + 1]
            windows[: first + second, w] = torch.cat([per_frame[:first, w], per_frame[:second, w + 1]])
            place[:first, w], place[first : first + second, w] = (
                model.frame_position.weight[0],
                model.frame_position.weight[1],
            )
            padding[w, : first + second] = False
        for layer in model.temporal:
            placed = windows + place
            windows = layer.norm(windows + layer.dropout(_attention(layer, placed, placed, windows, padding, training)))
            windows = windows + layer.feedforward(windows)
        rows = [windows[: counts[0], 0]]
        rows += [windows[counts[w] : counts[w] + counts[w + 1], w] for w in range(frames - 1)]
        encoded = torch.cat(rows)
        return RelationLogits({name: head(encoded) for name, head in model.heads.items()})
