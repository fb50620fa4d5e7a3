"""A small network: what two things look like, what they are, and where they lie to each other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from vidsgg.extend import (
    Clip,
    FeatureWidths,
    RelationLogits,
    Schema,
    check_node_features,
    scored_pairs,
    settle_by_logits,
)
from vidsgg_blocks.method import NearnessConfig


class Nearness(nn.Module):
    """Letters: N nodes, P pairs, O object classes, C predicates of a group, D width of a node's
    features, W ``config.width``."""

    def __init__(self, schema: Schema, widths: FeatureWidths, config: NearnessConfig, mode: str) -> None:
        """Raises ConfigError if classes have to be guessed but nodes have no features."""
        super().__init__()
        objects, self.steps = len(schema.vocabulary.objects), config.steps
        self.look = nn.Linear(widths.node, config.width) if widths.node else None
        self.word = nn.Embedding(objects, config.width)
        self.place = nn.Linear(6, config.width)
        self.pair = nn.Sequential(nn.Linear(3 * config.width, config.width), nn.ReLU(), nn.Dropout(config.dropout))
        self.step = nn.Sequential(nn.Linear(2 * config.width, config.width), nn.ReLU())
        self.heads = nn.ModuleDict(
            {group.name: nn.Linear(config.width, len(group)) for group in schema.vocabulary.groups}
        )
        self.classes = None
        if mode != "predcls":
            check_node_features("nearness", schema, widths)
            self.classes = nn.Linear(widths.node, objects)

    def forward(self, clip: Clip) -> RelationLogits:
        """Logits (P, C) per group. Where classes are hidden there are logits (N, O) of them too;
        ``scored_pairs`` does what follows."""
        pairs = scored_pairs(clip, "nearness", self._classify if self.classes else None, settle_by_logits)
        return RelationLogits(self._relations(pairs.clip, pairs.node_class), pairs.guess, clip=pairs.settled)

    def _classify(self, clip: Clip) -> Tensor:
        assert self.classes is not None
        logits: Tensor = self.classes(clip.node_feature)
        return logits

    def _relations(self, clip: Clip, node_class: Tensor) -> dict[str, Tensor]:
        node = self.word(node_class.clamp(min=0))
        if self.look is not None and clip.node_feature is not None:
            node = node + self.look(clip.node_feature)
        pair = self.pair(torch.cat([node[clip.pair_subject], node[clip.pair_object], self.place(_geometry(clip))], 1))
        for _ in range(self.steps):
            pair = pair + self.step(torch.cat([pair, _mean_of_frame(pair, clip)], 1))
        return {name: head(pair) for name, head in self.heads.items()}


def _geometry(clip: Clip) -> Tensor:
    """(P, 6): the way from the subject's centre to the object's, and both sizes, in parts of the
    frame."""
    size = clip.frame_size[clip.pair_frame]
    subject, thing = (clip.node_box[row] for row in (clip.pair_subject, clip.pair_object))
    way = (thing[:, :2] + thing[:, 2:] - subject[:, :2] - subject[:, 2:]) / 2
    return torch.cat([way, subject[:, 2:] - subject[:, :2], thing[:, 2:] - thing[:, :2]], 1) / size.repeat(1, 3)


def _mean_of_frame(pair: Tensor, clip: Clip) -> Tensor:
    """(P, W): for every pair the mean over the pairs of its frame."""
    total = pair.new_zeros(clip.frames, pair.shape[1]).index_add(0, clip.pair_frame, pair)
    count = torch.bincount(clip.pair_frame, minlength=clip.frames).clamp(min=1)
    return (total / count[:, None])[clip.pair_frame]
