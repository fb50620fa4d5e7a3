"""Which runs of frames become words: by optimal transport from kinds of frames to candidate words.

Reading A of the paper's section on optimal transport: its sister paper SignLLM (arXiv:2404.00925),
which builds on VOLT (Xu et al., ACL 2021). Letters: F frames, K kinds of frames, C candidates, S
words offered, W words kept. docs/scenellm.md says what is known of the original and what was
decided here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from vidsgg.models.scenellm.words import LONGEST, following_kinds, row_keys, word_starts

LEAST_COUNT = 5  # of a candidate among the training videos
ABSENT = 1e3  # cost of moving a kind to a word that does not contain it
# of the transport: its entropy; what kinds give is kept, what words take is wished for
REGULARISATION, MARGINS = 0.1, (1e3, 1.0)
LEAST_SHARE = 0.1  # of what a word is offered, for it to be kept


@dataclass(frozen=True, eq=False)
class FrameWords:
    """words (W, LONGEST) long: kinds of the frames of each word of several, -1 behind its end.
    offered: words offered in the chosen size.
    entropy: of the use of words per frame, in nats; entropy_of_frames: the same without any words.
    mean_length: frames per word in use.
    """

    words: Tensor
    offered: int
    entropy: float
    entropy_of_frames: float
    mean_length: float

    def scalars(self) -> dict[str, float]:
        return {
            "words/count": float(len(self.words)),
            "words/entropy": self.entropy,
            "words/entropy_of_frames": self.entropy_of_frames,
            "words/mean_length": self.mean_length,
        }


def find_frame_words(kind: Tensor, video: Tensor, most_words: int, step: int) -> FrameWords:
    """The words with the least entropy of word use per frame among those of 0, step, 2 step, ...
    words offered.

    kind (F,) long: of every frame of the training videos. video (F,) long, never decreasing. Of
    equal entropies the smaller size counts.
    """
    candidates, count = _candidates(kind, video)
    candidates, count = candidates[:most_words], count[:most_words]
    plain, _ = _entropy(kind, video, candidates[:0])
    best = FrameWords(candidates[:0], 0, plain, plain, 1.0)
    for size in range(step, len(candidates) + step, step):
        offered = candidates[:size]
        words = offered[_receives_mass(kind, offered, count[:size])]
        entropy, length = _entropy(kind, video, words)
        if entropy < best.entropy:
            best = FrameWords(words, len(offered), entropy, plain, length)
    return best


def _candidates(kind: Tensor, video: Tensor) -> tuple[Tensor, Tensor]:
    """(C, LONGEST) runs of 2 to LONGEST frames that come up LEAST_COUNT times, and how often (C,);
    those that cover most frames first."""
    following = following_kinds(kind, video)
    found, counts = [], []
    for n in range(2, LONGEST + 1):
        runs = following[following[:, n - 1] >= 0].clone()
        runs[:, n:] = -1
        runs, count = runs.unique(dim=0, return_counts=True)
        found.append(runs[count >= LEAST_COUNT])
        counts.append(count[count >= LEAST_COUNT])
    runs, count = torch.cat(found), torch.cat(counts)
    order = (count * (runs >= 0).sum(1)).argsort(descending=True, stable=True)
    return runs[order], count[order]


def _receives_mass(kind: Tensor, words: Tensor, count: Tensor) -> Tensor:
    """(S,) bool: the words to which the transport moves a fair share of what it offers them.

    The kinds of frames give as often as they occur; every word, single frames included, would take
    as many frames as it covers; moving kind i to word j costs -log P(i | j).
    """
    from ot.unbalanced import sinkhorn_unbalanced  # here: importing it takes seconds

    used, give = kind.unique(return_counts=True)
    frames = torch.cat(
        [used[:, None].repeat(1, LONGEST).index_fill(1, torch.arange(1, LONGEST, device=kind.device), -1), words]
    )
    length = (frames >= 0).sum(1)
    take = torch.cat([give, count]) * length
    inside = torch.stack([(frames == i).sum(1) for i in used.tolist()])  # (K, S): how often the kind is in the word
    cost = torch.where(inside > 0, -(inside / length).log(), ABSENT)
    a, b, m = (_numpy(x) for x in (give / give.sum(), take / take.sum(), cost))
    plan = sinkhorn_unbalanced(a, b, m, REGULARISATION, MARGINS, method="sinkhorn_stabilized")
    return torch.from_numpy((plan.sum(0) > LEAST_SHARE * b)[len(used) :]).to(kind.device)


def _entropy(kind: Tensor, video: Tensor, words: Tensor) -> tuple[float, float]:
    """Entropy of the words in use divided by their mean length, and that length, over all
    videos."""
    opens = torch.nonzero(word_starts(kind, video, words)).squeeze(1)
    length = torch.diff(opens, append=opens.new_tensor([len(kind)]))
    frames = following_kinds(kind, video)[opens]
    frames = frames.masked_fill(torch.arange(LONGEST, device=kind.device) >= length[:, None], -1)
    _, count = row_keys(frames + 1, int(kind.max()) + 2).unique(return_counts=True)
    share = count.double() / count.sum()
    mean_length = len(kind) / len(opens)
    return float(-(share * share.log()).sum()) / mean_length, mean_length


def _numpy(values: Tensor) -> npt.NDArray[np.float64]:
    array: npt.NDArray[np.float64] = values.double().cpu().numpy()
    return array
