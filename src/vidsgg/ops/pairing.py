"""Which boxes of a frame are subjects, what the others are, and which pairs follow, once the
classes are guessed.

Letters: N nodes, O object classes with the background at 0, P pairs. ``node_frame`` (N,) never
decreases, and everything runs over all frames of all videos at once. Of equal values the first
counts. Source of the rules for one subject in a frame: yrcong/STTran ``lib/sttran.py``, class
ObjectClassifier.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from vidsgg.errors import ConfigError
from vidsgg.ops.masks import union_masks
from vidsgg.structures.clip import Clip
from vidsgg.structures.schema import Schema


@dataclass(frozen=True)
class SubjectRule:
    """Which nodes of a frame are subjects, and of what; see ``Schema``."""

    classes: tuple[int, ...]  # object classes that a subject can have
    one: bool  # a frame has one subject, of the only class
    mutual: bool = True  # without ``one``: a subject may be the object of another subject
    most: int = 0  # pairs of a frame that are looked at, see ``kept_pairs``; 0: all

    @staticmethod
    def of(schema: Schema) -> SubjectRule:
        """Raises ConfigError if the schema's subjects have no box."""
        vocabulary = schema.vocabulary
        if not schema.subject_has_box:
            raise ConfigError(
                f"data set {schema.name!r}: its subjects are actions of {len(vocabulary.subjects)} classes, without"
                " boxes; only subjects with a box can be found in a picture. Use mode predcls."
            )
        return SubjectRule(
            tuple(map(vocabulary.objects.index, vocabulary.subjects)),
            schema.one_subject,
            schema.mutual,
            schema.max_pairs,
        )

    def among(self, node_class: Tensor) -> Tensor:
        """(N,) bool: the nodes of a subject class."""
        return torch.isin(node_class, torch.tensor(self.classes, dtype=torch.long, device=node_class.device))


def most_likely(distribution: Tensor) -> Tensor:
    """(N,) long: the most likely class of every row of (N, O) that is not the background; of equal
    ones the first."""
    return distribution[:, 1:].argmax(1) + 1


def label_nodes(distribution: Tensor, node_frame: Tensor, rule: SubjectRule) -> tuple[Tensor, Tensor]:
    """Classes (N,) long and scores (N,) of nodes with a class distribution (N, O), whose background
    column is not read.

    With one subject in a frame, the node that looks most like it is the subject; every other node
    is what it looks like most apart from that, even if it looks like a subject still more.
    Otherwise a node is what it looks like most. The score is the column of the class.
    """
    if not rule.one:
        klass = most_likely(distribution)
        return klass, distribution.gather(1, klass[:, None]).squeeze(1)
    subject_class = rule.classes[0]
    things = distribution.clone()
    things[:, [0, subject_class]] = -1
    score, klass = things.max(1)
    subject = _best_of_frames(distribution[:, subject_class], node_frame)
    klass[subject] = subject_class
    score[subject] = distribution[subject, subject_class]
    return klass, score


def part_namesakes(
    distribution: Tensor, node_frame: Tensor, node_class: Tensor, node_score: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """New distribution (N, O), classes and scores after the nodes of each frame's most frequent
    class were told apart.

    Only that class (of equally frequent ones the first) is looked at, and only once: the node with
    the largest probability keeps it, the others lose that column (it becomes 0, the rest is not
    normalised again) and are what they then look like most. That may be a class which the frame has
    already, and also the subject's: such a node is neither the frame's subject nor an object of a
    pair.
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


def subject_pairs(
    node_frame: Tensor, node_class: Tensor, node_score: Tensor, rule: SubjectRule, node_box: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Nodes (P,), (P,): every subject with its objects, by frame; a frame without a subject has no
    pairs.

    With one subject in a frame, that is the node of its class with the best score, and its objects
    are the nodes of other classes, in their order. Otherwise every node of a subject class is one,
    in their order, and its objects are all other nodes of the frame, or without ``mutual`` those of
    no subject class. Of these as many are left as the rule says (``kept_pairs``); that needs
    ``node_box`` (N, 4).
    """
    is_subject = rule.among(node_class)
    subject = torch.nonzero(is_subject).squeeze(1)
    if rule.one:
        subject = subject[_best_of_frames(node_score[subject], node_frame[subject])]
    first = torch.searchsorted(node_frame, node_frame[subject])
    count = torch.searchsorted(node_frame, node_frame[subject], right=True) - first
    before = (count.cumsum(0) - count - first).repeat_interleave(count)
    subject, obj = subject.repeat_interleave(count), torch.arange(len(before), device=before.device) - before
    kept = subject != obj if rule.mutual and not rule.one else ~is_subject[obj]
    subject, obj = subject[kept], obj[kept]
    if not rule.most or node_box is None:
        return subject, obj
    row = kept_pairs(subject, obj, node_frame, node_box, node_score, rule.most)
    return subject[row], obj[row]


def kept_pairs(
    subject: Tensor, obj: Tensor, node_frame: Tensor, node_box: Tensor, node_score: Tensor, most: int
) -> Tensor:
    """Rows of the pairs (P,), (P,) that are left, in their order, when a frame keeps ``most`` of
    them: those with the largest product of their nodes' scores (N,). Of equal ones, as with given
    boxes, all of which score 1, those whose boxes are nearest stay: by the gap between them, then
    by the distance of their centres. Both directions of a pair are equal in all this, and then the
    first stays."""
    one, other, frame = node_box[subject], node_box[obj], node_frame[subject]
    gap = (torch.maximum(one[:, :2], other[:, :2]) - torch.minimum(one[:, 2:], other[:, 2:])).clamp(min=0)
    apart = (one[:, :2] + one[:, 2:] - other[:, :2] - other[:, 2:]).square().sum(1)
    order = apart.argsort(stable=True)
    order = order[gap.square().sum(1)[order].argsort(stable=True)]
    order = order[(node_score[subject] * node_score[obj])[order].argsort(stable=True, descending=True)]
    order = order[frame[order].argsort(stable=True)]
    place = torch.arange(len(order), device=order.device) - torch.searchsorted(frame[order], frame[order])
    return order[place < most].sort().values


def settle(clip: Clip, distribution: Tensor) -> Clip:
    """A clip whose classes are hidden with the classes, scores and pairs that follow from a class
    distribution (N, O) of its nodes.

    Nodes are labelled, with one subject in a frame namesakes are told apart, and of the candidate
    pairs those of subjects remain, ordered by frame. Where subjects are actions the pairs are
    given, and only classes and scores follow.
    """
    if not clip.schema.subject_has_box:
        klass = most_likely(distribution)
        score = distribution.gather(1, klass[:, None]).squeeze(1)
        return replace(clip, node_class=klass, node_score=score, node_distribution=distribution, classes_given=True)
    rule = SubjectRule.of(clip.schema)
    klass, score = label_nodes(distribution, clip.node_frame, rule)
    if rule.one:
        distribution, klass, score = part_namesakes(distribution, clip.node_frame, klass, score)
    subject, obj = subject_pairs(clip.node_frame, klass, score, rule)
    if rule.most:  # then some pairs are not among the candidates
        among = are_candidates(clip, subject, obj)
        subject, obj = subject[among], obj[among]
        left = kept_pairs(subject, obj, clip.node_frame, clip.node_box, clip.node_score, rule.most)
        subject, obj = subject[left], obj[left]
    row = candidate_rows(clip, subject, obj)
    return replace(
        clip,
        node_class=klass,
        node_score=score,
        node_distribution=distribution,
        pair_subject=subject,
        pair_object=obj,
        pair_frame=clip.node_frame[subject],
        pair_union=None if clip.pair_union is None else clip.pair_union[row],
        pair_mask=None if clip.pair_union is None else union_masks(clip.node_box[subject], clip.node_box[obj]) - 0.5,
        classes_given=True,
        pairs_open=False,
    )


def _best_of_frames(value: Tensor, frame: Tensor) -> Tensor:
    """Row of the largest value (R,) of every frame that has rows, by frame. frame (R,) never
    decreases."""
    order = value.argsort(descending=True, stable=True)
    order = order[frame[order].argsort(stable=True)]
    frame = frame[order]
    opens = torch.ones_like(frame, dtype=torch.bool)
    opens[1:] = frame[1:] != frame[:-1]
    return order[opens]


def are_candidates(clip: Clip, subject: Tensor, obj: Tensor) -> Tensor:
    """(P,) bool: the pairs (P,), (P,) that stand among the candidates in either direction."""
    key = torch.minimum(subject, obj) * clip.nodes + torch.maximum(subject, obj)
    return torch.isin(key, clip.pair_subject * clip.nodes + clip.pair_object)


def candidate_rows(clip: Clip, subject: Tensor, obj: Tensor) -> Tensor:
    """Where the pairs (P,), (P,) stand among the candidates, which hold two nodes once, the earlier
    one first."""
    candidate = clip.pair_subject * clip.nodes + clip.pair_object
    wanted = torch.minimum(subject, obj) * clip.nodes + torch.maximum(subject, obj)
    candidate, order = candidate.sort()
    place = torch.searchsorted(candidate, wanted)
    assert torch.equal(candidate[place], wanted), f"{clip.video_ids[0]}: a pair is not among the candidates"
    return order[place]
