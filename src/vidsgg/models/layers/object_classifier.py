"""Class logits of nodes from their RoI feature, the detector's guess and their place in the picture
(STTran, section 3.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.structures.clip import Clip
from vidsgg.structures.vocabulary import Vocabulary

POSITION_WIDTH, HIDDEN = 128, 1024


class NodeEncoder(nn.Module):
    """[RoI feature | expected class vector | position] of nodes."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        node_width: int,
        embedding_dim: int,
        embedding_std: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = ClassEmbedding(vocabulary.objects[1:], embedding_dim, embedding_std)
        self.position_norm = VideoBatchNorm(4, momentum=0.001)
        self.position = nn.Linear(4, POSITION_WIDTH)
        self.dropout = dropout
        self.encoded_width = node_width + embedding_dim + POSITION_WIDTH

    def encode(self, clip: Clip) -> Tensor:
        """(N, encoded_width). The clip must carry node_feature and node_distribution. dropout is of
        the position alone."""
        assert clip.node_feature is not None
        assert clip.node_distribution is not None
        low, high = clip.node_box[:, :2], clip.node_box[:, 2:]
        side = high - low + 1  # the reference counts pixels inclusively
        box = self.position_norm(torch.cat([low + side / 2, side], 1), clip.frame_video[clip.node_frame], clip.videos)
        position = F.dropout(self.position(box).relu(), self.dropout, self.training)
        return torch.cat([clip.node_feature, clip.node_distribution[:, 1:] @ self.embedding.weight, position], 1)


class ObjectClassifier(NodeEncoder):
    """logits = decoder(encoded node)."""

    def __init__(self, vocabulary: Vocabulary, node_width: int, embedding_dim: int, embedding_std: float = 1.0) -> None:
        super().__init__(vocabulary, node_width, embedding_dim, embedding_std)
        self.hidden = nn.Linear(self.encoded_width, HIDDEN)
        self.hidden_norm = VideoBatchNorm(HIDDEN)
        self.decoder = nn.Linear(HIDDEN, len(vocabulary.objects))

    def forward(self, clip: Clip) -> Tensor:
        """(N, O) logits, background first. The clip must carry node_feature and
        node_distribution."""
        hidden = self.hidden(self.encode(clip))
        logits: Tensor = self.decoder(self.hidden_norm(hidden, clip.frame_video[clip.node_frame], clip.videos).relu())
        return logits


def class_distribution(logits: Tensor) -> Tensor:
    """(N, O) float32 probabilities of the classes alone: the background's logit is not read, its
    column is 0."""
    return F.pad(logits[:, 1:].float().softmax(1), (1, 0))
