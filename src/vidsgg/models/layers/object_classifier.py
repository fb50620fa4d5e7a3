"""Class logits of nodes from their RoI feature, the detector's guess and their place in the picture
(STTran, section 3.2).

Without RoI features, as the objects of events may be, they are classified by their place, the event's
clip feature and the action, as far as these are there.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.layers.layout_encoder import GeometryEncoder
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

POSITION_WIDTH, HIDDEN = 128, 1024


class NodeEncoder(nn.Module):
    """[RoI feature | expected class vector | position] of nodes.

    Without RoI features: [expected class vector | position], or of the objects of events [position |
    clip feature | action], of which data set and mode decide what exists. The place is then read as
    in ``GeometryEncoder``, rounded.
    """

    def __init__(
        self,
        schema: Schema,
        widths: FeatureWidths,
        embedding_dim: int,
        embedding_std: float = 1.0,
        dropout: float = 0.0,
        *,
        mode: str,
    ) -> None:
        super().__init__()
        vocabulary = schema.vocabulary
        self.has_features, self.dropout = widths.node > 0, dropout
        if self.has_features or schema.subject_has_box:
            self.embedding = ClassEmbedding(vocabulary.objects[1:], embedding_dim, embedding_std)
            self.encoded_width = widths.node + embedding_dim + POSITION_WIDTH
        if self.has_features:
            self.position_norm = VideoBatchNorm(4, momentum=0.001)
            self.position = nn.Linear(4, POSITION_WIDTH)
            return
        self.geometry = GeometryEncoder(len(schema.slots), POSITION_WIDTH)
        if schema.subject_has_box:
            return
        self.action_embedding = None
        self.encoded_width = POSITION_WIDTH + widths.action
        if mode in schema.subject_given:
            self.action_embedding = ClassEmbedding(vocabulary.subjects, embedding_dim, embedding_std)
            self.encoded_width += embedding_dim

    def encode(self, clip: Clip) -> Tensor:
        """(N, encoded_width). dropout is of the position alone.

        With RoI features the clip must carry node_feature, and if its subjects have boxes
        node_distribution. The objects of events come without a detector's distribution: every class
        is then equally likely.
        """
        if not (self.has_features or clip.schema.subject_has_box):
            return self._encode_in_event(clip)
        if clip.node_distribution is not None:
            expected = clip.node_distribution[:, 1:] @ self.embedding.weight
        else:
            assert not clip.schema.subject_has_box
            expected = self.embedding.weight.mean(0).expand(clip.nodes, -1)
        if not self.has_features:
            place = self.geometry(clip.node_box, clip.node_frame, clip)
            return torch.cat([expected, F.dropout(place, self.dropout, self.training)], 1)
        assert clip.node_feature is not None
        low, high = clip.node_box[:, :2], clip.node_box[:, 2:]
        side = high - low + 1  # the reference counts pixels inclusively
        box = self.position_norm(torch.cat([low + side / 2, side], 1), clip.frame_video[clip.node_frame], clip.videos)
        position = F.dropout(self.position(box).relu(), self.dropout, self.training)
        return torch.cat([clip.node_feature, expected, position], 1)

    def _encode_in_event(self, clip: Clip) -> Tensor:
        position = self.geometry(clip.node_box, clip.node_frame, clip)
        parts = [F.dropout(position, self.dropout, self.training)]
        event = clip.frame_unit[clip.node_frame]
        if clip.action_feature is not None:
            parts.append(clip.action_feature[event])
        if self.action_embedding is not None:
            parts.append(self.action_embedding(clip.action_class[event]))
        return torch.cat(parts, 1)


class ObjectClassifier(NodeEncoder):
    """Class logits of encoded nodes: a hidden layer, batch normalisation, a linear layer."""

    def __init__(
        self,
        schema: Schema,
        widths: FeatureWidths,
        embedding_dim: int,
        embedding_std: float = 1.0,
        dropout: float = 0.0,
        *,
        mode: str,
    ) -> None:
        super().__init__(schema, widths, embedding_dim, embedding_std, dropout, mode=mode)
        self.hidden = nn.Linear(self.encoded_width, HIDDEN)
        self.hidden_norm = VideoBatchNorm(HIDDEN)
        self.decoder = nn.Linear(HIDDEN, len(schema.vocabulary.objects))

    def forward(self, clip: Clip) -> Tensor:
        """(N, O) logits, background first. What the clip must carry: see ``encode``."""
        return self.classify(self.encode(clip), clip)

    def classify(self, encoded: Tensor, clip: Clip) -> Tensor:
        """(N, O) logits of encoded nodes (N, encoded_width) of the clip."""
        hidden = self.hidden_norm(self.hidden(encoded), clip.frame_video[clip.node_frame], clip.videos)
        logits: Tensor = self.decoder(hidden.relu())
        return logits


def class_distribution(logits: Tensor) -> Tensor:
    """(N, O) float32 probabilities of the classes alone: the background's logit is not read, its
    column is 0."""
    return F.pad(logits[:, 1:].float().softmax(1), (1, 0))
