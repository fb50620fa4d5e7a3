"""Transformer layers whose queries and keys also read what is known beforehand (STKET, sections 3.2
to 3.4).

Letters: P pairs, M tokens of all windows, R results that are read of them, D width of a token.
"""

from __future__ import annotations

from torch import Tensor, nn

from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.models.layers.relation_transformer import FeedForward, LayerConfig
from vidsgg.ops.ragged import RaggedLayout, take_rows
from vidsgg.ops.windows import FrameWindows


class KnowledgeAttention(RaggedAttention):
    """Attention with a linear layer before each of its own projections: in(query(x + prior) +
    position), and so for keys.

    Values read neither prior nor position.
    """

    def __init__(self, dim: int, config: LayerConfig) -> None:
        super().__init__(dim, config.heads, config.dropout)
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)


class KnowledgeEncoderLayer(nn.Module):
    """Post-norm encoder layer among the pairs of each frame."""

    def __init__(self, dim: int, config: LayerConfig) -> None:
        super().__init__()
        self.attention = KnowledgeAttention(dim, config)
        self.feedforward = FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, prior: Tensor | None, layout: RaggedLayout) -> Tensor:
        """x, prior: (P, D); None is a prior of zeros."""
        attention, known = self.attention, _sum(x, prior)
        q, k, v = attention.project_apart(attention.query(known), attention.key(known), attention.value(x))
        x = self.norm1(x + self.dropout(attention(q, k, v, layout)))
        encoded: Tensor = self.norm2(x + self.feedforward(x))
        return encoded


class KnowledgeDecoderLayer(nn.Module):
    """Decoder layer over windows. As STTran's there is no cross attention and no norm after the
    feed-forward, and the position is added in every layer."""

    def __init__(self, dim: int, config: LayerConfig) -> None:
        super().__init__()
        self.attention = KnowledgeAttention(dim, config)
        self.feedforward = FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Tensor, prior: Tensor | None, position: Tensor, windows: FrameWindows, *, first: bool, last: bool
    ) -> Tensor:
        """x: tokens of all windows (M, D), or in the first layer the pairs (P, D) that they are.
        prior (M, D); None is one of zeros.

        Two savings leave the numbers as they are: before the first layer a pair has one value for
        all of its tokens, and in the last one only tokens that are read ask. That layer returns (R,
        D), in the order of ``windows.read``.
        """
        attention, value = self.attention, self.attention.value(x)
        x = take_rows(x, windows.pair) if first else x
        known, place = _sum(x, prior), take_rows(position, windows.slot)
        key = attention.key(known) + place
        if last:
            x, known, place = x[windows.read], known[windows.read], place[windows.read]
        q, k, v = attention.project_apart(attention.query(known) + place, key, value)
        v = take_rows(v, windows.pair) if first else v
        x = self.norm(x + self.dropout(attention(q, k, v, windows.layout, windows.read_layout if last else None)))
        decoded: Tensor = x + self.feedforward(x)
        return decoded


class KnowledgeEncoder(nn.ModuleList):
    """Encoder layers, all with the same prior."""

    def __init__(self, layers: int, dim: int, config: LayerConfig) -> None:
        super().__init__(KnowledgeEncoderLayer(dim, config) for _ in range(layers))

    def forward(self, tokens: Tensor, prior: Tensor | None, pair_frame: Tensor) -> Tensor:
        """tokens, prior: (P, D); pair_frame (P,) never decreasing."""
        if len(self) == 0 or len(tokens) == 0:
            return tokens
        layout = RaggedLayout.from_sorted(pair_frame)
        for layer in self:
            tokens = layer(tokens, prior, layout)
        return tokens


class KnowledgeDecoder(nn.ModuleList):
    """Decoder layers, all with the same prior and positions."""

    def __init__(self, layers: int, dim: int, config: LayerConfig) -> None:
        super().__init__(KnowledgeDecoderLayer(dim, config) for _ in range(layers))

    def forward(self, pairs: Tensor, prior: Tensor | None, position: Tensor, windows: FrameWindows) -> Tensor:
        """pairs (P, D), prior (M, D), position (slots, D) to results (R, D), in the order of the
        pairs. Without layers a result is the token that is read.
        """
        if len(self) == 0 or len(pairs) == 0:
            return pairs[windows.pair[windows.read]][windows.order]
        tokens, last = pairs, len(self) - 1
        for i, layer in enumerate(self):
            tokens = layer(tokens, prior, position, windows, first=i == 0, last=i == last)
        return tokens[windows.order]


def _sum(x: Tensor, prior: Tensor | None) -> Tensor:
    return x if prior is None else x + prior
