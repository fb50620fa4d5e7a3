"""What queries of a frame come to: boxes, classes and scores, before they are candidates of a
graph.

Letters: Q queries, S subject boxes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_convert, box_iou

from vidsgg.models.oed.network import PairLogits

SAME = 0.5  # overlap from which on two boxes are one
MOST = 30  # queries of a frame that stay when they are merged


@dataclass(frozen=True, eq=False)
class PairQueries:
    """Boxes are centre and sides, 0..1 of the picture."""

    subject_box: Tensor  # (S, 4), score 1
    subject: Tensor  # (Q,) long: the subject box of every query
    object_box: Tensor  # (Q, 4)
    object_class: Tensor  # (Q,) long
    object_score: Tensor  # (Q,)
    groups: Mapping[str, Tensor]  # (Q, C) logits

    @staticmethod
    def of(said: PairLogits, single: Mapping[str, bool], *, any_class: bool) -> PairQueries:
        """Those of one frame (1, Q, ...). single: of every group, whether its last logit means
        nothing. any_class: class 0, which is none, may be said too, as in the reference."""
        probability = said.objects[0].float().softmax(-1)[:, :-1]
        if not any_class:
            probability = torch.cat([torch.full_like(probability[:, :1], -1), probability[:, 1:]], 1)
        score, klass = probability.max(1)
        groups = {name: table[0, :, :-1] if single[name] else table[0] for name, table in said.groups.items()}
        own = torch.arange(len(klass), device=klass.device)
        return PairQueries(said.subject_box[0], own, said.object_box[0], klass, score, groups)


def merged_queries(queries: PairQueries, *, one_subject: bool) -> PairQueries:
    """The best of the queries that say the same of the same boxes, the best first.

    Of two queries of one class whose object boxes overlap by half, and with several subjects also
    their subject boxes, the weaker one goes. one_subject: all are of the subject box of the best.
    """
    order = queries.object_score.argsort(descending=True, stable=True)
    subject = box_convert(queries.subject_box[queries.subject[order]].float(), "cxcywh", "xyxy")
    obj = box_convert(queries.object_box[order].float(), "cxcywh", "xyxy")
    klass = queries.object_class[order]
    same = (klass[:, None] == klass) & (box_iou(obj, obj) > SAME)
    if not one_subject:
        same &= box_iou(subject, subject) > SAME
    kept: list[int] = []
    for i in range(len(order)):
        if len(kept) < MOST and not bool(same[i, kept].any()):
            kept.append(i)
    rows = order[kept]
    own = torch.arange(len(rows), device=rows.device)
    box, place = queries.subject_box[queries.subject[rows]], own
    if one_subject:
        box, place = box[:1], torch.zeros_like(own)
    return PairQueries(
        box,
        place,
        queries.object_box[rows],
        queries.object_class[rows],
        queries.object_score[rows],
        {name: table[rows] for name, table in queries.groups.items()},
    )
