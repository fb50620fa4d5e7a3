"""The criterion of EASG's baseline (Rodin et al., CVPR 2024; ``run_easg.py``, function ``train``)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from vidsgg.errors import DataError
from vidsgg.losses.criterion import logits_of
from vidsgg.losses.relations import binary_cross_entropy, mean_of_videos
from vidsgg.models.easg_baseline import EasgBaselineLogits
from vidsgg.ops.segments import segment_mean
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema


class EasgBaselineCriterion:
    """Of every label unit: cross entropy of its action, mean cross entropy of its objects, mean binary cross entropy of its relations.

    The three weigh the same in all modes. Losses of units are averaged over a video, those of videos over the clip: a clip of one
    unit has the loss of the authors' step. "single" groups of predicates have a cross entropy.
    """

    def __init__(self, schema: Schema) -> None:
        self.groups = schema.vocabulary.groups

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        """Scalars by group name, "objects", "actions" and their sum "total". Raises DataError if the clip lacks what is to be learnt."""
        learnt = logits_of(logits, EasgBaselineLogits).learnt
        if learnt is None or clip.labels is None or clip.node_target is None or clip.action_target is None:
            raise DataError(
                f"clip of {clip.video_ids[0]!r}: the loss needs the labels, node_target and action_target of a clip to learn from."
            )
        found, units = learnt.found, len(learnt.actions)
        first_frame = torch.searchsorted(clip.frame_unit, torch.arange(units, device=clip.device))
        # Every node is the object of one pair; an object's pairs have the same labels in all frames.
        pair_of_node = torch.empty(clip.nodes, dtype=torch.long, device=clip.device)
        pair_of_node[clip.pair_object] = torch.arange(clip.pairs, device=clip.device)
        pair = pair_of_node[found.first_node]

        def mean(object_loss: Tensor) -> Tensor:
            return mean_of_videos(segment_mean(object_loss, found.unit, units), first_frame, clip)

        losses = {}
        for group in self.groups:
            score, hot = learnt.relations[group.name].float(), clip.labels[group.name][pair]
            single = group.kind == "single"
            losses[group.name] = mean(
                F.cross_entropy(score, hot.int().argmax(1), reduction="none")
                if single
                else binary_cross_entropy(score, hot)
            )
        target = clip.node_target[found.first_node] - 1  # there is no background
        losses["objects"] = mean(F.cross_entropy(learnt.objects[:, 1:].float(), target, reduction="none"))
        of_action = F.cross_entropy(learnt.actions.float(), clip.action_target, reduction="none")
        losses["actions"] = mean_of_videos(of_action, first_frame, clip)
        return {**losses, "total": torch.stack(list(losses.values())).sum()}
