"""SceneLLM's criteria: that of a VQ-VAE in its first stage, then that of STTran."""

from __future__ import annotations

import torch
from torch import Tensor

from vidsgg.losses.criterion import logits_of
from vidsgg.losses.relations import RelationCriterion, mean_of_videos
from vidsgg.models.scenellm.quantiser import Quantised
from vidsgg.models.scenellm.scenellm import SceneLLMLogits
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema


class SceneLLMCriterion:
    """Stage CODES: "reconstruction", the squared error of the decoded features (1 if it knows but
    their mean), "codebook", that of the codes against the latents, and "commitment", that of the
    latents against the codes (van den Oord et al. 2017, equation 3); means over columns, then over
    the nodes of a video, then over videos. Other stages: RelationCriterion.
    """

    def __init__(self, schema: Schema, *, commitment: float, bce: bool = False) -> None:
        """commitment: weight of that part, beta."""
        self.relations, self.commitment = RelationCriterion(schema, bce), commitment

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        logits = logits_of(logits, SceneLLMLogits)
        if logits.quantised is None:
            return self.relations(logits, clip)
        losses = {
            name: mean_of_videos(error, clip.node_frame, clip) for name, error in code_errors(logits.quantised).items()
        }
        losses["commitment"] = self.commitment * losses["commitment"]
        return {**losses, "total": torch.stack(list(losses.values())).sum()}


def code_errors(quantised: Quantised) -> dict[str, Tensor]:
    """Mean squared errors (N,) of every node, by part."""
    q = quantised
    return {
        "reconstruction": (q.decoded - q.feature).square().mean(1),
        "codebook": (q.latent.detach() - q.entry).square().mean(1),
        "commitment": (q.latent - q.entry.detach()).square().mean(1),
    }
