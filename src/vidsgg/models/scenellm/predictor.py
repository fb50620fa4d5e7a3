"""SceneLLM's scene graph predictor: a transformer decoder whose queries are pairs and whose memory
are the frames of the video.

Letters: P pairs, F frames, V videos, D width of tokens.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from vidsgg.models.layers.attention import RaggedAttention
from vidsgg.ops.ragged import RaggedLayout, take_rows
from vidsgg.structures.clip import Clip


class DecoderLayer(nn.Module):
    """Post-norm decoder layer (Vaswani et al. 2017, section 3.1): pairs of a frame among
    themselves, then to all frames of the video."""

    def __init__(self, dim: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.among_pairs = RaggedAttention(dim, heads, dropout)
        self.to_frames = RaggedAttention(dim, heads, dropout)
        self.feedforward = nn.Sequential(
            nn.Linear(dim, feedforward),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(feedforward, dim),
            nn.Dropout(dropout),
        )
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, memory: Tensor, time_of_pair: Tensor, time: Tensor, layouts: tuple[RaggedLayout, ...]
    ) -> Tensor:
        """x (P, D), memory (F, D); time (F, D) and time_of_pair (P, D) are added to what asks and
        answers, not to values.

        layouts: of pairs by frame, of frames by video, of pairs by video.
        """
        by_frame, frames, by_video = layouts
        x = self.norm1(x + self.dropout(self.among_pairs(*self.among_pairs.project(x), by_frame)))
        q, k, v = self.to_frames.project_apart(x + time_of_pair, memory + time, memory)
        x = self.norm2(x + self.dropout(self.to_frames(q, k, v, frames, by_video)))
        decoded: Tensor = self.norm3(x + self.feedforward(x))
        return decoded


class ScenePredictor(nn.Module):
    """Pair tokens to pair tokens that know their frame and the frames around it."""

    def __init__(self, dim: int, layers: int, heads: int, feedforward: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(DecoderLayer(dim, heads, feedforward, dropout) for _ in range(layers))

    def forward(self, x: Tensor, memory: Tensor, clip: Clip) -> Tensor:
        """x (P, D): of the clip's pairs. memory (F, D): of its frames."""
        if not len(x):
            return x
        video_of_pair = clip.frame_video[clip.pair_frame]
        layouts = (
            RaggedLayout.from_sorted(clip.pair_frame),
            RaggedLayout.of_rows(clip.frame_video, clip.videos),
            RaggedLayout.of_rows(video_of_pair, clip.videos),
        )
        time = sinusoids(_place_in_video(clip), x.shape[1])
        x = x + take_rows(memory, clip.pair_frame)
        for layer in self.layers:
            x = layer(x, memory, time[clip.pair_frame], time, layouts)
        return x


def _place_in_video(clip: Clip) -> Tensor:
    """(F,) long: the number of every frame in its video, from 0."""
    count = torch.bincount(clip.frame_video, minlength=clip.videos)
    return torch.arange(clip.frames, device=clip.device) - (count.cumsum(0) - count)[clip.frame_video]


def sinusoids(place: Tensor, dim: int) -> Tensor:
    """(R, dim) position encodings of places (R,) (Vaswani et al. 2017, section 3.5), sines first.
    dim: an even number."""
    rate = torch.exp(torch.arange(0, dim, 2, device=place.device) * (-math.log(10000.0) / dim))
    angle = place[:, None] * rate
    return torch.cat([angle.sin(), angle.cos()], 1)
