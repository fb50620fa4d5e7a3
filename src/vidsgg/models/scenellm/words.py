"""From frame tokens to the words that the language model reads.

The frames of a video are characters, and runs of them that come back are words. Letters: F frames,
V videos, S words of the clip, K kinds of frames, W words of the vocabulary, D width of a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from vidsgg.ops.clusters import nearest
from vidsgg.ops.segments import segment_mean
from vidsgg.structures.clip import Clip

LONGEST = 4  # frames of a word

WordMode = Literal["words", "none", "tconv", "cluster"]


@dataclass(frozen=True, eq=False)
class Words:
    """vector (S, D), the mean of the word's frame tokens. video (S,) long, never decreasing.
    of_frame (F,) long: each frame's word."""

    vector: Tensor
    video: Tensor
    of_frame: Tensor


class SceneWords(nn.Module):
    """Which runs of frames are words.

    words: runs whose kinds of frames are in the vocabulary, the longest first (``transport.py``
    makes it). cluster: runs of frames of one
    kind. none: every frame is a word. tconv: the same, after a convolution over three neighbouring
    frames. Without kinds of frames yet (before ``learn``), every frame is a word in all modes.
    """

    def __init__(self, mode: WordMode, dim: int, kinds: int, most_words: int) -> None:
        """kinds: of frames. most_words: room for words of several frames."""
        super().__init__()
        self.kinds: Tensor  # (K, D)
        self.learnt: Tensor  # () bool
        self.vocabulary: Tensor  # (most_words, LONGEST) long
        self.mode = mode
        self.convolution = nn.Linear(3 * dim, dim) if mode == "tconv" else None
        if self.has_kinds:
            self.register_buffer("kinds", torch.zeros(kinds, dim))
            self.register_buffer("learnt", torch.zeros((), dtype=torch.bool))
        if mode == "words":
            self.register_buffer("vocabulary", torch.full((most_words, LONGEST), -1, dtype=torch.int64))

    @property
    def has_kinds(self) -> bool:
        """Whether the mode tells kinds of frames apart, which have to be learnt from frame
        tokens."""
        return self.mode in ("words", "cluster")

    @torch.no_grad()
    def learn(self, kinds: Tensor, vocabulary: Tensor | None = None) -> None:
        """kinds (K, D): centres. vocabulary (W, LONGEST) long, in mode words: kinds of the frames
        of each word of several, -1 behind its end."""
        self.kinds.copy_(kinds)
        self.learnt.fill_(True)
        if vocabulary is not None:
            self.vocabulary.fill_(-1)
            self.vocabulary[: len(vocabulary)] = vocabulary

    def forward(self, token: Tensor, clip: Clip) -> Words:
        """token (F, D): of every frame of the clip."""
        if self.convolution is not None:
            token = token + self.convolution(torch.cat([_shifted(token, clip.frame_video, by) for by in (-1, 0, 1)], 1))
        opens = self._opens(token.detach(), clip.frame_video)
        of_frame = opens.long().cumsum(0) - 1
        video = clip.frame_video[opens]
        return Words(segment_mean(token, of_frame, len(video)), video, of_frame)

    def _opens(self, token: Tensor, video: Tensor) -> Tensor:
        """(F,) bool: where a word begins."""
        if not self.has_kinds or not bool(self.learnt):
            return torch.ones_like(video, dtype=torch.bool)
        with torch.autocast(token.device.type, enabled=False):
            kind = nearest(token.float(), self.kinds)
        if self.mode == "words":
            return word_starts(kind, video, self.vocabulary[self.vocabulary[:, 0] >= 0])
        opens = torch.ones_like(video, dtype=torch.bool)
        opens[1:] = (kind[1:] != kind[:-1]) | (video[1:] != video[:-1])
        return opens


def word_starts(kind: Tensor, video: Tensor, vocabulary: Tensor) -> Tensor:
    """(F,) bool: where a word begins when every video is read from its first frame on, always the
    longest word that fits.

    kind (F,) long: of every frame. video (F,) long, never decreasing. vocabulary (W, LONGEST) as
    ``SceneWords.learn``; a frame from which no word of it goes on is a word of its own. Nothing
    loops over frames: who is reached from the first frames is found by doubling the step.
    """
    frames = len(kind)
    base = int(torch.cat([kind, vocabulary.flatten()]).max()) + 2  # digits 1 to base - 1; 0 is "no frame"
    known = row_keys(vocabulary + 1, base)
    following = following_kinds(kind, video)
    length = torch.ones_like(kind)
    for n in range(2, LONGEST + 1):
        fits = (following[:, n - 1] >= 0) & torch.isin(row_keys(following[:, :n] + 1, base), known)
        length = torch.where(fits, n, length)
    jump = torch.arange(frames, device=kind.device) + length
    jump = torch.cat([jump, jump.new_tensor([frames])])  # beyond the last frame one stays
    reached = torch.ones(frames + 1, dtype=torch.bool, device=kind.device)
    reached[1:frames] = video[1:] != video[:-1]
    for _ in range(frames.bit_length()):
        reached = reached.index_fill(0, jump[reached], True)
        jump = jump[jump]
    return reached[:frames]


def following_kinds(kind: Tensor, video: Tensor) -> Tensor:
    """(F, LONGEST) long: the kinds of the frames from every frame on, -1 behind its video's end."""
    columns = [kind]
    for by in range(1, LONGEST):
        later = torch.full_like(kind, -1)
        inside = max(0, len(kind) - by)
        later[:inside] = torch.where(video[by:] == video[:inside], kind[by:], -1)
        columns.append(later)
    return torch.stack(columns, 1)


def row_keys(digits: Tensor, base: int) -> Tensor:
    """(R,) int64: every row of digits below the base as one number, the first digit counting
    least."""
    power = torch.tensor([base**k for k in range(digits.shape[1])], dtype=torch.int64, device=digits.device)
    return (digits * power).sum(1)


def _shifted(token: Tensor, video: Tensor, by: int) -> Tensor:
    """(F, D): the token of the frame so many frames later (or earlier) in the same video, else
    zeros."""
    place = torch.arange(len(token), device=token.device) + by
    there = place.clamp(0, len(token) - 1)
    inside = (place == there) & (video[there] == video)
    return token[there] * inside[:, None]
