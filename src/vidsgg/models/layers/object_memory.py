"""Classes of nodes from their whole class sequence and from what is remembered of every class
(TEMPURA, sections 3.2 and 3.3)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.configs import HeadKind
from vidsgg.models.layers.memory import MemoryDiffusion, PrototypeBank, Share
from vidsgg.models.layers.mixture_head import Mixture, MixtureHead, Noise
from vidsgg.models.layers.object_classifier import HIDDEN, NodeEncoder, class_distribution
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


@dataclass(frozen=True, eq=False)
class ObjectGuess:
    """features (N, D): of the nodes, from which prototypes are made; remembered (N, D): the same
    after the memory. logits (N, O), background first; mixture: where the head is one, without the
    noise of training. distribution (N, O): over the classes alone, 0 for the background.
    """

    features: Tensor
    remembered: Tensor
    logits: Tensor
    mixture: Mixture | None
    distribution: Tensor

    def of(self, row: Tensor) -> ObjectGuess:
        """Of some nodes."""
        mixture = self.mixture and self.mixture.of(row)
        return ObjectGuess(self.features[row], self.remembered[row], self.logits[row], mixture, self.distribution[row])


class ObjectPart(NodeEncoder):
    """Class logits of encoded nodes. With class sequences the memory is asked before the hidden
    layer, else after it.

    memory: whether there is one; share: see MemoryDiffusion. width: of the features that it and the
    prototypes have.
    """

    def __init__(
        self,
        schema: Schema,
        widths: FeatureWidths,
        *,
        embedding_dim: int,
        embedding_std: float,
        dropout: float,
        in_sequences: bool,
        memory: bool,
        share: Share,
        head: HeadKind,
        components: int,
        mode: str,
    ) -> None:
        super().__init__(schema, widths, embedding_dim, embedding_std, dropout, mode=mode)
        vocabulary = schema.vocabulary
        self.in_sequences = in_sequences
        self.width = self.encoded_width if in_sequences else HIDDEN
        self.bank = PrototypeBank(len(vocabulary.objects) - 1, self.width) if memory else None
        self.memory = MemoryDiffusion(self.width, ("joint",), share) if memory else None
        self.hidden = nn.Linear(self.encoded_width, HIDDEN)
        self.hidden_norm = VideoBatchNorm(HIDDEN)
        classes = len(vocabulary.objects)
        self.head = MixtureHead(HIDDEN, classes, components, "single") if head == "gmm" else nn.Linear(HIDDEN, classes)

    def forward(self, nodes: Tensor, clip: Clip, noise: Noise | None = None) -> ObjectGuess:
        """nodes (N, encoded_width): encoded, and gone through their sequences. noise: with it a
        mixture's logits are sampled."""
        features = nodes if self.in_sequences else self._hidden(nodes, clip)
        remembered = features
        if self.memory is not None and self.bank is not None and not self.bank.empty:
            remembered = self.memory(features, {"objects": self.bank.prototypes})
        scored = self.head(self._hidden(remembered, clip) if self.in_sequences else remembered)
        if not isinstance(scored, Mixture):
            return ObjectGuess(features, remembered, scored, None, class_distribution(scored))
        logits = (scored.sampled(noise) if noise else scored).logits()
        return ObjectGuess(
            features, remembered, logits, scored, F.pad(scored.without_background().logits().exp(), (1, 0))
        )

    def _hidden(self, nodes: Tensor, clip: Clip) -> Tensor:
        hidden: Tensor = self.hidden_norm(self.hidden(nodes), clip.frame_video[clip.node_frame], clip.videos)
        return torch.relu(hidden)
