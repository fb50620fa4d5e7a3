"""The pair token of the STTran family: what is known of a subject, an object and the space between
them, side by side."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vidsgg.models.layers.class_embedding import ClassEmbedding
from vidsgg.models.layers.layout_encoder import GeometryEncoder, LayoutEncoder
from vidsgg.models.layers.video_norm import VideoBatchNorm
from vidsgg.ops.ragged import take_rows
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema
from vidsgg.structures.widths import FeatureWidths

UNION_CHANNELS = 256  # of the fused union map, 7 x 7 cells (STTran, section 3.2)


class UnionEncoder(nn.Module):
    """Union box: a 1x1 convolution of its features plus two convolutions over the two coverage
    maps, flattened to one vector."""

    def __init__(self, in_channels: int, out_dim: int) -> None:
        super().__init__()
        half = UNION_CHANNELS // 2
        self.features = nn.Conv2d(in_channels, UNION_CHANNELS, 1)
        self.mask_conv1 = nn.Conv2d(2, half, 7, stride=2, padding=3)
        self.mask_norm1 = VideoBatchNorm(half, momentum=0.01)
        self.mask_conv2 = nn.Conv2d(half, UNION_CHANNELS, 3, padding=1)
        self.mask_norm2 = VideoBatchNorm(UNION_CHANNELS, momentum=0.01)
        self.flatten = nn.Linear(UNION_CHANNELS * 7 * 7, out_dim)

    def forward(self, union: Tensor, mask: Tensor, video: Tensor, videos: int) -> Tensor:
        """union (P, C, 7, 7), mask (P, 2, 27, 27), video (P,) to (P, out_dim). The norm follows the
        ReLU, as in the reference."""
        # pooling and norm run several times faster so on CPUs
        mask = mask.contiguous(memory_format=torch.channels_last)
        m = self.mask_norm1(F.relu(self.mask_conv1(mask)), video, videos)
        m = F.max_pool2d(m, 3, stride=2, padding=1)
        m = self.mask_norm2(F.relu(self.mask_conv2(m)), video, videos)
        fused: Tensor = self.flatten((self.features(union) + m).flatten(1))
        return fused


class PairEncoder(nn.Module):
    """(P, width) tokens: [subject | object | union | subject class | object class], of which the
    schema decides what exists.

    For subjects that are actions the object comes first: [object | action | object class | action
    class]. Without features of unions there is an encoder of both boxes in their place (layout), for
    actions without any features one of the object's box.
    Width: hidden_dim for every visual part, embedding_dim for each class (STTran: 3 * 512 + 2 * 200
    = 1936; EASG: 1424).
    """

    def __init__(
        self, schema: Schema, widths: FeatureWidths, hidden_dim: int, embedding_dim: int, embedding_std: float = 1.0
    ) -> None:
        super().__init__()
        vocabulary = schema.vocabulary
        self.subject_has_box = schema.subject_has_box
        subject_width = widths.node if schema.subject_has_box else widths.action
        self.subject_visual = nn.Linear(subject_width, hidden_dim) if subject_width else None
        self.object_visual = nn.Linear(widths.node, hidden_dim) if widths.node else None
        self.union = UnionEncoder(widths.union, hidden_dim) if widths.union else None
        self.layout = LayoutEncoder(hidden_dim) if schema.subject_has_box and not widths.union else None
        alone = not (schema.subject_has_box or widths.node)
        self.geometry = GeometryEncoder(len(schema.slots), hidden_dim) if alone else None
        subjects = vocabulary.objects if schema.subject_has_box else vocabulary.subjects
        self.subject_embedding = ClassEmbedding(subjects, embedding_dim, embedding_std)
        self.object_embedding = ClassEmbedding(vocabulary.objects, embedding_dim, embedding_std)
        parts = (self.subject_visual, self.object_visual, self.union, self.layout, self.geometry)
        self.width = sum(part is not None for part in parts) * hidden_dim + 2 * embedding_dim

    def forward(self, clip: Clip, node_class: Tensor, action_class: Tensor) -> Tensor:
        """node_class (N,), action_class (U,): the classes to embed, given or predicted."""
        subject, obj = clip.pair_subject, clip.pair_object
        subject_source, subject_class = (
            (clip.node_feature, node_class) if self.subject_has_box else (clip.action_feature, action_class)
        )
        subject_parts = (
            [take_rows(self.subject_visual(subject_source), subject)] if self.subject_visual is not None else []
        )
        object_parts = [take_rows(self.object_visual(clip.node_feature), obj)] if self.object_visual is not None else []
        parts = subject_parts + object_parts if self.subject_has_box else object_parts + subject_parts
        if self.union is not None:
            parts.append(self.union(clip.pair_union, clip.pair_mask, clip.frame_video[clip.pair_frame], clip.videos))
        if self.layout is not None:
            parts.append(self.layout(clip))
        if self.geometry is not None:
            parts.append(self.geometry(clip.node_box[obj], clip.pair_frame, clip))
        words = [self.subject_embedding(subject_class[subject]), self.object_embedding(node_class[obj])]
        return torch.cat(parts + (words if self.subject_has_box else words[::-1]), 1)
