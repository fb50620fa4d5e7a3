"""Detections whose pairs are open: what a model makes of them once it has classified them itself."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vidsgg.ops.cleaning import OFTEN_WRONG, clean
from vidsgg.ops.masks import union_masks
from vidsgg.ops.pairing import candidate_rows, label_nodes, person_pairs, subject_class_of
from vidsgg.structures.clip import Clip


def candidate_pairs(node_frame: Tensor, distribution: Tensor, objects: tuple[str, ...]) -> tuple[Tensor, Tensor]:
    """Nodes (P,), (P,): every two of a frame, the earlier one first, and with itself every node that may be copied, since it could make a
    pair with its copy. distribution (N, O): the detector's. In the order of the first node, then the second.

    Whichever box a model takes for the subject, and whichever it suppresses, its pairs are among these; and any of these may become one.
    """
    detected = detected_class(distribution)
    doubted = torch.tensor([objects.index(name) for name in OFTEN_WRONG if name in objects], device=node_frame.device)
    together = (node_frame[:, None] == node_frame).triu()
    together &= torch.isin(detected, doubted).diag() | ~torch.eye(len(node_frame), dtype=torch.bool, device=node_frame.device)
    first, second = together.nonzero(as_tuple=True)
    return first, second


def detected_class(distribution: Tensor) -> Tensor:
    """(N,) the class of each row of (N, O) that is most likely, apart from the background."""
    return distribution[:, 1:].argmax(1) + 1


def settle_detections(clip: Clip, distribution: Tensor) -> tuple[Clip, Tensor]:
    """The clip that follows from detections with open pairs and a new class distribution (N, O), and the rows (N',) of the detections
    that its nodes are, of which some are gone and some are there twice.

    Boxes are copied by the detector's classes but cleaned, labelled and paired by the new distribution. Raises ConfigError if the
    schema has several classes of subjects. Source: sayaknag/unbiasedSGG ``lib/tempura.py``.
    """
    assert clip.node_distribution is not None
    subject_class = subject_class_of(clip.schema)
    detected = detected_class(clip.node_distribution)
    row, distribution = clean(clip.node_frame, clip.node_box, distribution, clip.schema.vocabulary.objects, detected)
    frame, box = clip.node_frame[row], clip.node_box[row]
    klass, score = label_nodes(distribution, frame, subject_class)
    subject, obj = person_pairs(frame, klass, score, subject_class)
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
