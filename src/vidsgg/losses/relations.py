"""The criterion of the two-stage methods: cross entropy and multi-label margin (STTran, ICCV 2021,
section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from vidsgg.errors import ConfigError, DataError
from vidsgg.ops.candidates import labelled_pairs
from vidsgg.ops.segments import segment_mean
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema

T = TypeVar("T")


class RelationCriterion:
    """Losses of a clip: one per predicate group, and one each for objects and actions if the model
    scores them.

    Groups of kind ``single``: cross entropy of the logits. Groups of kind ``multi``: multi-label
    margin of the *probabilities*, as STTran trains, or binary cross entropy with ``bce``. Objects and
    actions: cross entropy. The background is an ordinary class, except for the objects of actions:
    these are always something, so its column is not read.

    Every loss is the mean over the rows of a video, averaged over the videos of the clip; a video
    without rows counts 0. A batch of four videos therefore has the mean loss of four batches of one;
    the reference steps on single videos.
    """

    def __init__(self, schema: Schema, bce: bool = False) -> None:
        self.groups = schema.vocabulary.groups
        self.multi_label = binary_cross_entropy if bce else multi_label_margin
        for group in self.groups:
            if group.name in ("objects", "actions", "total"):
                raise ConfigError(
                    f"schema {schema.name!r}: a predicate group is named {group.name!r}, like a loss; rename the group."
                )

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        """Return losses by group name, ``objects``, ``actions`` and ``total``; float32, under autocast
        too.

        A clip without pairs has losses of 0 that can be differentiated. Raises DataError if the clip
        lacks labels for something the model scores.
        """
        losses = self.of_groups(logits.groups, clip)
        if logits.objects is not None:
            losses["objects"] = self.of_objects(logits.objects, clip)
        if logits.actions is not None:
            losses["actions"] = of_actions(logits.actions, clip)
        return {**losses, "total": torch.stack(list(losses.values())).sum()}

    def of_groups(self, groups: Mapping[str, Tensor], clip: Clip) -> dict[str, Tensor]:
        """Scalars by group name, of logits (P, C) per group."""
        labels, labelled = _given(clip, "labels", clip.labels), labelled_pairs(clip)
        losses = {}
        for group in self.groups:
            score, hot = groups[group.name].float(), labels[group.name]
            use = None if clip.label_use is None else clip.label_use[group.name]
            if group.kind == "single":
                row_loss = F.cross_entropy(score, hot.int().argmax(dim=1), reduction="none")
            else:
                row_loss = self.multi_label(score, hot, use)
                if labelled is not None and self.multi_label is multi_label_margin:
                    row_loss = row_loss + margin_of_negatives(score, hot)
            losses[group.name] = mean_of_pairs(row_loss, labelled, clip, use)
        return losses

    def of_objects(self, objects: Tensor, clip: Clip) -> Tensor:
        """The scalar of class logits (N, O)."""
        target = _given(clip, "node_target", clip.node_target)
        background = 0 if clip.schema.subject_has_box else 1  # columns of the classes begin here
        row_loss = F.cross_entropy(objects[:, background:].float(), target - background, reduction="none")
        return mean_of_videos(row_loss, clip.node_frame, clip)


def of_actions(actions: Tensor, clip: Clip) -> Tensor:
    """The cross entropy of class logits (U, S) of the clip's actions, averaged over the actions of a
    video, then over videos. Raises DataError if the clip has no actions to learn."""
    target = _given(clip, "action_target", clip.action_target)
    row_loss = F.cross_entropy(actions.float(), target, reduction="none")
    first_frame = torch.searchsorted(clip.frame_unit, torch.arange(len(target), device=clip.device))
    return mean_of_videos(row_loss, first_frame, clip)


def multi_label_margin(logits: Tensor, hot: Tensor, use: Tensor | None = None) -> Tensor:
    """Multi-label margin of sigmoid(logits): per row, sum over labelled y and unlabelled j of
    max(0, 1 - p_y + p_j), divided by C.

    logits: (P, C) float32. hot: (P, C) bool. use: (P, C) bool, the classes that are read; None:
    all. Returns (P,); a row without any label gives 0.
    """
    if use is not None and not bool(use.all()):
        p, other = logits.sigmoid(), (~hot & use)[:, None]
        short = (1 - p[:, :, None] + p[:, None]).clamp(min=0) * ((hot & use)[:, :, None] & other)
        return short.sum((1, 2)) / hot.shape[1]
    # torch reads class indices, padded with -1: the labelled classes first, in ascending order.
    classes = hot.int().argsort(dim=1, descending=True, stable=True)
    place = torch.arange(hot.shape[1], device=hot.device)
    target = classes.masked_fill(place >= hot.sum(dim=1, keepdim=True), -1)
    return F.multilabel_margin_loss(logits.sigmoid(), target, reduction="none")


def binary_cross_entropy(logits: Tensor, hot: Tensor, use: Tensor | None = None) -> Tensor:
    """Binary cross entropy of sigmoid(logits), averaged over the classes that are read: (P, C)
    float32 and (P, C) bool give (P,). use: (P, C) bool, which they are; None: all."""
    each = F.binary_cross_entropy_with_logits(logits, hot.float(), reduction="none")
    return each.mean(dim=1) if use is None else (each * use).sum(1) / use.sum(1).clamp(min=1)


def mean_of_videos(row_loss: Tensor, row_frame: Tensor, clip: Clip, use: Tensor | None = None) -> Tensor:
    """The mean over the rows of a video, averaged over the videos of the clip; one without rows
    counts 0. row_frame: each row's frame. use (R, C): rows without any are left out."""
    video = clip.frame_video[row_frame]
    if use is not None:
        kept = use.any(1)
        row_loss, video = row_loss[kept], video[kept]
    return segment_mean(row_loss, video, clip.videos).mean()


def margin_of_negatives(logits: Tensor, hot: Tensor) -> Tensor:
    """What ``multi_label_margin`` lacks for rows without any label, (P, C) and (P, C) give (P,): the
    margin to one predicate more, "none", of probability 1, which is the sum of the probabilities
    divided by C. 0 for other rows."""
    return logits.sigmoid().mean(1) * ~hot.any(1)


def mean_of_pairs(row_loss: Tensor, labelled: Tensor | None, clip: Clip, use: Tensor | None) -> Tensor:
    """The loss of one group from its rows (P,): ``mean_of_videos``; where pairs without a label are
    among the candidates, that of the labelled ones and that of the others, added up, so that the
    many negatives weigh as much as the few relations. labelled: see ``labelled_pairs``."""
    if labelled is None:
        return mean_of_videos(row_loss, clip.pair_frame, clip, use)
    read = torch.ones_like(labelled) if use is None else use.any(1)
    parts = [(labelled & read)[:, None], (~labelled & read)[:, None]]
    return torch.stack([mean_of_videos(row_loss, clip.pair_frame, clip, part) for part in parts]).sum()


def _given(clip: Clip, name: str, value: T | None) -> T:
    if value is None:
        raise DataError(
            f"clip of {', '.join(clip.video_ids[:3])}: the loss needs {name}, which the clip does not have."
        )
    return value
