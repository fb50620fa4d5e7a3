"""The transformers of OED: DETR's encoder, two cascaded decoders, and layers over reference frames.

Letters: F frames, Q queries of a frame, S cells of a feature map, E reference queries, D width.
Dropout is that of DETR: on attention weights, after each attention, inside and after the
feed-forward part. Source: guanw-pku/OED; DETR (Carion et al., ECCV 2020).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Layer(nn.Module):
    """What all layers have: a self-attention, a feed-forward part and norms after both."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(dropout)

    def feed_forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x)))))  # type: ignore[no-any-return]


def _attend(
    attention: nn.MultiheadAttention,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    padding: Tensor | None = None,
    forbidden: Tensor | None = None,
) -> Tensor:
    """padding (F, S), forbidden (Q, S): True where a key is not read."""
    mixed: Tensor = attention(q, k, v, key_padding_mask=padding, attn_mask=forbidden, need_weights=False)[0]
    return mixed


class OedEncoderLayer(_Layer):
    def forward(self, x: Tensor, position: Tensor, padding: Tensor) -> Tensor:
        """x, position (F, S, D); padding (F, S) to (F, S, D)."""
        placed = x + position
        x = self.norm1(x + self.dropout(_attend(self.self_attn, placed, placed, x, padding=padding)))
        encoded: Tensor = self.norm2(x + self.feed_forward(x))
        return encoded


class OedEncoder(nn.Module):
    def __init__(self, layers: int, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(OedEncoderLayer(dim, heads, hidden, dropout) for _ in range(layers))

    def forward(self, x: Tensor, position: Tensor, padding: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x, position, padding)
        return x


class OedDecoderLayer(_Layer):
    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__(dim, heads, hidden, dropout)
        self.multihead_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, query: Tensor, memory: Tensor, placed: Tensor, padding: Tensor, unused: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """x, query (F, Q, D): content and position of queries. memory, placed (F, S, D): the
        encoder's output without and with positions. padding (F, S); unused (F, Q): queries that are
        padding.

        Returns content (F, Q, D) and what is asked of the memory (F, Q, D).
        """
        own = x + query
        x = self.norm1(x + self.dropout(_attend(self.self_attn, own, own, x, padding=unused)))
        asked = x + query
        x = self.norm2(x + self.dropout(_attend(self.multihead_attn, asked, placed, memory, padding=padding)))
        return self.norm3(x + self.feed_forward(x)), asked


class OedDecoder(nn.Module):
    """Layers whose outputs all go through one norm; the next layer reads the output before it."""

    def __init__(self, layers: int, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(OedDecoderLayer(dim, heads, hidden, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def forward(
        self, x: Tensor, query: Tensor, memory: Tensor, placed: Tensor, padding: Tensor, unused: Tensor | None = None
    ) -> tuple[list[Tensor], Tensor]:
        """Outputs (F, Q, D) of every layer, and what the last layer asked of the memory."""
        outputs = []
        for layer in self.layers:
            x, asked = layer(x, query, memory, placed, padding, unused)
            outputs.append(self.norm(x))
        return outputs, asked

    def attention_weights(self, asked: Tensor, placed: Tensor, padding: Tensor) -> Tensor:
        """(F, Q, S) of the last layer, averaged over heads."""
        attention = self.layers[-1].multihead_attn
        assert isinstance(attention, nn.MultiheadAttention)
        weights: Tensor = attention(asked, placed, placed, key_padding_mask=padding)[1]
        return weights


class TemporalQueryLayer(_Layer):
    """Queries of the target frame among themselves, then over queries of reference frames
    (section 3.4)."""

    def __init__(self, dim: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__(dim, heads, hidden, dropout)
        self.cross_attn = nn.MultiheadAttention(dim, heads, dropout, batch_first=True)
        self.norm3 = nn.LayerNorm(dim)

    def forward(
        self,
        x: Tensor,
        references: Tensor,
        *,
        place: Tensor | None = None,
        reference_place: Tensor | None = None,
        forbidden: Tensor | None = None,
    ) -> Tensor:
        """x (Q, D), references (E, D). place (D,) or (Q, D), reference_place (E, D): positions of
        their frames, added to queries and keys. forbidden (Q, E): references that a query does not
        read.

        Without any reference the attention gives the bias of its output.
        """
        own = x if place is None else x + place
        mixed = _attend(self.self_attn, own[None], own[None], x[None])[0]
        x = self.norm2(x + self.dropout(mixed))
        if len(references):
            asked = x if place is None else x + place
            keys = references if reference_place is None else references + reference_place
            mixed = _attend(self.cross_attn, asked[None], keys[None], references[None], forbidden=forbidden)[0]
        else:
            mixed = self.cross_attn.out_proj.bias.expand_as(x)
        x = self.norm1(x + self.dropout(mixed))
        refined: Tensor = self.norm3(x + self.feed_forward(x))
        return refined


def sine_map(padding: Tensor, dim: int) -> Tensor:
    """(F, h w, dim) codes of the cells of feature maps, of which padding (F, h, w) is True where no
    picture lies: a cell's row and column, counted within the picture and scaled to 2 pi, each as
    dim / 2 sines and cosines; rows first.
    """
    inside = (~padding).float()
    parts = []
    for axis in (1, 2):
        count = inside.cumsum(axis)
        angle = 2 * torch.pi * count / (count.select(axis, -1).unsqueeze(axis) + 1e-6)
        half = dim // 2
        rate = 10000.0 ** (-2.0 * (torch.arange(half, device=padding.device) // 2) / half)
        value = angle[..., None] * rate
        parts.append(torch.stack([value[..., 0::2].sin(), value[..., 1::2].cos()], -1).flatten(-2))
    return torch.cat(parts, -1).flatten(1, 2)


class QueryMlp(nn.Module):
    """Linear layers with ReLU in between."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for i, layer in enumerate(self.layers):
            x = layer(x) if i == 0 else layer(F.relu(x))
        return x
