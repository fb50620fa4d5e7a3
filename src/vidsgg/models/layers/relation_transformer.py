"""The transformer over pair tokens: a spatial encoder within frames, a temporal decoder over
windows of neighbouring frames.

Source: STTran (Cong et al., ICCV 2021), section 3.3. Letters: P pairs, M tokens of all windows, D
width of a token.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.ops.ragged import RaggedLayout, take_rows
from vidsgg.ops.windows import FrameWindows, frame_windows


@dataclass(frozen=True)
class LayerConfig:
    """Sizes of one layer."""

    heads: int  # of its attention
    feedforward_dim: int  # hidden width of its feed-forward part
    dropout: float  # share of activations dropped in training


class FeedForward(nn.Module):
    """linear2(dropout(relu(linear1 x))), followed by dropout."""

    def __init__(self, dim: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.dropout(F.relu(self.linear1(x), inplace=True), self.dropout, self.training)
        return F.dropout(self.linear2(hidden), self.dropout, self.training)


class EncoderLayer(nn.Module):
    """Post-norm encoder layer within sequences of packed tokens, such as the pairs of a frame
    (section 3.3, spatial encoder)."""

    def __init__(self, dim: int, config: LayerConfig) -> None:
        super().__init__()
        self.attention = RaggedAttention(dim, config.heads, config.dropout)
        self.feedforward = FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, layout: RaggedLayout) -> Tensor:
        x = self.norm1(x + self.dropout(self.attention(*self.attention.project(x), layout)))
        encoded: Tensor = self.norm2(x + self.feedforward(x))
        return encoded


class TemporalLayer(nn.Module):
    """Decoder layer over the pairs of neighbouring frames (section 3.3, temporal decoder).

    As in the authors' code there is no cross attention, no norm after the feed-forward, and the
    frame position is added to queries and keys in every layer but not to values.
    """

    def __init__(self, dim: int, config: LayerConfig) -> None:
        super().__init__()
        self.attention = RaggedAttention(dim, config.heads, config.dropout)
        self.feedforward = FeedForward(dim, config.feedforward_dim, config.dropout)
        self.norm = nn.LayerNorm(dim)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, position: Tensor, windows: FrameWindows, *, first: bool, last: bool) -> Tensor:
        """x: tokens of all windows (M, D), or in the first layer the pairs (P, D); position: (2,
        D).

        Two savings leave the numbers as they are. Before the first layer a pair is the same token
        in all of its windows, and since projections are linear, that of x + position is the sum of
        two: each pair is projected once. In the last layer only the tokens
        that are read ask: it returns (P, D), in the order of ``windows.read``.
        """
        if first:
            q, k, v = self._project_once(x, position, windows)
            x = take_rows(x, windows.pair)
            q = q[windows.read] if last else q
        else:
            placed = x + take_rows(position, windows.slot)
            q, k, v = self.attention.project_apart(placed[windows.read] if last else placed, placed, x)
        mixed = self.attention(q, k, v, windows.layout, windows.read_layout if last else None)
        x = self.norm((x[windows.read] if last else x) + self.dropout(mixed))
        decoded: Tensor = x + self.feedforward(x)
        return decoded

    def _project_once(self, pairs: Tensor, position: Tensor, windows: FrameWindows) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (M, D) of the window tokens, from one projection of every pair
        (P, D) and every position (2, D)."""
        count = len(pairs)
        q, k, v = self.attention.project(torch.cat([pairs, position]))
        bias_q, bias_k, _ = self.attention.in_proj_bias.chunk(3)  # counted twice in the sum below
        shift_q, shift_k = take_rows(q[count:] - bias_q, windows.slot), take_rows(k[count:] - bias_k, windows.slot)
        q, k, v = (take_rows(part[:count], windows.pair) for part in (q, k, v))
        return q + shift_q, k + shift_k, v


class SpatialEncoder(nn.ModuleList):
    """Encoder layers over the pairs of each frame."""

    def __init__(self, layers: int, dim: int, config: LayerConfig) -> None:
        super().__init__(EncoderLayer(dim, config) for _ in range(layers))

    def forward(self, tokens: Tensor, pair_frame: Tensor) -> Tensor:
        """tokens (P, D), pair_frame (P,) never decreasing, to (P, D)."""
        if len(self) == 0 or len(tokens) == 0:
            return tokens
        layout = RaggedLayout.from_sorted(pair_frame)
        for layer in self:
            tokens = layer(tokens, layout)
        return tokens


class TemporalDecoder(nn.ModuleList):
    """Decoder layers over windows of neighbouring frames of a video."""

    def __init__(self, layers: int, dim: int, config: LayerConfig) -> None:
        super().__init__(TemporalLayer(dim, config) for _ in range(layers))

    def forward(
        self,
        tokens: Tensor,
        position: Tensor,
        pair_frame: Tensor,
        frame_video: Tensor,
        *,
        window: int = 2,
        reference_compat: bool = False,
    ) -> Tensor:
        """tokens (P, D), position (2, D) of the frames of a window, pair_frame (P,), frame_video
        (F,) to (P, D).

        window: frames of a window, see ``frame_windows``. reference_compat: a one-frame video has
        no window in the reference, so that its output is zero and its predictions are constant; by
        default its pairs attend to each other.
        """
        if len(tokens) and len(self):
            windows = frame_windows(pair_frame, frame_video, window)
            last = len(self) - 1
            for i, layer in enumerate(self):
                tokens = layer(tokens, position, windows, first=i == 0, last=i == last)
            tokens = tokens[windows.order]
        if reference_compat:
            frames = torch.bincount(frame_video)
            tokens = tokens * (frames[frame_video[pair_frame]] > 1)[:, None]
        return tokens
