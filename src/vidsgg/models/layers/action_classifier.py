"""Class logits of actions: what happens in an event, by its clip feature, else by its objects."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.layers.layout_encoder import GeometryEncoder
from vidsgg.models.layers.object_classifier import HIDDEN, POSITION_WIDTH
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.ops.segments import segment_mean
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths


class ActionClassifier(nn.Module):
    """Two layers over the clip feature of an event, as in EASG's STTran.

    Without clip features: over the mean of [place | expected class vector | RoI feature] of the
    event's objects, the last where there is one. Their classes are those that the model guesses:
    where the action is hidden, they are too.
    """

    def __init__(self, schema: Schema, widths: FeatureWidths, embedding_dim: int, embedding_std: float = 1.0) -> None:
        super().__init__()
        vocabulary, width = schema.vocabulary, widths.action
        self.geometry = self.embedding = None
        if not widths.action:
            self.geometry = GeometryEncoder(len(schema.slots), POSITION_WIDTH)
            self.embedding = ClassEmbedding(vocabulary.objects[1:], embedding_dim, embedding_std)
            width = POSITION_WIDTH + embedding_dim + widths.node
        self.hidden = nn.Linear(width, HIDDEN)
        self.hidden_norm = VideoBatchNorm(HIDDEN)
        self.decoder = nn.Linear(HIDDEN, len(vocabulary.subjects))

    def forward(self, clip: Clip, distribution: Tensor) -> Tensor:
        """(U, S) logits. distribution: (N, O) over the objects' classes, background first."""
        hidden = self.hidden(self._seen(clip, distribution))
        first_frame = torch.searchsorted(clip.frame_unit, torch.arange(clip.units, device=clip.device))
        hidden = self.hidden_norm(hidden, clip.frame_video[first_frame], clip.videos)
        logits: Tensor = self.decoder(hidden.relu())
        return logits

    def _seen(self, clip: Clip, distribution: Tensor) -> Tensor:
        if self.geometry is None or self.embedding is None:
            assert clip.action_feature is not None
            return clip.action_feature
        place = self.geometry(clip.node_box, clip.node_frame, clip)
        parts = [place, distribution[:, 1:] @ self.embedding.weight]
        if clip.node_feature is not None:
            parts.append(clip.node_feature)
        return segment_mean(torch.cat(parts, 1), clip.frame_unit[clip.node_frame], clip.units)


def with_guessed_actions(clip: Clip, classifier: ActionClassifier | None) -> tuple[Clip, Tensor | None]:
    """The clip with the likeliest action of every event, and the logits (U, S).

    Without a classifier the clip as it is. clip: with ``node_distribution``, the guess for its
    objects.
    """
    if classifier is None:
        return clip, None
    assert clip.node_distribution is not None
    logits = classifier(clip, clip.node_distribution)
    return replace(clip, action_class=logits.argmax(1)), logits
