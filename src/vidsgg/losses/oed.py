"""OED's matcher and criterion (Wang et al., CVPR 2024; guanw-pku/OED ``models/matcher.py`` and
``dsgg_*.py``).

Letters: F frames, Q queries, M pairs to be found in a frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from vidsgg.errors import DataError
from vidsgg.losses.criterion import logits_of
from vidsgg.models.oed.network import PairLogits
from vidsgg.models.oed.oed import OedLogits, ScoredFrames, boxes_of_pairs
from vidsgg.structures.clip import Clip
from vidsgg.structures.logits import RelationLogits
from vidsgg.structures.schema import Schema
from vidsgg.structures.vocabulary import PredicateGroup

SMALL = 1e-4  # added to denominators, as in the reference
NO_OBJECT_WEIGHT = 0.1
CLASS_WEIGHT, RELATION_WEIGHT, BOX_WEIGHT, OVERLAP_WEIGHT = 1.0, 2.0, 2.5, 1.0
ALPHA = 0.5  # of the focal loss, whose gamma is 2


@dataclass(frozen=True, eq=False)
class PairTargets:
    """The pairs of one frame. Boxes are centre and sides, 0..1; an object box of zeros is none."""

    object_class: Tensor  # (M,) long
    subject_box: Tensor  # (M, 4)
    object_box: Tensor  # (M, 4)
    labels: Mapping[str, Tensor]  # (M, C) bool per group

    @property
    def has_box(self) -> Tensor:
        return self.object_box.ne(0).any(1)


class OedCriterion:
    """Losses of the frames of a clip that the model has looked at.

    One a part as of ``pair_losses``, of the last layer, and "auxiliary", the sum of all losses of
    the layers before it. All are of the frames of a video together, averaged over videos. Beside
    them "class_error", the percentage of matched queries whose class is wrong, which is no loss.
    """

    def __init__(self, schema: Schema, *, given: bool) -> None:
        """given: predcls, where queries are the annotated pairs."""
        self.groups, self.given = schema.vocabulary.groups, given

    def __call__(self, logits: RelationLogits, clip: Clip) -> dict[str, Tensor]:
        """Scalars by name and "total". Raises DataError if the clip has no labels."""
        scored = logits_of(logits, OedLogits).scored
        videos = [self._of_video(part, clip) for part in scored]
        losses = {name: torch.stack([video[name] for video in videos]).mean() for name in videos[0]}
        total = torch.stack([value for name, value in losses.items() if name != "class_error"]).sum()
        return {**losses, "total": total}

    def _of_video(self, part: ScoredFrames, clip: Clip) -> dict[str, Tensor]:
        frames = list(zip(part.frames.tolist(), part.flipped.tolist(), strict=True))
        found = [frame_targets(clip, frame, flip=flip) for frame, flip in frames]
        targets, use = [target for target, _, _ in found], [read for _, read, _ in found]
        layers = []
        for said in part.layers:
            if self.given:  # query i of a frame is its pair i, of those that have an area
                matched = [(rows, torch.arange(len(rows), device=rows.device)) for _, _, rows in found]
            else:
                matched = match_queries(said, targets, self.groups)
            layers.append(
                (pair_losses(said, targets, self.groups, matched=matched, given=self.given, use=use), matched)
            )
        losses, matched = layers[-1]
        before = [torch.stack(list(of_layer.values())).sum() for of_layer, _ in layers[:-1]]
        auxiliary = torch.stack(before).sum() if before else losses["objects"] * 0
        return {**losses, "auxiliary": auxiliary, "class_error": class_error(part.layers[-1], targets, matched)}


def frame_targets(clip: Clip, frame: int, *, flip: bool = False) -> tuple[PairTargets, dict[str, Tensor], Tensor]:
    """The pairs of a frame whose boxes have an area within the picture, what losses read of their
    labels (``Clip.label_use``), and their places (M,) among the frame's pairs."""
    target = clip.node_target
    if clip.labels is None or target is None:
        raise DataError(
            f"clip of {', '.join(clip.video_ids[:3])}: the loss needs labels, which the clip does not have."
        )
    pairs = (clip.pair_frame == frame).nonzero().squeeze(1)
    subject, obj, has_area = boxes_of_pairs(clip, frame, flip=flip)
    rows = has_area.nonzero().squeeze(1)
    taken = pairs[rows]
    labels = {name: table[taken] for name, table in clip.labels.items()}
    use = {
        name: torch.ones_like(hot) if clip.label_use is None else clip.label_use[name][taken]
        for name, hot in labels.items()
    }
    return PairTargets(target[clip.pair_object[taken]], subject[rows], obj[rows], labels), use, rows


@torch.no_grad()
def class_error(said: PairLogits, targets: Sequence[PairTargets], matched: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
    """Percentage of matched queries whose most likely class is not that of their pair; 0 of none."""
    wrong = [
        said.objects[frame, rows].argmax(-1) != target.object_class[columns]
        for frame, (target, (rows, columns)) in enumerate(zip(targets, matched, strict=True))
    ]
    every = torch.cat(wrong).float()
    return 100 * every.mean() if len(every) else every.sum()


@torch.no_grad()
def cardinality_error(said: PairLogits, targets: Sequence[PairTargets]) -> Tensor:
    """By how many the queries that find an object differ from the pairs of a frame, on average."""
    found = (said.objects.argmax(-1) != said.objects.shape[-1] - 1).sum(1).float()
    wanted = torch.tensor([len(target.object_class) for target in targets], device=found.device)
    return (found - wanted).abs().mean()


def match_queries(
    said: PairLogits, targets: Sequence[PairTargets], groups: Sequence[PredicateGroup]
) -> list[tuple[Tensor, Tensor]]:
    """Queries and pairs of every frame that stand for each other at the least total cost."""
    found = []
    for frame, target in enumerate(targets):
        cost = pair_cost(said.frame(frame), target, groups).detach().cpu().numpy()
        rows, columns = linear_sum_assignment(cost)
        device = said.objects.device
        found.append((torch.as_tensor(rows, device=device), torch.as_tensor(columns, device=device)))
    return found


def pair_cost(said: PairLogits, target: PairTargets, groups: Sequence[PredicateGroup]) -> Tensor:
    """(Q, M) of the queries of one frame, (1, Q, ...)."""
    cost = -said.objects[0].float().softmax(-1)[:, target.object_class]
    for group in groups:
        logits = said.groups[group.name][0].float()
        p = logits.softmax(-1)[:, :-1] if group.kind == "single" else logits.sigmoid()
        y = target.labels[group.name].to(p.dtype)
        right = p @ y.T / (y.sum(1) + SMALL)
        cost = cost - (right + (1 - p) @ (1 - y).T / ((1 - y).sum(1) + SMALL)) / 2
    box = target.has_box
    subject, obj = said.subject_box[0].float(), said.object_box[0].float()
    far = torch.cdist(obj, target.object_box, p=1) * box
    cost = cost + BOX_WEIGHT * torch.maximum(torch.cdist(subject, target.subject_box, p=1), far)
    apart = -generalised_iou(subject[:, None], target.subject_box[None])
    object_apart = torch.where(box, -generalised_iou(obj[:, None], target.object_box[None]), apart)
    return cost + OVERLAP_WEIGHT * torch.maximum(apart, object_apart)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Rezatofighi et al., CVPR 2019, of boxes (..., 4) as centre and sides, whose shapes broadcast."""
    (a_low, a_high), (b_low, b_high) = (
        (box[..., :2] - box[..., 2:] / 2, box[..., :2] + box[..., 2:] / 2) for box in (a, b)
    )
    shared = (torch.minimum(a_high, b_high) - torch.maximum(a_low, b_low)).clamp(min=0).prod(-1)
    union = (a_high - a_low).prod(-1) + (b_high - b_low).prod(-1) - shared
    hull = (torch.maximum(a_high, b_high) - torch.minimum(a_low, b_low)).clamp(min=0).prod(-1)
    return shared / union.clamp(min=1e-12) - (hull - union) / hull.clamp(min=1e-12)


def pair_losses(
    said: PairLogits,
    targets: Sequence[PairTargets],
    groups: Sequence[PredicateGroup],
    *,
    matched: Sequence[tuple[Tensor, Tensor]],
    given: bool,
    use: Sequence[Mapping[str, Tensor]] | None = None,
) -> dict[str, Tensor]:
    """Weighted losses of one layer: "objects", one per predicate group, and distance and overlap of
    subject and object boxes.

    matched: queries and pairs of every frame that stand for each other. given: predcls, where only
    these queries have a class to learn; else the others learn that they are no object. use: per
    frame the labels that are read (M, C) by group, see ``Clip.label_use``. Without any pair a loss
    is 0 and can be differentiated.
    """
    frame = torch.cat([torch.full_like(rows, i) for i, (rows, _) in enumerate(matched)])
    query = torch.cat([rows for rows, _ in matched])

    def wanted(name: str) -> Tensor:
        return torch.cat(
            [getattr(target, name)[columns] for target, (_, columns) in zip(targets, matched, strict=True)]
        )

    def chosen(tables: Sequence[Mapping[str, Tensor]], name: str) -> Tensor:
        return torch.cat([table[name][columns] for table, (_, columns) in zip(tables, matched, strict=True)])

    klass = wanted("object_class")
    last = said.objects.shape[-1] - 1
    losses = {}
    if given:
        losses["objects"] = (
            F.cross_entropy(said.objects[frame, query].float(), klass) if len(klass) else said.objects.sum() * 0
        )
    else:
        target_class = torch.full(said.objects.shape[:2], last, dtype=torch.long, device=klass.device)
        target_class[frame, query] = klass
        weight = torch.ones(last + 1, device=klass.device)
        weight[last] = NO_OBJECT_WEIGHT
        losses["objects"] = F.cross_entropy(said.objects.float().flatten(0, 1), target_class.flatten(), weight)
    losses["objects"] = CLASS_WEIGHT * losses["objects"]
    for group in groups:
        logits = said.groups[group.name][frame, query].float()
        hot = chosen([target.labels for target in targets], group.name)
        read = torch.ones_like(hot) if use is None else chosen(use, group.name)
        losses[group.name] = RELATION_WEIGHT * group_loss(logits, hot, read, group.kind == "single")
    subject, obj = said.subject_box[frame, query].float(), said.object_box[frame, query].float()
    subject_box, object_box = wanted("subject_box"), wanted("object_box")
    box = object_box.ne(0).any(1)
    count = max(sum(len(target.object_class) for target in targets), 1)
    with_box = box.sum() + SMALL
    return {
        **losses,
        "subject_box": BOX_WEIGHT * (subject - subject_box).abs().sum() / count,
        "object_box": BOX_WEIGHT * ((obj - object_box).abs().sum(1) * box).sum() / with_box,
        "subject_overlap": OVERLAP_WEIGHT * (1 - generalised_iou(subject, subject_box)).sum() / count,
        "object_overlap": OVERLAP_WEIGHT * ((1 - generalised_iou(obj, object_box)) * box).sum() / with_box,
    }


def group_loss(logits: Tensor, hot: Tensor, read: Tensor, single: bool) -> Tensor:
    """Cross entropy of single-label groups, whose last logit is of nothing, averaged over the rows
    that are read; else the focal loss summed and divided by the number of positives."""
    if single:
        rows = read.any(1)
        if not bool(rows.any()):
            return logits.sum() * 0
        return F.cross_entropy(logits[rows], hot[rows].int().argmax(1))
    p, y = logits.sigmoid(), hot & read
    positive = ALPHA * (1 - p) ** 2 * F.logsigmoid(logits) * y
    negative = (1 - ALPHA) * p**2 * F.logsigmoid(-logits) * (~hot & read)
    return -(positive + negative).sum() / y.sum().clamp(min=1)
