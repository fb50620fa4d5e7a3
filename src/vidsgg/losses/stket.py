"""STKET's criterion (Pu et al., IEEE TIP 2024, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor

from vidsgg.losses.criterion import logits_of
from vidsgg.losses.relations import RelationCriterion
from vidsgg.models.stket import StketLogits
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema


class StketCriterion:
    """The losses of ``RelationCriterion`` for every part that scores pairs, and for the knowledge
    by itself, all of weight 1."""

    def __init__(
        self, schema: Schema, *, bce: bool = True, spatial_prior: bool = True, temporal_prior: bool = True
    ) -> None:
        """spatial_prior, temporal_prior: whether knowledge is trained by a loss of its own where
        the model reads it."""
        self.relations = RelationCriterion(schema, bce)
        asked = {"spatial_prior": spatial_prior, "temporal_prior": temporal_prior}
        self.left_out = frozenset(part for part, wanted in asked.items() if not wanted)

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        """Scalars by part and group such as "ensemble_contacting", "objects" where classes are
        learnt, and their sum "total"."""
        logits = logits_of(logits, StketLogits)
        losses = {
            f"{part}_{group}": loss
            for part, groups in logits.parts.items()
            if part not in self.left_out
            for group, loss in self.relations.of_groups(groups, clip).items()
        }
        if logits.objects is not None:
            losses["objects"] = self.relations.of_objects(logits.objects, clip)
        return {**losses, "total": torch.stack(list(losses.values())).sum()}
