"""TEMPURA's criterion (Nag et al., CVPR 2023, section 3.5, and what the authors' train.py adds to
it)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vidsgg.errors import ConfigError, DataError
from vidsgg.losses.contrastive import Contrastive, info_nce, margin_contrastive
from vidsgg.losses.criterion import logits_of
from vidsgg.losses.relations import (
    binary_cross_entropy,
    margin_of_negatives,
    mean_of_pairs,
    multi_label_margin,
    of_actions,
)
from vidsgg.models.configs import TempuraLossConfig
from vidsgg.models.tempura import TempuraLogits
from vidsgg.ops.candidates import labelled_pairs
from vidsgg.ops.segments import segment_mean, segment_sum
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema

LEAST = 1e-12  # added to the probability of a mixture before its logarithm
CONTRASTIVE: dict[str, Contrastive] = {"euc_con": margin_contrastive, "info_nce": info_nce}


class TempuraCriterion:
    """Losses of one clip: one per predicate group, "objects" and "contrastive" where classes are
    guessed, "actions" where these are, "gmm_regularization_loss".

    "single" groups and objects: negative log likelihood. "multi" groups: binary cross entropy, or a
    margin. Every loss is the mean over the rows of a video, averaged over the videos of the clip
    (one without rows counts 0), as in RelationCriterion.
    """

    def __init__(self, schema: Schema, config: TempuraLossConfig) -> None:
        self.groups, self.config = schema.vocabulary.groups, config
        for group in self.groups:
            if group.name in ("objects", "actions", "contrastive", "gmm_regularization_loss", "total"):
                raise ConfigError(
                    f"schema {schema.name!r}: a predicate group is named {group.name!r}, like a loss; rename the group."
                )

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        """Scalars by name and their sum "total"; float32 also under autocast.

        A clip without pairs gives zeros that can be differentiated. Raises DataError if the clip
        lacks the labels of something scored.
        """
        config, logits = self.config, logits_of(logits, TempuraLogits)
        if clip.labels is None:
            raise DataError(
                f"clip of {', '.join(clip.video_ids[:3])}: the loss needs labels, which the clip does not have."
            )
        video, labelled = clip.frame_video[clip.pair_frame], labelled_pairs(clip)
        losses = {}
        for group in self.groups:
            score, hot = logits.groups[group.name].float(), clip.labels[group.name]
            use = None if clip.label_use is None else clip.label_use[group.name]
            if group.kind == "single":
                row_loss = negative_log_likelihood(score, hot.int().argmax(1), mixed=config.rel_head == "gmm")
            else:
                row_loss = (multi_label_margin if config.mlm else binary_cross_entropy)(score, hot, use)
                if labelled is not None and config.mlm:
                    row_loss = row_loss + margin_of_negatives(score, hot)
            if config.rel_loss_weighting:
                weight = row_weights(_unsure(logits, group.name, config.rel_loss_weighting), video, clip.videos)
                if config.reference_compat and config.mlm and group.kind == "multi":
                    # the reference multiplies (P,) by (P, P): train.py:250
                    weight = segment_mean(weight, video, clip.videos)[video]
                row_loss = row_loss * weight
            losses[group.name] = mean_of_pairs(row_loss, labelled, clip, use)
        if logits.objects is not None:
            losses |= self._of_objects(logits, clip)
        if logits.actions is not None:
            losses["actions"] = of_actions(logits.actions, clip)
        if config.gmm_regularization and logits.mixture_weights:
            even = torch.stack(
                [_one_sided(log_weight, name, clip) for name, log_weight in logits.mixture_weights.items()]
            )
            losses["gmm_regularization_loss"] = config.gmm_regularization * even.mean()
        return {**losses, "total": torch.stack(list(losses.values())).sum()}

    def _of_objects(self, logits: TempuraLogits, clip: Clip) -> dict[str, Tensor]:
        config, target = self.config, clip.node_target
        assert logits.objects is not None
        if target is None:
            raise DataError(
                f"clip of {', '.join(clip.video_ids[:3])}: the loss needs node_target, which the clip does not have."
            )
        video = clip.frame_video[clip.node_frame]
        row_loss = negative_log_likelihood(logits.objects.float(), target, mixed=config.obj_head == "gmm")
        row_loss = torch.where(target == 0, config.eos_coef * row_loss, row_loss)
        if config.obj_loss_weighting:
            row_loss = row_loss * row_weights(_unsure(logits, "objects", config.obj_loss_weighting), video, clip.videos)
        losses = {"objects": segment_mean(row_loss, video, clip.videos).mean()}
        if config.obj_con_loss:
            assert logits.node_features is not None
            each = CONTRASTIVE[config.obj_con_loss](logits.node_features.float(), target, video, clip.videos)
            losses["contrastive"] = config.lambda_con * each.mean()
        return losses


def negative_log_likelihood(logits: Tensor, target: Tensor, *, mixed: bool) -> Tensor:
    """(R, C) float32 and (R,) long give (R,). mixed: the logits are the logarithms of a mixture's
    probabilities p; -log(p + 1e-12) then."""
    if not mixed:
        return F.cross_entropy(logits, target, reduction="none")
    log_p = logits.gather(1, target[:, None]).squeeze(1)
    return -torch.logaddexp(log_p, log_p.new_tensor(math.log(LEAST)))


def row_weights(uncertainty: Tensor, video: Tensor, videos: int) -> Tensor:
    """(R, C) to (R,): 1 and the share of a row in exp(its uncertainty, summed over classes) over
    the rows of its video."""
    total = uncertainty.sum(1)
    lifted = (total - total.max()).exp() if len(total) else total
    return 1 + lifted / segment_sum(lifted, video, videos)[video]


def _unsure(logits: TempuraLogits, name: str, kind: str) -> Tensor:
    if name == "objects" and logits.object_uncertainty is not None:
        return logits.object_uncertainty[0 if kind == "al" else 1]
    if name != "objects" and logits.uncertainty is not None:
        return (logits.uncertainty.aleatoric if kind == "al" else logits.uncertainty.epistemic)[name]
    raise ConfigError(
        f"option -{'obj' if name == 'objects' else 'rel'}_loss_weighting: the model does not estimate uncertainty."
    )


def _one_sided(log_weight: Tensor, name: str, clip: Clip) -> Tensor:
    """How far the components' weights (R, K) are from even: 0 if they are, 1 for one component
    alone, and 0 where there is only one."""
    components = log_weight.shape[1]
    if components == 1:
        return log_weight.sum() * 0
    entropy = -(log_weight.exp() * log_weight).sum(1)
    video = clip.frame_video[clip.node_frame if name == "objects" else clip.pair_frame]
    return segment_mean(1 - entropy / math.log(components), video, clip.videos).mean()
