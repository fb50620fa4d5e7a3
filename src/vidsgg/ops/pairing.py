"""Which box of a frame is the subject, what the others are, and which pairs follow, once the classes are guessed.

For data sets whose subjects are nodes of one class (Action Genome's person, of whom every frame has one). Letters: N nodes, O object
classes with the background at 0, P pairs. ``node_frame`` (N,) never decreases, and everything runs over all frames of all videos at
once. Of equal values the first counts. Source: yrcong/STTran ``lib/sttran.py``, class ObjectClassifier.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.ops.masks import union_masks
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema


def subject_class_of(schema: Schema) -> int:
    """The one object class of the schema's subjects. Raises ConfigError if there are several, or if subjects have no box."""
    vocabulary = schema.vocabulary
    if not schema.subject_has_box or len(vocabulary.subjects) != 1:
        raise ConfigError(
            f"data set {schema.name!r}: which box of a frame is the subject can only be guessed where subjects are boxes of one class,"
            f" but here they are {'of' if schema.subject_has_box else 'actions of'} {len(vocabulary.subjects)} classes; use mode predcls."
        )
    return vocabulary.objects.index(vocabulary.subjects[0])


def label_nodes(distribution: Tensor, node_frame: Tensor, subject_class: int) -> tuple[Tensor, Tensor]:
    """Classes (N,) long and scores (N,) of nodes with a class distribution (N, O), whose background column is not read.

    The node of a frame that looks most like the subject is the subject; every other node is what it looks like most apart from that,
    even if it looks like a subject still more. The score is the column of the class.
    """
    things = distribution.clone()
    things[:, [0, subject_class]] = -1
    score, klass = things.max(1)
    subject = _best_of_frames(distribution[:, subject_class], node_frame)
    klass[subject] = subject_class
    score[subject] = distribution[subject, subject_class]
    return klass, score


def part_namesakes(distribution: Tensor, node_frame: Tensor, node_class: Tensor, node_score: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """New distribution (N, O), classes and scores after the nodes of each frame's most frequent class were told apart.

    Only that class (of equally frequent ones the first) is looked at, and only once: the node with the largest probability keeps it, the
    others lose that column (it becomes 0, the rest is not normalised again) and are what they then look like most. That may be a class
    which the frame has already, and also the subject's: such a node is neither the frame's subject nor an object of a pair.
    """
    frames, classes = int(node_frame[-1]) + 1 if len(node_frame) else 0, distribution.shape[1]
    count = torch.bincount(node_frame * classes + node_class, minlength=frames * classes).view(frames, classes)
    namesakes = torch.nonzero(node_class == count.argmax(1)[node_frame]).squeeze(1)
    probability = distribution[namesakes, node_class[namesakes]]
    loses = torch.ones_like(namesakes, dtype=torch.bool)
    loses[_best_of_frames(probability, node_frame[namesakes])] = False
    losers = namesakes[loses]

    distribution, node_class, node_score = distribution.clone(), node_class.clone(), node_score.clone()
    distribution[losers, node_class[losers]] = 0
    score, klass = distribution[losers, 1:].max(1)
    node_class[losers], node_score[losers] = klass + 1, score
    return distribution, node_class, node_score


def person_pairs(node_frame: Tensor, node_class: Tensor, node_score: Tensor, subject_class: int) -> tuple[Tensor, Tensor]:
    """Nodes (P,), (P,): the subject of each frame with every node of the frame that is of another class, in the order of these.

    The subject is the node of its class with the best score. A frame without one has no pairs.
    """
    is_subject = node_class == subject_class
    candidates = torch.nonzero(is_subject).squeeze(1)
    subject = candidates[_best_of_frames(node_score[candidates], node_frame[candidates])]
    objects = torch.nonzero(~is_subject & torch.isin(node_frame, node_frame[subject])).squeeze(1)
    return subject[torch.searchsorted(node_frame[subject], node_frame[objects])], objects


def settle(clip: Clip, distribution: Tensor) -> Clip:
    """A clip whose pairs are open with the classes, scores and pairs that follow from a class distribution (N, O) of its nodes.

    Nodes are labelled, namesakes told apart, and of the candidate pairs those of each frame's subject remain, ordered by frame and
    object. Raises ConfigError if the schema has several classes of subjects.
    """
    subject_class = subject_class_of(clip.schema)
    klass, score = label_nodes(distribution, clip.node_frame, subject_class)
    distribution, klass, score = part_namesakes(distribution, clip.node_frame, klass, score)
    subject, obj = person_pairs(clip.node_frame, klass, score, subject_class)
    row = candidate_rows(clip, subject, obj)
    return replace(
        clip,
        node_class=klass,
        node_score=score,
        node_distribution=distribution,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=clip.pair_frame[row],
        pair_union=None if clip.pair_union is None else clip.pair_union[row],
        pair_mask=None if clip.pair_union is None else union_masks(clip.node_box[subject], clip.node_box[obj]) - 0.5,
        classes_given=True,
        pairs_open=False,
    )


def _best_of_frames(value: Tensor, frame: Tensor) -> Tensor:
    """Row of the largest value (R,) of every frame that has rows, by frame. frame (R,) never decreases."""
    order = value.argsort(descending=True, stable=True)
    order = order[frame[order].argsort(stable=True)]
    frame = frame[order]
    opens = torch.ones_like(frame, dtype=torch.bool)
    opens[1:] = frame[1:] != frame[:-1]
    return order[opens]


def candidate_rows(clip: Clip, subject: Tensor, obj: Tensor) -> Tensor:
    """Where the pairs (P,), (P,) stand among the candidates, which hold every two nodes once, the earlier one first."""
    candidate = clip.pair_subject * clip.nodes + clip.pair_object
    wanted = torch.minimum(subject, obj) * clip.nodes + torch.maximum(subject, obj)
    candidate, order = candidate.sort()
    place = torch.searchsorted(candidate, wanted)
    assert torch.equal(candidate[place], wanted), f"{clip.video_ids[0]}: a pair is not among the candidates"
    return order[place]
