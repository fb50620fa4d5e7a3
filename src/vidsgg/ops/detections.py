"""Detections whose pairs are open: what a model makes of them once it has classified them
itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor

from vidsgg.ops.cleaning import OVERLAP, clean
from vidsgg.ops.masks import union_masks
from vidsgg.ops.pairing import SubjectRule, are_candidates, candidate_rows, label_nodes, most_likely, subject_pairs
from vidsgg.structures.clip import Clip

# Whether a model is scored on raw detections: True, and it copies those that the detector takes for
# a class that is often wrong; or "any", and it may copy every one of them.
RawDetections = bool | Literal["any"]


def candidate_pairs(
    node_frame: Tensor, distribution: Tensor, often_wrong: Sequence[int], copies: RawDetections = True
) -> tuple[Tensor, Tensor]:
    """Nodes (P,), (P,): every two of a frame, the earlier one first, and with itself every node
    that may be copied, since it could make a pair with its copy: those of a class that is often
    wrong, or with "any" all. distribution (N, O): the detector's. In the order of the first node,
    then the second.

    Whichever box a model takes for the subject, and whichever it suppresses, its pairs are among
    these; and any of these may become one.
    """
    together = (node_frame[:, None] == node_frame).triu()
    if copies != "any":
        doubted = torch.tensor(often_wrong, dtype=torch.long, device=node_frame.device)
        together.diagonal().copy_(torch.isin(most_likely(distribution), doubted))
    first, second = together.nonzero(as_tuple=True)
    return first, second


def settle_detections(
    clip: Clip, distribution: Tensor, *, doubt: Literal["detector", "model"] = "detector", overlap: float = OVERLAP
) -> tuple[Clip, Tensor]:
    """The clip that follows from detections with open pairs and a new class distribution (N, O),
    and the rows (N',) of the detections that its nodes are, of which some are gone and some are
    there twice.

    Boxes are cleaned, labelled and paired by the new distribution. doubt: by whose classes they are
    copied first, the detector's (sayaknag/unbiasedSGG ``lib/tempura.py``) or those of the new
    distribution (Shengyu-Feng/DSG-DETR ``lib/sttran.py``). overlap: within a class, above which the
    weaker box goes. Raises ConfigError if the schema's subjects have no box.
    """
    assert clip.node_distribution is not None
    rule = SubjectRule.of(clip.schema)
    detected = most_likely(clip.node_distribution) if doubt == "detector" else None
    doubted = clip.schema.object_ids(clip.schema.often_wrong)
    row, distribution = clean(clip.node_frame, clip.node_box, distribution, doubted, detected, overlap=overlap)
    frame, box = clip.node_frame[row], clip.node_box[row]
    klass, score = label_nodes(distribution, frame, rule)
    subject, obj = subject_pairs(frame, klass, score, rule, box)
    if rule.most:  # then some pairs are not among the candidates
        among = are_candidates(clip, row[subject], row[obj])
        subject, obj = subject[among], obj[among]
    union = candidate_rows(clip, row[subject], row[obj])
    settled = replace(
        clip,
        node_box=box,
        node_class=klass,
        node_score=score,
        node_frame=frame,
        node_identity=clip.node_identity[row],
        node_feature=None if clip.node_feature is None else clip.node_feature[row],
        node_distribution=distribution,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=frame[obj],
        pair_union=None if clip.pair_union is None else clip.pair_union[union],
        pair_mask=None if clip.pair_union is None else union_masks(box[subject], box[obj]) - 0.5,
        classes_given=True,
        pairs_open=False,
    )
    return settled, row
